"""Compares what the sources have with what is published, and says what to do, with reasons."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from pipelines.planning.access import Policy, Rules, SourceRules, granted, narrowed, trainable
from pipelines.planning.holds import hold, unusual
from pipelines.planning.records import (
    Change,
    Found,
    Hold,
    Kind,
    Plan,
    Published,
    Rejected,
    Remembered,
)
from pipelines.planning.withheld import labels_today, split_uri
from pipelines.records import Failure, FrontMatter

Key = tuple[str, str]

GRANTS = ("labels_are_granted", "domain_is_granted")
"""Failures that follow from the configuration: judged anew by every plan, whatever is recorded."""


@dataclass(frozen=True, slots=True)
class Scanned:
    """What one source showed."""

    source: str
    complete: bool
    found: Mapping[str, Found]
    """By uri."""


@dataclass(frozen=True, slots=True)
class World:
    """Everything that a plan is made from. Making one reads nothing further."""

    sources: Rules
    """What the configuration grants today."""
    scanned: Mapping[str, Scanned]
    """By source; a source that this run does not look at is absent."""
    published: Mapping[str, Published]
    """The published state by uri."""
    recipe: str
    """The extractor and chunker of today."""
    remembered: Mapping[str, Remembered] = field(default_factory=dict)
    quarantined: Mapping[Key, Failure] = field(default_factory=dict)
    """Failures under today's suites, extractor and limits, by (uri, content hash)."""
    released: frozenset[Key] = frozenset()
    """Document versions that people let out of quarantine."""
    accepted: frozenset[Key] = frozenset()
    """What people let through."""
    expected: frozenset[Key] = frozenset()
    """Of that, where they knew what it is: who accepts the cost of a run has not looked at it."""
    dropped: frozenset[Key] = frozenset()
    """What people refused."""
    held: Mapping[Key, str] = field(default_factory=dict)
    """Deletions that wait for a person already, with the reason: they wait until one decides."""
    recent_deletions: Mapping[str, int] = field(default_factory=dict)
    """Deletions of the last 24 hours that nobody accepted, by source."""


def plan_changes(world: World) -> Plan:
    """What a refresh has to do. Pure: the same world gives the same plan.

    Every document of the listings and of the published state ends as exactly one change, hold
    item, rejection, or counts as unchanged.
    """
    found = {uri: f for scan in world.scanned.values() for uri, f in scan.found.items()}
    by_hash = _by_hash(world, found)
    remembered = {uri: _remember(f, world, by_hash) for uri, f in found.items()}
    rejected, changes, unchanged = _compare(found, remembered, world)
    gone = [p for p in world.published.values() if p.uri not in found and _may_be_gone(p, world)]
    moves, absorbed, gone = _moves(gone, changes, unchanged, world)
    changes = [moves.get(c.uri, c) for c in changes] + absorbed
    deletions, holds, kept_gone = _deletions(gone, world)
    kept = [
        p for uri, p in world.published.items() if uri not in found and not _may_be_gone(p, world)
    ]
    kept += kept_gone
    kept += [world.published[r.found.uri] for r in rejected if r.found.uri in world.published]
    refused = {c.key for c in changes if c.key in world.dropped}
    kept += [c.previous for c in changes if c.key in refused and c.previous]
    relabelled = relabelled_as_they_are(kept, remembered, world)
    doing = [c for c in changes if c.key not in refused] + deletions + relabelled
    dropped = refused | {(p.uri, "") for p in gone if (p.uri, "") in world.dropped}
    done_with = {c.uri for c in doing} | {r.found.uri for r in rejected}
    done_with |= {c.previous.uri for c in doing if c.previous} | {
        u for h in holds for u, _ in h.items
    }
    everything = set(found) | set(world.published)
    return Plan(
        changes=tuple(sorted(doing, key=lambda c: (c.kind, c.uri))),
        unchanged=len(everything - done_with),
        rejected=tuple(rejected),
        holds=tuple(holds),
        dropped=tuple(sorted(dropped)),
        remembered=remembered,
    )


def _remember(found: Found, world: World, by_hash: Mapping[str, list[Published]]) -> Remembered:
    """A file in which no front matter is recognised asks nothing new: what it asked stays.

    A new uri without front matter asks what published documents of the same bytes are known to
    ask, so that a wish outlives a move however it is seen.
    """
    asked = found.front_matter
    if isinstance(asked, FrontMatter):
        return Remembered(found.content_hash, asked)
    before, published = world.remembered.get(found.uri), world.published.get(found.uri)
    if before is not None:
        known = before.asked
    elif published is not None:
        known = published.asked
    else:
        asks = [p.asked for p in by_hash.get(found.content_hash, ()) if p.asked is not None]
        known = asks[0] if asks else None
    if isinstance(asked, Failure):
        return Remembered(found.content_hash, known, asked.withhold)
    blind = found.unreadable is not None and before is not None
    return Remembered(found.content_hash, known, blind and before is not None and before.withhold)


def _by_hash(world: World, found: Mapping[str, Found]) -> dict[str, list[Published]]:
    """Published documents by their bytes, where these stand under a uri of which nothing is known."""
    known = world.remembered.keys() | world.published.keys()
    wanted = {f.content_hash for uri, f in found.items() if uri not in known}
    by_hash: dict[str, list[Published]] = defaultdict(list)
    for document in world.published.values() if wanted else ():
        if document.content_hash in wanted:
            by_hash[document.content_hash].append(document)
    return by_hash


def _compare(
    found: Mapping[str, Found], remembered: Mapping[str, Remembered], world: World
) -> tuple[list[Rejected], list[Change], list[Published]]:
    rejected: list[Rejected] = []
    changes: list[Change] = []
    unchanged: list[Published] = []
    for uri, document in sorted(found.items()):
        key = (uri, document.content_hash)
        settings = world.sources[document.source]
        policy = _policy(uri, remembered[uri].asked, settings)
        failure = _failure(document, policy, world)
        if failure is not None or isinstance(policy, Failure):
            assert failure is not None  # noqa: S101 - a failed policy is a failure
            rejected.append(Rejected(document, failure, key in world.quarantined))
            continue
        published = world.published.get(uri)
        if published is not None and published.content_hash == document.content_hash:
            policy = trainable(policy, published.findings, world.sources)
        change = _difference(document, policy, remembered[uri].asked, published, world.recipe)
        if change is not None:
            changes.append(change)
        elif published is not None:
            unchanged.append(published)
    return rejected, changes, unchanged


def _failure(document: Found, policy: Policy | Failure, world: World) -> Failure | None:
    """Why a document version may not be published, as far as a plan can know."""
    if document.unreadable is not None:
        return document.unreadable
    if isinstance(document.front_matter, Failure):
        return document.front_matter
    if isinstance(policy, Failure):
        return policy
    key = (document.uri, document.content_hash)
    recorded = None if key in world.released else world.quarantined.get(key)
    return None if recorded is None or recorded.expectation in GRANTS else recorded


def _policy(uri: str, asked: FrontMatter | None, settings: SourceRules) -> Policy | Failure:
    _, path = split_uri(uri)
    return narrowed(granted(settings, path), asked, own_domains=settings.own_domains)


def _difference(
    document: Found,
    policy: Policy,
    asked: FrontMatter | None,
    published: Published | None,
    recipe: str,
) -> Change | None:
    if published is None:
        kind, reason = Kind.ADDED, "new in its source"
    elif published.content_hash != document.content_hash:
        kind, reason = Kind.CHANGED, "its bytes changed"
    elif published.recipe != recipe:
        kind, reason = Kind.CHANGED, "the extractor or chunker changed"
    elif published.policy != policy or published.asked != asked:
        kind, reason = Kind.RELABELLED, _relabelling(published.policy, policy)
    else:
        return None
    return Change(kind, document.uri, document.source, reason, policy, asked, document, published)


def _relabelling(before: Policy, after: Policy) -> str:
    told = [
        f"{name} {_shown(old)} -> {_shown(new)}"
        for name, old, new in (
            ("labels", before.labels, after.labels),
            ("domain", before.domain, after.domain),
            ("train", before.train, after.train),
        )
        if old != new
    ]
    return ", ".join(told) or "what its front matter asks is known again"


def _shown(value: object) -> str:
    return ",".join(value) if isinstance(value, tuple) else str(value).lower()


def _may_be_gone(document: Published, world: World) -> bool:
    """Only a complete listing says that something is gone, or a source that was taken away."""
    scan = world.scanned.get(document.source)
    return document.source not in world.sources or (scan is not None and scan.complete)


def _moves(
    gone: list[Published], changes: list[Change], unchanged: list[Published], world: World
) -> tuple[dict[str, Change], list[Change], list[Published]]:
    """Pairs gone uris with the uris under which the same bytes stand; each takes one.

    Returns:
        The additions that are moves, by uri; the moves onto uris that were published before;
        what is gone for good.
    """
    if not gone:
        return {}, [], []
    by_hash: dict[str, list[Published]] = defaultdict(list)
    for document in sorted(gone, key=lambda p: p.uri, reverse=True):
        by_hash[document.content_hash].append(document)
    moves: dict[str, Change] = {}
    for change in changes:
        waiting = by_hash.get(change.found.content_hash) if change.found else None
        if change.kind is Kind.ADDED and waiting:
            moves[change.uri] = _moved(change, waiting.pop(), world)
    here = {p.uri for p in unchanged}
    here |= {u for u, p in world.published.items() if _stays_unseen(p, world)}
    here |= {c.uri for c in changes if c.kind is Kind.RELABELLED}
    absorbed: list[Change] = []
    for uri in sorted(here):
        waiting = by_hash.get(world.published[uri].content_hash)
        if waiting and not _is_decided_about(waiting[-1], world):
            previous = waiting.pop()
            reason = f"its bytes stand under {uri}"
            moved = Change(Kind.MOVED, previous.uri, previous.source, reason, previous=previous)
            absorbed.append(replace(moved, moved_to=uri))
    left = {p.uri for rest in by_hash.values() for p in rest}
    return moves, absorbed, [p for p in gone if p.uri in left]


def _is_decided_about(document: Published, world: World) -> bool:
    """Its former refresh called it a deletion: the uri with its bytes took another one then."""
    return (document.uri, "") in world.held or (document.uri, "") in world.dropped


def _stays_unseen(document: Published, world: World) -> bool:
    return document.source in world.sources and document.source not in world.scanned


def _moved(change: Change, previous: Published, world: World) -> Change:
    reason = f"moved from {previous.uri}"
    if previous.recipe != world.recipe:
        reason += "; the extractor or chunker changed"
    policy = change.policy and trainable(change.policy, previous.findings, world.sources)
    return replace(
        change,
        kind=Kind.MOVED,
        reason=reason,
        policy=policy,
        previous=previous,
        moved_to=change.uri,
    )


def _deletions(
    gone: list[Published], world: World
) -> tuple[list[Change], list[Hold], list[Published]]:
    by_source: dict[str, list[Published]] = defaultdict(list)
    for document in gone:
        by_source[document.source].append(document)
    sizes: dict[str, int] = defaultdict(int)
    for document in world.published.values():
        sizes[document.source] += 1
    deletions: list[Change] = []
    holds: list[Hold] = []
    kept: list[Published] = []
    for source, documents in sorted(by_source.items()):
        accepted = [p for p in documents if (p.uri, "") in world.accepted]
        rest = [p for p in documents if (p.uri, "") not in world.accepted]
        dropped = [p for p in rest if (p.uri, "") in world.dropped]
        open_ = [p for p in rest if (p.uri, "") not in world.dropped]
        kept += dropped
        deletions += [
            replace(_deletion(p, "gone; a person accepted it"), accepted=True) for p in accepted
        ]
        why = _why_held(source, open_, sizes[source], world)
        waiting = open_ if why else [p for p in open_ if (p.uri, "") in world.held]
        if waiting:
            why = why or world.held[waiting[0].uri, ""]
            holds.append(hold("deletions", source, ((p.uri, "") for p in waiting), why))
            kept += waiting
        held = {p.uri for p in waiting}
        deletions += [
            _deletion(p, "gone from a complete listing") for p in open_ if p.uri not in held
        ]
    return deletions, holds, kept


def _why_held(source: str, gone: list[Published], published: int, world: World) -> str | None:
    if gone and source not in world.sources:
        return f"the source left the configuration, {len(gone)} documents are published"
    scan = world.scanned.get(source)
    return unusual(
        gone=len(gone),
        recent=world.recent_deletions.get(source, 0),
        published=published,
        listed=len(scan.found) if scan else 0,
    )


def _deletion(document: Published, reason: str) -> Change:
    return Change(Kind.DELETED, document.uri, document.source, reason, previous=document)


def held_back(plan: Plan, held: Mapping[Hold, Iterable[Change]], world: World) -> Plan:
    """The plan without changes that wait for a person; policy reaches what stays as it is."""
    waiting = {change.uri for changes in held.values() for change in changes}
    kept = [c.previous for c in plan.changes if c.previous and c.uri in waiting]
    doing = [c for c in plan.changes if c.uri not in waiting]
    return replace(
        plan,
        changes=(*doing, *relabelled_as_they_are(kept, plan.remembered, world)),
        holds=(*plan.holds, *held),
    )


def relabelled_as_they_are(
    kept: Iterable[Published], remembered: Mapping[str, Remembered], world: World
) -> list[Change]:
    """Policy reaches what stays published as it is: unlisted, held, or with a rejected version."""
    changes = []
    for document in kept:
        policy = _policy_of_what_stays(document, remembered, world)
        if policy is not None and policy != document.policy:
            reason = _relabelling(document.policy, policy)
            changes.append(
                Change(
                    Kind.RELABELLED,
                    document.uri,
                    document.source,
                    reason,
                    policy,
                    document.asked,
                    previous=document,
                )
            )
    return changes


def _policy_of_what_stays(
    document: Published, remembered: Mapping[str, Remembered], world: World
) -> Policy | None:
    settings = world.sources.get(document.source)
    if settings is None:
        return None

    def known(uri: str) -> Remembered | None:
        return remembered.get(uri) or world.remembered.get(uri)

    labels = labels_today(
        document.uri, sources=world.sources, newest=world.published.get, remembered=known
    )
    policy = _policy(document.uri, document.asked, settings)
    if not labels or isinstance(policy, Failure):  # nobody may see it: withheld, not relabelled
        return None
    now = known(document.uri)
    train = policy.train and not (now and now.asked and now.asked.train is False)
    policy = replace(policy, labels=tuple(sorted(labels)), train=train)
    return trainable(policy, document.findings, world.sources)

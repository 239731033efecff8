"""What waits for a person: unusual deletions and dear runs, as named sets."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from hashlib import blake2b

from pipelines.planning.access import Rules
from pipelines.planning.records import Change, Hold, Kind

Key = tuple[str, str]

FEW = 10
SHARE = 0.2
HALF = 0.5


def hold(
    kind: str, source: str, items: Iterable[Key], why: str, *, suites: str | None = None
) -> Hold:
    """A hold; its id follows from kind, source, suites and set: the same set is the same hold."""
    ordered = tuple(sorted(items))
    digest = blake2b(digest_size=5)
    said = [kind, source, *([suites] if suites else [])]
    for part in (*said, *(text for item in ordered for text in item)):
        digest.update(part.encode("utf-8", "surrogatepass") + b"\0")
    return Hold(digest.hexdigest(), kind, source, ordered, why, suites)


def items_of(changes: Iterable[Change]) -> frozenset[Key]:
    """What a person decides about: each uri and the hash it would get; a move has two uris."""
    items: set[Key] = set()
    for change in changes:
        items.add(change.key)
        if change.previous is not None and change.previous.uri != change.uri:
            items.add((change.previous.uri, ""))
    return frozenset(items)


def may_wait(change: Change, accepted: Iterable[Key]) -> bool:
    """Policy is never delayed, and what a person let through is not held again."""
    return change.kind is not Kind.RELABELLED and change.key not in accepted


def review_holds(
    changes: Iterable[Change], *, rules: Rules, accepted: frozenset[Key]
) -> dict[Hold, tuple[Change, ...]]:
    """By source, the changes in domains whose changes wait for a person."""
    waiting: dict[str, list[Change]] = defaultdict(list)
    for change in changes:
        policies = (change.policy, change.previous.policy if change.previous else None)
        asked = any(policy and rules.domain(policy.domain).review for policy in policies)
        if asked and may_wait(change, accepted):
            waiting[change.source].append(change)
    return {
        review_hold(source, of_source): tuple(of_source)
        for source, of_source in sorted(waiting.items())
    }


def review_hold(source: str, changes: Collection[Change]) -> Hold:
    """The hold of some changes that are to be reviewed."""
    domains = {p.domain for c in changes for p in (c.policy, c.previous and c.previous.policy) if p}
    count = f"{len(changes)} change" + "s" * (len(changes) != 1)
    why = f"{count} to be reviewed (domain {', '.join(sorted(domains))})"
    return hold("review", source, items_of(changes), why)


def standing_audit_holds(
    changes: Iterable[Change],
    before: Mapping[str, Hold],
    *,
    suites: str,
    accepted: frozenset[Key],
) -> dict[Hold, tuple[Change, ...]]:
    """Sources that failed their audit with exactly these changes under these suites before.

    Args:
        changes: What the run would do.
        before: By source, the open hold of kind audit.
        suites: The hash of today's suites.
        accepted: What a person let through.
    """
    waiting: dict[str, list[Change]] = defaultdict(list)
    for change in changes:
        if may_wait(change, accepted):
            waiting[change.source].append(change)
    return {
        before[source]: tuple(of_source)
        for source, of_source in sorted(waiting.items())
        if source in before
        and before[source].suites == suites
        and frozenset(before[source].items) == items_of(of_source)
    }


def unusual(*, gone: int, recent: int, published: int, listed: int) -> str | None:
    """Why the deletions of a source are unusual, or None where they are ordinary.

    Args:
        gone: Documents that a complete listing lacks now and nobody decided about.
        recent: Documents deleted within the last 24 hours without anybody's acceptance.
        published: Documents of the source that are published now.
        listed: Documents that the listing has.
    """
    if not gone:
        return None
    if not listed:
        return f"the listing came back empty, {published} documents are published"
    size = published + recent
    lately = f", and {recent} within the last 24 hours" if recent else ""
    if gone + recent > max(FEW, SHARE * size):
        return f"{gone} of {published} documents are gone{lately}"
    if gone + recent > HALF * size:
        return f"more than half of a small source is gone: {gone} of {published} documents{lately}"
    return None


def cost_holds(
    changes: Iterable[Change],
    tokens: Mapping[str, int],
    *,
    limit: int,
    accepted: set[tuple[str, str]],
) -> tuple[Hold, ...]:
    """One hold a source over all documents that need embedding, where a run would exceed the limit.

    Args:
        changes: What the run would do.
        tokens: How many tokens each uri would embed; absent or 0 costs nothing.
        limit: ``max_embed_tokens``; 0 is no limit.
        accepted: Keys that a person let through whatever they cost.
    """
    dear = [c for c in changes if tokens.get(c.uri) and c.key not in accepted]
    total = sum(tokens[c.uri] for c in dear)
    if not limit or total <= limit:
        return ()
    by_source: dict[str, list[Change]] = {}
    for change in dear:
        by_source.setdefault(change.source, []).append(change)
    why = f"the run would embed {total:,} tokens, max_embed_tokens is {limit:,}"
    return tuple(
        hold("cost", source, (c.key for c in of_source), why)
        for source, of_source in sorted(by_source.items())
    )

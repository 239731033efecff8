"""What a model may learn from today, whatever the publication says, and what is left out and why."""

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from pipelines.config import Config
from pipelines.knowledge import (
    Publication,
    Store,
    all_taken_down,
    known_documents,
    open_takedowns,
    published_documents,
    quarantine,
    withheld_of,
)
from pipelines.planning import (
    Policy,
    Published,
    Remembered,
    Rules,
    TakenDown,
    granted,
    labels_today,
    rules_on,
    split_uri,
    trainable,
)
from pipelines.planning.access import narrowed, withheld_by_age
from pipelines.records import Failure, FrontMatter


class Reason(StrEnum):
    """Why a published document is not learned from; of several the first."""

    TAKEN_DOWN = "taken down"
    QUARANTINED = "quarantined"
    EXPIRED = "expired"
    WITHHELD = "withheld"
    NO_RULE = "source left the configuration"
    RULE = "configuration says train = false"
    FRONT_MATTER = "front matter says train: false"
    FINDINGS = "audit marked it"
    DOMAIN = "another domain"


@dataclass(frozen=True, slots=True)
class Allowed:
    """The documents of a publication, parted by whether a model may learn from them."""

    documents: Mapping[str, Published]
    """Those that it may, by uri, under today's policy."""
    left_out: Mapping[str, Reason]
    """The others, by uri."""

    @property
    def counted(self) -> dict[str, int]:
        """Documents left out, by reason."""
        counts = Counter(str(reason) for reason in self.left_out.values())
        return dict(sorted(counts.items()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Today:
    """What is known today of the documents of a publication."""

    rules: Rules
    published: Mapping[str, Published]
    remembered: Callable[[str], Remembered | None]
    """What is known of the newest version of a uri that its source ever showed."""
    withheld: Collection[str]
    taken_down: TakenDown
    quarantined: Collection[str]
    """Uris and content hashes of the versions that stand there now."""


def allowed_documents(
    config: Config,
    store: Store,
    publication: Publication,
    *,
    domains: Collection[str],
    now: datetime,
) -> Allowed:
    """Parts the documents of the newest publication; reads no source.

    Args:
        config: The configuration, whose rules count as they are today.
        store: The store.
        publication: The newest one.
        domains: Those that the model learns from; empty means all.
        now: The time; its day (UTC) decides what is expired.
    """
    return part(today_of(config, store, publication, now=now), domains)


def today_of(config: Config, store: Store, publication: Publication, *, now: datetime) -> Today:
    """What is known today of the documents of the newest publication; reads no source."""
    rules, known = rules_on(config, now.date()), known_documents(store)
    published = published_documents(store, publication.state)
    taken_down = all_taken_down(open_takedowns(store).values())
    beyond = withheld_of(
        published, newest=published, rules=rules, known=known, taken_down=taken_down
    )
    failed = quarantine(store)
    return Today(
        rules=rules,
        published=published,
        remembered=lambda uri: known[uri].remembered if uri in known else None,
        withheld=beyond | frozenset(publication.withheld),
        taken_down=taken_down,
        quarantined={q.uri for q in failed} | {q.content_hash for q in failed},
    )


def withdrawn(uri: str, content_hash: str, today: Today) -> Reason | None:
    """Why what was once learned from a document may not be learned from today. Pure.

    The document may be gone: what its source, its rule or its front matter forbids holds on. That it
    is gone, old, in quarantine or of another domain withdraws nothing.

    Args:
        uri: The document, as it was learned from.
        content_hash: Of its bytes at that time.
        today: What is known today.
    """
    if any(today.taken_down.covers(at, content_hash) for at in ways(uri, today)):
        return Reason.TAKEN_DOWN
    refused = _refused(uri, today)
    document = today.published.get(uri)
    # What the audit marks in another version of the document was not learned.
    if refused is not None or document is None or document.content_hash != content_hash:
        return refused
    policy = _policy_at(uri, document.asked, today.rules)
    if policy is None or trainable(policy, document.findings, today.rules).train:
        return None
    return Reason.FINDINGS


def ways(uri: str, today: Today) -> list[str]:
    """A uri, and where its bytes have moved to since, one after the other. Pure."""
    followed: dict[str, None] = {}
    at: str | None = uri
    while at is not None and at not in followed:
        followed[at] = None
        now = today.remembered(at)
        at = now.moved_to if now else None
    return list(followed)


def place_today(uri: str, today: Today) -> str | None:
    """Where a document is published today: at its uri, or where it moved to; None: nowhere. Pure."""
    return next((at for at in ways(uri, today) if at in today.published), None)


def part(today: Today, domains: Collection[str] = ()) -> Allowed:
    """Parts documents by what is known of them today. Pure.

    Args:
        today: What is known.
        domains: Those that the model learns from; empty means all.
    """
    documents: dict[str, Published] = {}
    left_out: dict[str, Reason] = {}
    for uri, document in today.published.items():
        found = _policy(document, today)
        if isinstance(found, Reason):
            left_out[uri] = found
        elif domains and found.domain not in domains:
            left_out[uri] = Reason.DOMAIN
        else:
            documents[uri] = replace(document, policy=found)
    return Allowed(documents, left_out)


def _policy(document: Published, today: Today) -> Policy | Reason:
    """Today's policy of a document that may be learned from, or why it may not."""
    uri = document.uri
    unseen = _unseen(document, today)
    if unseen is not None:
        return unseen
    if document.source not in today.rules:
        return Reason.NO_RULE
    policy = _policy_at(uri, document.asked, today.rules)
    labels = labels_today(
        uri, sources=today.rules, newest=today.published.get, remembered=today.remembered
    )
    if policy is None or not labels:
        return Reason.WITHHELD
    refused = _refused(uri, today)
    if refused is not None:
        return refused
    if not trainable(policy, document.findings, today.rules).train:
        return Reason.FINDINGS
    return replace(policy, labels=tuple(sorted(labels)))


def _unseen(document: Published, today: Today) -> Reason | None:
    """Why nobody may see it, or not as it is; a version that failed may be the one that is shown."""
    uri, content_hash = document.uri, document.content_hash
    if today.taken_down.covers(uri, content_hash):
        return Reason.TAKEN_DOWN
    if uri in today.quarantined or content_hash in today.quarantined:
        return Reason.QUARANTINED
    now = today.remembered(uri)
    asked = (document.asked, now.asked if now else None)
    if any(withheld_by_age(document.policy.domain, one, today.rules) for one in asked):
        return Reason.EXPIRED
    return Reason.WITHHELD if uri in today.withheld else None


def _refused(uri: str, today: Today) -> Reason | None:
    """Who forbids to learn from it: a rule, or a version of its front matter.

    Where its bytes have moved to since, what holds there counts as well.
    """
    asked: list[FrontMatter | None] = []
    for at in ways(uri, today):
        source, path = split_uri(at)
        if source not in today.rules:
            return Reason.NO_RULE
        if not granted(today.rules[source], path).train:
            return Reason.RULE
        here, now = today.published.get(at), today.remembered(at)
        asked += [here.asked] if here else []
        asked += [now.asked] if now else []
    if any(one is not None and one.train is False for one in asked):
        return Reason.FRONT_MATTER
    return None


def _policy_at(uri: str, asked: FrontMatter | None, rules: Rules) -> Policy | None:
    """What holds at a uri for what a document asks; None where it asks for too much."""
    source, path = split_uri(uri)
    settings = rules[source]
    policy = narrowed(granted(settings, path), asked, own_domains=settings.own_domains)
    return None if isinstance(policy, Failure) else policy

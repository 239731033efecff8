"""Which documents of a published state nobody may see today, whatever their rows say."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from pipelines.planning.access import (
    NOBODY,
    Labels,
    Policy,
    Rules,
    granted,
    narrowed,
    shared,
    shows_beyond,
    withheld_by_age,
)
from pipelines.planning.records import Published, Remembered
from pipelines.records import Failure, FrontMatter


@dataclass(frozen=True, slots=True)
class TakenDown:
    """What people took down and did not lift."""

    uris: frozenset[str] = frozenset()
    hashes: frozenset[str] = frozenset()

    def covers(self, uri: str, content_hash: str) -> bool:
        """Whether a document version is taken down, by its uri or by its bytes."""
        return uri in self.uris or content_hash in self.hashes


def split_uri(uri: str) -> tuple[str, str]:
    """A uri -> (source name, path)."""
    source, _, path = uri.partition("/")
    return source, path


def labels_today(
    uri: str,
    *,
    sources: Rules,
    newest: Callable[[str], Published | None],
    remembered: Callable[[str], Remembered | None],
    known: "dict[_Case, Labels] | None" = None,
) -> Labels:
    """The labels that ``uri`` carries today.

    Where the configuration has no rule for it, its row in the newest state is the rule: a source
    that left is held, not widened. Without either nobody may see it.

    Args:
        uri: The document.
        sources: What the configuration grants today.
        newest: The row of a uri in the newest state, where it has one.
        remembered: What is known of the newest version of a uri, which may be in quarantine or
            waiting: it may narrow what the published version asked for, never widen it.
        known: What was found out for other documents under the same rules; is added to.
    """
    known = {} if known is None else known
    labels = _labels_of(uri, sources, newest(uri), remembered(uri), known)
    followed = {uri}
    at = remembered(uri)
    while at is not None and at.moved_to is not None and at.moved_to not in followed:
        followed.add(at.moved_to)
        next_ = remembered(at.moved_to)
        labels = shared(labels, _labels_of(at.moved_to, sources, newest(at.moved_to), next_, known))
        at = next_
    return labels


def _labels_of(
    uri: str,
    sources: Rules,
    newest: Published | None,
    remembered: Remembered | None,
    known: "dict[_Case, Labels]",
) -> Labels:
    if remembered is not None and remembered.withhold:
        return NOBODY
    name, grant = _grant(uri, sources, newest)
    if grant is None:
        return NOBODY
    case = (grant, name, _asked(newest), _asked(remembered))
    if case not in known:
        known[case] = _labels_under(sources, *case)
    return known[case]


_Asked = tuple[FrontMatter | None] | None
"""What a version asks; None where there is no such version."""
_Case = tuple[Policy, str, _Asked, _Asked]
"""What labels hang on: the grant, the source, what the newest version and the known one ask."""


def _asked(version: Published | Remembered | None) -> _Asked:
    return None if version is None else (version.asked,)


def _grant(uri: str, sources: Rules, newest: Published | None) -> tuple[str, Policy | None]:
    """The name of its source, and what it is granted at the most."""
    name, path = split_uri(uri)
    if name in sources:
        return name, granted(sources[name], path)
    return name, None if newest is None else newest.policy


def _labels_under(
    sources: Rules, grant: Policy, name: str, newest: _Asked, remembered: _Asked
) -> Labels:
    said = [*(newest or ()), *(remembered or ())]
    if any(_is_past(name, grant.domain, asked, sources) for asked in said):
        return NOBODY
    # The row of a source that left is what is granted, cut down by what it asks already.
    asks = [None, *(remembered or ())] if name not in sources else said
    labels: Labels | None = None
    for asked in asks:
        policy = narrowed(grant, None if asked is None else replace(asked, domain=None))
        if isinstance(policy, Failure):
            return NOBODY
        labels = frozenset(policy.labels) if labels is None else shared(labels, policy.labels)
    return NOBODY if labels is None else labels


def _is_past(source: str, domain: str, asked: FrontMatter | None, rules: Rules) -> bool:
    """Whether it is past its ``valid_until`` under the domain that it has or chose for itself."""
    chosen = asked.domain if asked is not None else None
    if chosen is not None and source in rules and chosen in rules[source].own_domains:
        domain = chosen
    return withheld_by_age(domain, asked, rules)


def withheld_uris(
    named: Iterable[Published],
    *,
    sources: Rules,
    newest: Mapping[str, Published],
    remembered: Callable[[str], Remembered | None],
    taken_down: TakenDown,
) -> frozenset[str]:
    """What the named state shows beyond today's labels, plus open take-downs.

    Args:
        named: The documents of the state that readers are to see.
        sources: What the configuration grants today.
        newest: The documents of the newest state, by uri.
        remembered: What is known of the newest version of a uri.
        taken_down: Open take-downs.
    """
    known: dict[_Case, Labels] = {}

    def is_beyond(document: Published) -> bool:
        today = labels_today(
            document.uri, sources=sources, newest=newest.get, remembered=remembered, known=known
        )
        return shows_beyond(document.policy.labels, today)

    return frozenset(
        document.uri
        for document in named
        if taken_down.covers(document.uri, document.content_hash) or is_beyond(document)
    )

"""Which documents of a published state nobody may see today, whatever their rows say."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from pipelines.planning.access import (
    NOBODY,
    Labels,
    SourceRules,
    granted,
    narrowed,
    shared,
    shows_beyond,
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
    sources: Mapping[str, SourceRules],
    newest: Published | None,
    remembered: Remembered | None,
) -> Labels | None:
    """The labels that ``uri`` carries today; None where the configuration has no rule for it.

    Args:
        uri: The document.
        sources: The configuration's sources by name.
        newest: Its row in the newest state, where it has one.
        remembered: What is known of its newest version, which may be in quarantine or waiting:
            it may narrow what the published version asked for, never widen it.
    """
    name, path = split_uri(uri)
    if name not in sources:
        return None
    if remembered is not None and remembered.withhold:
        return NOBODY
    asks: list[FrontMatter | None] = []
    if newest is not None:
        asks.append(newest.asked)
    if remembered is not None:
        asks.append(remembered.asked)
    settings = sources[name]
    labels: Labels | None = None
    for asked in asks:
        labels_only = None if asked is None else replace(asked, domain=None)
        policy = narrowed(granted(settings, path), labels_only)
        if isinstance(policy, Failure):
            return NOBODY
        labels = frozenset(policy.labels) if labels is None else shared(labels, policy.labels)
    return NOBODY if labels is None else labels


def withheld_uris(
    named: Iterable[Published],
    *,
    sources: Mapping[str, SourceRules],
    newest: Mapping[str, Published],
    remembered: Callable[[str], Remembered | None],
    taken_down: TakenDown,
) -> frozenset[str]:
    """What the named state shows beyond today's labels, plus open take-downs.

    Args:
        named: The documents of the state that readers are to see.
        sources: The configuration's sources by name.
        newest: The documents of the newest state, by uri.
        remembered: What is known of the newest version of a uri.
        taken_down: Open take-downs.
    """
    return frozenset(
        document.uri
        for document in named
        if taken_down.covers(document.uri, document.content_hash)
        or _is_beyond(document, sources, newest.get(document.uri), remembered(document.uri))
    )


def _is_beyond(
    document: Published,
    sources: Mapping[str, SourceRules],
    newest: Published | None,
    remembered: Remembered | None,
) -> bool:
    today = labels_today(document.uri, sources=sources, newest=newest, remembered=remembered)
    if today is None:  # its source left the configuration: a hold decides, unless it comes back
        return newest is None
    return shows_beyond(document.policy.labels, today)

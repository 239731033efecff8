"""Finds texts of people's own that quote a document which no model may learn from."""

from collections.abc import Iterable

from pipelines.training.texts import words

RUN = 8
"""So many words in a row are no accident; a shorter text quotes only what is no longer itself."""


def quoting(
    texts: Iterable[str], *, forbidden: Iterable[str], permitted: Iterable[str]
) -> frozenset[str]:
    """Those that have a run of words in common with what is forbidden, and with nothing permitted.

    Args:
        texts: Of people's own.
        forbidden: Passages of documents that may not be learned from.
        permitted: Passages of those that may: what stands there as well may be learned.
    """
    runs = {text: _runs(text) for text in texts}
    asked = frozenset().union(*runs.values())
    # Few texts are people's own, passages are many: only runs of the few are kept in memory.
    secret = _among(asked, forbidden)
    secret -= _among(secret, permitted)
    return frozenset(text for text, own in runs.items() if own & secret)


def _among(asked: Iterable[tuple[str, ...]], passages: Iterable[str]) -> set[tuple[str, ...]]:
    wanted, found = frozenset(asked), set[tuple[str, ...]]()
    if wanted:
        for passage in passages:
            found |= wanted & _runs(passage)
    return found


def _runs(text: str) -> frozenset[tuple[str, ...]]:
    said = words(text)
    if not said:
        return frozenset()
    return frozenset(tuple(said[at : at + RUN]) for at in range(max(1, len(said) - RUN + 1)))

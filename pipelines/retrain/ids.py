"""Ids of documents that are kept when a document moves, so that a document stays in its bucket."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from pipelines.training.records import digest


@dataclass(frozen=True, slots=True)
class Former:
    """A document of the version before."""

    id: str
    uri: str
    content_hash: str
    texts: frozenset[str] = field(default_factory=frozenset)
    """Hashes of its passages."""


def stable_ids(
    documents: Mapping[str, str],
    texts: Mapping[str, Collection[str]],
    former: Iterable[Former],
    *,
    standing: Collection[str],
) -> dict[str, str]:
    """The id of each document: that which it had, also under a former uri, else a new one. Pure.

    A uri that is new inherits from one that is gone where the bytes are the same, or more than half
    of its passages.

    Args:
        documents: Uri -> content hash.
        texts: Uri -> hashes of its passages.
        former: The documents of the version before.
        standing: All uris that are published, learned from or not: these are not gone.

    Returns:
        Uri -> id; no id twice, and none that another document had in the version before.
    """
    known = {one.uri: one for one in former}
    ids = {uri: known[uri].id for uri in documents if uri in known}
    gone = [one for uri, one in sorted(known.items()) if uri not in standing]
    fresh = sorted(documents.keys() - known.keys())
    ids |= _moved(fresh, documents, texts, gone)
    taken = {one.id for one in known.values()} | set(ids.values())
    for uri in fresh:
        if uri not in ids:
            ids[uri] = _new(uri, taken)
            taken.add(ids[uri])
    return ids


def needs_texts(
    documents: Mapping[str, str], former: Iterable[Former], standing: Collection[str]
) -> bool:
    """Whether a document may have moved and changed: only then the former passages are asked."""
    known = {one.uri for one in former}
    return bool(documents.keys() - known) and bool(known - set(standing))


def _moved(
    fresh: Iterable[str],
    documents: Mapping[str, str],
    texts: Mapping[str, Collection[str]],
    gone: Iterable[Former],
) -> dict[str, str]:
    left = {one.uri: one for one in gone}
    by_hash: dict[str, list[str]] = defaultdict(list)
    by_text: dict[str, list[str]] = defaultdict(list)
    for one in left.values():
        by_hash[one.content_hash].append(one.uri)
        for text in one.texts:
            by_text[text].append(one.uri)
    ids: dict[str, str] = {}
    fresh = list(fresh)
    for uri in fresh:
        same = next((old for old in by_hash[documents[uri]] if old in left), None)
        if same is not None:
            ids[uri] = left.pop(same).id
    for uri in fresh:
        like = None if uri in ids else _likest(set(texts.get(uri, ())), by_text, left)
        if like is not None:
            ids[uri] = left.pop(like).id
    return ids


def _likest(
    texts: set[str], by_text: Mapping[str, Collection[str]], left: Mapping[str, Former]
) -> str | None:
    shared: dict[str, int] = defaultdict(int)
    for text in texts:
        for uri in by_text.get(text, ()):
            if uri in left:
                shared[uri] += 1
    best = min(shared, key=lambda uri: (-shared[uri], uri), default=None)
    return best if best is not None and shared[best] > len(texts) / 2 else None


def _new(uri: str, taken: Collection[str]) -> str:
    """Of the uri alone where it can be, so that two models know a document by the same id."""
    number = 0
    while (name := digest(uri, *([str(number)] if number else []))) in taken:
        number += 1
    return name

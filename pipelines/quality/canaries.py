"""Golden questions as canaries: does each still find its document in what is to be published."""

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.errors import ConfigError, EmbedderMismatch
from pipelines.knowledge import Store
from pipelines.knowledge.canary_vectors import canary_vectors, keep_canary_vectors
from pipelines.quality.measure import Measures
from pipelines.records import Encoder, Vectors

KEYS = ("id", "question", "uri")


@dataclass(frozen=True, slots=True)
class Canary:
    """A question whose answer stands in a known document."""

    id: str
    question: str
    uri: str
    answer: str = ""
    """Words of the passage that answers it, where the file says them."""


@dataclass(frozen=True, slots=True)
class Recall:
    """How many canaries of a source count, and how many of them find their document."""

    canaries: int = 0
    before: int = 0
    after: int = 0


@dataclass(frozen=True, slots=True)
class Mend:
    """A canary that does not count until somebody looks after it."""

    id: str
    uri: str
    why: str


def read_canaries(folder: Path) -> tuple[Canary, ...]:
    """The canaries of all ``*.jsonl`` of a folder, by file name; none where it is missing.

    Raises:
        ConfigError: A line is no object with the texts ``id``, ``question`` and ``uri``, or its id
            was used before; names file and line.
    """
    canaries: dict[str, Canary] = {}
    places: dict[str, str] = {}
    for place, text in _lines(folder):
        canary = _canary(place, text)
        if canary.id in canaries:
            raise _wrong(place, f"the id {canary.id!r} is that of {places[canary.id]} too")
        canaries[canary.id], places[canary.id] = canary, place
    return tuple(canaries.values())


def _lines(folder: Path) -> Iterator[tuple[str, str]]:
    for path in sorted(folder.glob("*.jsonl")) if folder.is_dir() else ():
        try:
            text = path.read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"The golden questions in {path} cannot be read: {error}.") from error
        # Not splitlines: JSON may hold characters that it takes for the end of a line.
        for number, line in enumerate(text.split("\n"), start=1):
            if line.strip():
                yield f"{path}, line {number}", line


def _canary(place: str, text: str) -> Canary:
    try:
        said: Any = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _wrong(place, f"it is not JSON ({error})") from error
    if not isinstance(said, dict):
        raise _wrong(place, "it is not an object")
    for key in KEYS:
        if not isinstance(said.get(key), str) or not said[key].strip():
            raise _wrong(place, f"{key} is missing or not a text")
        if not _is_utf8(said[key]):
            raise _wrong(place, f"{key} holds half a surrogate pair")
    return Canary(**{key: said[key] for key in KEYS}, answer=_answer(said.get("answer")))


def _answer(said: Any) -> str:
    return said if isinstance(said, str) and _is_utf8(said) else ""


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _wrong(place: str, what: str) -> ConfigError:
    return ConfigError(
        f"{place}: {what}.",
        hint='A golden question is a line {"id": ..., "question": ..., "uri": ...}.',
    )


def question_vectors(
    store: Store,
    fingerprint: str,
    canaries: Sequence[Canary],
    encoder: Callable[[], Encoder],
    *,
    now: datetime,
) -> Vectors:
    """The questions as vectors, ``(n, d)`` float32 of unit norm, ``(0, 0)`` of none.

    Args:
        store: Keeps what was embedded before.
        fingerprint: Of the embedder that made the passages.
        canaries: The questions.
        encoder: Called when a question was never embedded, and not before.
        now: The time to record.

    Raises:
        ConfigError: A question is too long for the embedder; names it by its id.
        EmbedderMismatch: The encoder is another one than the fingerprint says.
    """
    if not canaries:
        return np.empty((0, 0), dtype=np.float32)
    vectors = canary_vectors(store, fingerprint, [canary.question for canary in canaries])
    missing = {c.question: c for c in canaries if c.question not in vectors}
    if missing:
        fresh = _embedded(encoder(), fingerprint, missing)
        keep_canary_vectors(store, fingerprint, fresh, now=now)
        vectors |= fresh
    return np.stack([vectors[canary.question] for canary in canaries])


def _embedded(
    encoder: Encoder, fingerprint: str, missing: Mapping[str, Canary]
) -> dict[str, Vectors]:
    if encoder.fingerprint != fingerprint:
        raise EmbedderMismatch(
            "The embedder that is loaded is not the one that made the store's vectors.",
            hint="Bring back the weights of the embedder that the store names.",
        )
    fresh: dict[str, Vectors] = {}
    for question, canary in missing.items():
        try:
            fresh[question] = encoder.encode_query(question)
        except ConfigError as error:
            raise ConfigError(
                f"Golden question {canary.id}: {error.message}", hint=error.hint
            ) from error
    return fresh


def recalls(
    canaries: Sequence[Canary],
    before: Measures,
    after: Measures,
    *,
    moves: Mapping[str, str],
    moved_earlier: Mapping[str, str],
    accepted: Collection[str] = frozenset(),
) -> tuple[dict[str, Recall], tuple[Mend, ...]]:
    """What the canaries of each source find, before and after.

    A canary counts if its document is in both versions, may be read in both, and nobody accepted
    what became of it.

    Args:
        canaries: In the order in which both were measured.
        before: The published state.
        after: The candidate.
        moves: What this run moves, former uri -> uri.
        moved_earlier: Where documents went in earlier runs, former uri -> uri.
        accepted: Uris, former and new, whose change a person let through.

    Returns:
        By source of the published document, and those to mend, in the order given.
    """
    found: dict[str, Recall] = {}
    mend: list[Mend] = []
    for canary, tops in zip(canaries, zip(before.tops, after.tops, strict=True), strict=True):
        old = _published_as(canary.uri, before.documents, moves, moved_earlier)
        new = moves.get(old, old)
        if {old, new, canary.uri} & set(accepted):
            continue
        why = _why_not(old, new, before, after)
        if why is not None:
            mend.append(Mend(canary.id, canary.uri, why))
            continue
        source = before.documents[old][0]
        so_far = found.get(source, Recall())
        hits = old in tops[0], new in tops[1]
        found[source] = Recall(so_far.canaries + 1, so_far.before + hits[0], so_far.after + hits[1])
    return found, tuple(mend)


def _published_as(
    uri: str, published: Collection[str], moves: Mapping[str, str], earlier: Mapping[str, str]
) -> str:
    """The uri that a canary's document has in the published state, or the last one known."""
    passed: set[str] = set()
    while uri not in published and uri in earlier and uri not in passed:
        passed.add(uri)
        uri = earlier[uri]
    if uri in published:
        return uri
    former = [old for old, new in moves.items() if new == uri and old in published]
    return min(former, default=uri)


def _why_not(old: str, new: str, before: Measures, after: Measures) -> str | None:
    if new not in after.documents:
        return "its document is not there" if old not in before.documents else "its document goes"
    if old not in before.documents:
        return "its document is new: it counts from the next publication on"
    if old in before.withheld or new in after.withheld:
        return "its document is withheld"
    return None

"""One pass over a version's vectors: what a publication is compared by, with the one before."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.knowledge import State, Store
from pipelines.knowledge.compare import rows_of_texts, streamed
from pipelines.records import Vectors

Floats = npt.NDArray[np.float64]

TOP = 10
"""Passages that a golden question may find its document among."""
MOVED = 1e-4
"""What a vector must have moved along one random direction to be looked at: rounding does less."""
WORST = 500
"""Vectors of a source that are looked at, those that moved most."""
COLUMNS = ("uri", "source", "text_hash", "vector")


@dataclass(frozen=True, slots=True)
class Sum:
    """The unit vectors of a source's passages, added up."""

    rows: int
    total: Floats
    """``(d,)``"""


@dataclass(frozen=True, slots=True)
class Prints:
    """What tells whether a text kept its vector: about 50 bytes a passage."""

    hashes: npt.NDArray[np.bytes_]
    """Of the embedded texts, ``(n,)``."""
    sources: npt.NDArray[np.object_]
    """``(n,)``"""
    shadows: Floats
    """Each vector's length along one random direction, ``(n,)``."""


@dataclass(frozen=True, slots=True)
class Measures:
    """What one pass over a state saw."""

    state: State
    documents: Mapping[str, tuple[str, int]]
    """By uri: source and passages."""
    sums: Mapping[str, Sum]
    """By source, without passages that are no finite vector and without documents set apart."""
    tops: tuple[frozenset[str], ...]
    """For each question the documents of its nearest passages."""
    withheld: frozenset[str]
    """Uris that no question finds."""
    prints: Prints


_remembered: dict[tuple[object, ...], Measures] = {}
"""What was measured last: of a process that refreshes again and again, what is published now."""


def measure_published(
    store: Store,
    state: State,
    *,
    questions: Vectors | None,
    withheld: Iterable[str],
    apart: Iterable[str],
) -> Measures:
    """As ``measure``, of a state that this process may have measured when it was a candidate.

    The rows of a state never change, so that what was measured of them holds.
    """
    withheld, apart = frozenset(withheld), frozenset(apart)
    known = _remembered.get(_key(store, state, questions, withheld, apart))
    if known is not None:
        return known
    return measure(store, state, questions=questions, withheld=withheld, apart=apart)


def _key(
    store: Store,
    state: State,
    questions: Vectors | None,
    withheld: frozenset[str],
    apart: frozenset[str],
) -> tuple[object, ...]:
    asked = None if questions is None else questions.tobytes()
    return (store.uri, state, asked, withheld, apart)


def measure(
    store: Store,
    state: State,
    *,
    questions: Vectors | None = None,
    withheld: Iterable[str] = (),
    apart: Iterable[str] = (),
) -> Measures:
    """Reads every vector of a state once.

    Holds a batch of rows, about 50 bytes a passage and 200 a document; no texts, no vectors.

    Args:
        store: The store.
        state: The table version.
        questions: Golden questions, ``(q, d)`` float32 of unit norm.
        withheld: Uris that no question finds, as in the publication of that state.
        apart: Uris whose vectors are left out of the sums: a person accepted what became of them.
    """
    dimension = store.at(*state).schema.field("vector").type.list_size
    asked = np.empty((0, dimension), np.float32) if questions is None else questions
    withheld, apart = frozenset(withheld), frozenset(apart)
    seen = _Pass(dimension, _Nearest(asked), withheld, apart)
    for batch in streamed(store, state, COLUMNS):
        if batch.num_rows:
            seen.add(batch)
    measured = Measures(
        state=state,
        documents=seen.documents,
        sums={name: Sum(seen.rows[name], total) for name, total in seen.totals.items()},
        tops=seen.nearest.documents(),
        withheld=seen.withheld,
        prints=_joined(seen.prints),
    )
    _remembered.clear()
    _remembered[_key(store, state, questions, withheld, apart)] = measured
    return measured


class _Nearest:
    """The ``TOP`` best passages of each question so far."""

    def __init__(self, questions: Vectors) -> None:
        self._questions = questions
        self._scores = np.full((len(questions), TOP), -np.inf, dtype=np.float32)
        self._uris = np.full((len(questions), TOP), "", dtype=object)

    @property
    def asked(self) -> bool:
        """Whether there are questions."""
        return bool(len(self._questions))

    def add(self, unit: Vectors, uris: npt.NDArray[np.object_]) -> None:
        if not len(uris):
            return
        scores = self._questions @ unit.T
        best = _highest(scores)
        merged = np.hstack([self._scores, np.take_along_axis(scores, best, axis=1)])
        named = np.hstack([self._uris, uris[best]])
        best = _highest(merged)
        self._scores = np.take_along_axis(merged, best, axis=1)
        self._uris = np.take_along_axis(named, best, axis=1)

    def documents(self) -> tuple[frozenset[str], ...]:
        return tuple(frozenset(row.tolist()) - {""} for row in self._uris)


def _highest(scores: Vectors) -> npt.NDArray[np.intp]:
    most = min(TOP, scores.shape[1])
    return np.argpartition(-scores, most - 1, axis=1)[:, :most]


@dataclass(slots=True)
class _Pass:
    dimension: int
    nearest: _Nearest
    withheld: frozenset[str]
    apart: frozenset[str]
    documents: dict[str, tuple[str, int]] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)
    totals: dict[str, Floats] = field(default_factory=dict)
    prints: list[Prints] = field(default_factory=list)

    def add(self, batch: pa.RecordBatch) -> None:
        uris, sources = (_names(batch, name) for name in ("uri", "source"))
        matrix, lengths = _measured(batch)
        self._count(uris, sources)
        self.prints.append(_printed(batch, matrix, sources))
        good = lengths > 0
        weights = np.divide(1.0, lengths, out=np.zeros_like(lengths), where=good)
        self._sum(matrix, weights, sources, good & ~_among(batch, self.apart))
        if self.nearest.asked:
            shown = good & ~_among(batch, self.withheld)
            unit = matrix[shown] * weights[shown, None]
            self.nearest.add(unit.astype(np.float32), uris[shown])

    def _count(self, uris: npt.NDArray[np.object_], sources: npt.NDArray[np.object_]) -> None:
        names, first, counts = np.unique(uris, return_index=True, return_counts=True)
        for uri, source, count in zip(names, sources[first], counts.tolist(), strict=True):
            known, before = self.documents.get(uri, (source, 0))
            self.documents[uri] = (known, before + count)

    def _sum(
        self,
        matrix: Vectors,
        weights: Floats,
        sources: npt.NDArray[np.object_],
        counted: npt.NDArray[np.bool_],
    ) -> None:
        """Adds up unit vectors as a product of weights and vectors, which makes no copy of them."""
        for source in set(sources.tolist()):
            mine = counted & (sources == source)
            total = self.totals.get(source, np.zeros(self.dimension))
            self.totals[source] = total + np.where(mine, weights, 0).astype(np.float32) @ matrix
            self.rows[source] = self.rows.get(source, 0) + int(mine.sum())


def _names(batch: pa.RecordBatch, column: str) -> npt.NDArray[np.object_]:
    """One text a row, ``(n,)``; rows of one text share it."""
    encoded = batch.column(column).dictionary_encode()
    names = np.array(encoded.dictionary.to_pylist(), dtype=object)
    return np.asarray(names[encoded.indices.to_numpy()])


def _among(batch: pa.RecordBatch, uris: Collection[str]) -> npt.NDArray[np.bool_]:
    found = pc.is_in(batch.column("uri"), value_set=pa.array(sorted(uris), pa.string()))
    return np.asarray(found.to_numpy(zero_copy_only=False), dtype=bool)


def _measured(batch: pa.RecordBatch) -> tuple[Vectors, Floats]:
    """Vectors ``(n, d)`` and their lengths; zeros and length 0 for what has no direction."""
    flat = batch.column("vector").flatten().to_numpy(zero_copy_only=False)
    matrix = flat.reshape(batch.num_rows, -1)
    with np.errstate(over="ignore", invalid="ignore"):
        squares: Vectors = np.einsum("ij,ij->i", matrix, matrix)
    lengths: Floats = np.sqrt(squares.astype(np.float64))
    doubtful = np.flatnonzero(~np.isfinite(lengths) | (lengths == 0))
    if doubtful.size:  # not finite; or too large or too small to be squared in float32
        exact = matrix[doubtful].astype(np.float64)
        broken = ~np.isfinite(exact).all(axis=1)
        exact[broken] = 0.0
        lengths[doubtful] = np.linalg.norm(exact, axis=1)
        matrix = matrix.copy()
        matrix[doubtful[broken]] = 0.0
    return matrix, lengths


def _printed(batch: pa.RecordBatch, matrix: Vectors, sources: npt.NDArray[np.object_]) -> Prints:
    hashes = batch.column("text_hash").cast(pa.binary()).to_numpy(zero_copy_only=False)
    direction = np.asarray(np.random.default_rng(0).standard_normal(matrix.shape[1]), np.float32)
    shadows: Floats = np.asarray(matrix @ direction, dtype=np.float64)
    return Prints(hashes.astype(np.bytes_), sources, shadows)


def _joined(parts: list[Prints]) -> Prints:
    if not parts:
        empty = np.empty(0, dtype=object)
        return Prints(empty.astype(np.bytes_), empty, np.empty(0))
    return Prints(
        np.concatenate([part.hashes for part in parts]),
        np.concatenate([part.sources for part in parts]),
        np.concatenate([part.shadows for part in parts]),
    )


def unexplained_shift(store: Store, before: Measures, after: Measures) -> dict[str, float]:
    """How far vectors moved whose text stayed: by source the largest cosine distance.

    All passages are looked at by their prints; of those that moved, the worst ``WORST`` of each
    source are read. Only for two states of one embedder.

    Returns:
        Distances between 0 and 2; 2 for what is no longer a finite vector. A source without
        passages whose text both states have is absent.
    """
    here, moved = _moved(before.prints, after.prints)
    shifts = dict.fromkeys(after.prints.sources[here].tolist(), 0.0)
    for source in shifts:
        suspects = np.flatnonzero((after.prints.sources == source) & (moved > MOVED))
        worst = suspects[np.argsort(-moved[suspects])][:WORST]
        if worst.size:
            hashes = [text_hash.decode() for text_hash in after.prints.hashes[worst].tolist()]
            shifts[source] = _largest(store, before, after, source, hashes)
    return shifts


def _moved(before: Prints, after: Prints) -> tuple[npt.NDArray[np.intp], Floats]:
    """Rows of ``after`` whose text ``before`` has, and how far the shadow of each row moved."""
    moved = np.zeros(len(after.hashes))
    if not before.hashes.size:
        return np.empty(0, dtype=np.intp), moved
    order = np.argsort(before.hashes, kind="stable")
    hashes, starts = np.unique(before.hashes[order], return_index=True)
    lowest = np.minimum.reduceat(before.shadows[order], starts)
    highest = np.maximum.reduceat(before.shadows[order], starts)
    at = np.minimum(np.searchsorted(hashes, after.hashes), len(hashes) - 1)
    here = np.flatnonzero(hashes[at] == after.hashes)
    shadows, at = after.shadows[here], at[here]
    moved[here] = np.maximum(np.maximum(lowest[at] - shadows, shadows - highest[at]), 0.0)
    return here, moved


def _largest(
    store: Store, before: Measures, after: Measures, source: str, hashes: list[str]
) -> float:
    old = _vectors_by_text(rows_of_texts(store, before.state, hashes))
    rows = rows_of_texts(store, after.state, hashes)
    new = _vectors_by_text(rows.filter(pc.equal(rows["source"], source)))
    pairs = [(old[text_hash], vectors) for text_hash, vectors in new.items() if text_hash in old]
    return max((_distance(there, vector) for there, here in pairs for vector in here), default=0.0)


def _vectors_by_text(rows: pa.Table) -> dict[str, Floats]:
    """``(copies, d)`` of each text."""
    flat = rows["vector"].combine_chunks().flatten().to_numpy(zero_copy_only=False)
    matrix = flat.reshape(rows.num_rows, -1).astype(np.float64)
    by_text: dict[str, list[int]] = {}
    for number, text_hash in enumerate(rows["text_hash"].to_pylist()):
        by_text.setdefault(text_hash, []).append(number)
    return {text_hash: matrix[numbers] for text_hash, numbers in by_text.items()}


def _distance(before: Floats, vector: Floats) -> float:
    """From a vector to the nearest of some, by cosine."""
    with np.errstate(invalid="ignore", divide="ignore"):
        cosines = before @ vector / (np.linalg.norm(before, axis=1) * np.linalg.norm(vector))
    return float(np.clip(1.0 - np.nan_to_num(cosines, nan=-1.0).max(), 0.0, 2.0))

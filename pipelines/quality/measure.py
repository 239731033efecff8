"""One pass over a version's vectors: what a publication is compared by, with the one before.

Where the one before is another version of the same table, only rows that not both have are read.
"""

import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.knowledge import State, Store
from pipelines.knowledge.compare import ROWS, rows_of_texts, streamed
from pipelines.knowledge.places import Addresses, Places, differing, places, read_rows
from pipelines.records import Vectors

Floats = npt.NDArray[np.float64]

TOP = 10
"""Passages that a golden question may find its document among."""
MOVED = 1e-4
"""What a vector must have moved along one random direction to be looked at: rounding does less."""
WORST = 500
"""Vectors of a source that are looked at, those that moved most."""
COLUMNS = ("uri", "source", "text_hash", "vector")
_ROW = "_rowid"
AGAIN_SECONDS = 3600.0
"""How long a process goes on from what it read before: then it reads every vector again."""
_MOST = 8
"""Where more than every eighth row differs, all are read."""


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
    rows: Addresses
    """Where each stands, ``(n,)``."""

    def only(self, which: npt.NDArray[np.bool_] | npt.NDArray[np.intp]) -> "Prints":
        """Some of them."""
        return Prints(*(getattr(self, one.name)[which] for one in fields(Prints)))


@dataclass(frozen=True, slots=True)
class Measures:
    """What one pass over a state saw."""

    state: State
    documents: Mapping[str, tuple[str, int]]
    """By uri: source and passages."""
    sums: Mapping[str, Sum]
    """By source, without passages that are no finite vector and without documents set apart."""
    nearest: "Nearest"
    """Of each question the best passages."""
    withheld: frozenset[str]
    """Uris that no question finds."""
    apart: frozenset[str]
    """Uris that are not in the sums."""
    prints: Prints
    places: Places
    read_at: float
    """When all its rows were read, as a clock that only goes forward says."""

    @property
    def tops(self) -> tuple[frozenset[str], ...]:
        """For each question the documents of its nearest passages."""
        return tuple(frozenset(row.tolist()) - {""} for row in self.nearest.uris)


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
    if known is not None and time.monotonic() - known.read_at <= AGAIN_SECONDS:
        gone, added = differing(known.places, places(store.at(*state)))
        if not len(gone) and not len(added):  # else somebody put another store in its place
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
    since: Measures | None = None,
) -> Measures:
    """Reads every vector of a state once, or those that another one of its table lacks.

    Holds a batch of rows, about 100 bytes a passage and 200 a document; no texts, no vectors.

    Args:
        store: The store.
        state: The table version.
        questions: Golden questions, ``(q, d)`` float32 of unit norm.
        withheld: Uris that no question finds, as in the publication of that state.
        apart: Uris whose vectors are left out of the sums: a person accepted what became of them.
        since: Measures of another state, whose files are still there.
    """
    table = store.at(*state)
    dimension = table.schema.field("vector").type.list_size
    asked = np.empty((0, dimension), np.float32) if questions is None else questions
    withheld, apart = frozenset(withheld), frozenset(apart)
    seen = _Pass(dimension, Nearest.of(asked), withheld, apart)
    measured = None if since is None else _went_on(store, state, since, seen)
    if measured is None:
        for batch in streamed(store, state, COLUMNS, with_rows=True):
            seen.add(batch)
        measured = seen.measures(state, places(table), time.monotonic())
    _remembered.clear()
    _remembered[_key(store, state, questions, withheld, apart)] = measured
    return measured


def _went_on(store: Store, state: State, since: Measures, seen: "_Pass") -> Measures | None:
    """Measures of a state out of those of another one, by a pass that has seen nothing yet.

    Returns:
        None where all its rows are to be read; the pass has seen nothing then.
    """
    if since.state[0] != state[0] or not seen.asks_as(since):
        return None
    here = places(store.at(*state))
    gone, added = differing(since.places, here)
    if _MOST * (len(gone) + len(added)) > len(here.rows):
        return None
    less = _Pass(seen.dimension, Nearest.of(seen.nearest.questions[:0]), seen.withheld, seen.apart)
    for batch in _rows_at(store, since.state, gone):
        less.add(batch)
    if any(not top.isdisjoint(less.documents) for top in since.tops):
        return None  # who comes after one that was among the best is not known
    seen.nearest = replace(since.nearest)  # whose arrays are replaced, never written
    for batch in _rows_at(store, state, added):
        seen.add(batch)
    return _with(since, less, seen, gone).measures(state, here, since.read_at)


def _rows_at(store: Store, state: State, rows: Addresses) -> Iterator[pa.RecordBatch]:
    table = store.at(*state)
    for start in range(0, len(rows), ROWS):
        found = read_rows(table, rows[start : start + ROWS], COLUMNS)
        yield from found.combine_chunks().to_batches()


def _with(since: Measures, less: "_Pass", more: "_Pass", gone: Addresses) -> "_Pass":
    """What ``more`` saw and what ``since`` had, but for what went."""
    documents = dict(since.documents)
    for uri, (_, count) in less.documents.items():
        source, before = documents.pop(uri)
        if before > count:
            documents[uri] = (source, before - count)
    for uri, (source, count) in more.documents.items():
        documents[uri] = (source, documents.get(uri, (source, 0))[1] + count)
    none = np.zeros(more.dimension)
    totals, rows = {}, {}
    for source in {source for source, _ in documents.values()}:
        had = since.sums.get(source, Sum(0, none))
        rows[source] = had.rows - less.rows.get(source, 0) + more.rows.get(source, 0)
        totals[source] = had.total - less.totals.get(source, none) + more.totals.get(source, none)
    left = since.prints.only(~np.isin(since.prints.rows, gone))
    return replace(more, documents=documents, rows=rows, totals=totals, prints=[left, *more.prints])


@dataclass(slots=True)
class Nearest:
    """The ``TOP`` best passages of each question so far."""

    questions: Vectors
    scores: Vectors
    uris: npt.NDArray[np.object_]

    @classmethod
    def of(cls, questions: Vectors) -> "Nearest":
        """None so far."""
        scores = np.full((len(questions), TOP), -np.inf, dtype=np.float32)
        return cls(questions, scores, np.full((len(questions), TOP), "", dtype=object))

    @property
    def asked(self) -> bool:
        """Whether there are questions."""
        return bool(len(self.questions))

    def add(self, unit: Vectors, uris: npt.NDArray[np.object_]) -> None:
        """Looks at some more passages, ``(n, d)`` of unit norm, and the document of each."""
        if not len(uris):
            return
        scores = self.questions @ unit.T
        best = _highest(scores)
        merged = np.hstack([self.scores, np.take_along_axis(scores, best, axis=1)])
        named = np.hstack([self.uris, uris[best]])
        best = _highest(merged)
        self.scores = np.take_along_axis(merged, best, axis=1)
        self.uris = np.take_along_axis(named, best, axis=1)


def _highest(scores: Vectors) -> npt.NDArray[np.intp]:
    most = min(TOP, scores.shape[1])
    return np.argpartition(-scores, most - 1, axis=1)[:, :most]


@dataclass(slots=True)
class _Pass:
    dimension: int
    nearest: Nearest
    withheld: frozenset[str]
    apart: frozenset[str]
    documents: dict[str, tuple[str, int]] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)
    totals: dict[str, Floats] = field(default_factory=dict)
    prints: list[Prints] = field(default_factory=list)

    def asks_as(self, other: Measures) -> bool:
        """Whether it looks at rows as the pass did that another state was measured by."""
        return (
            self.withheld == other.withheld
            and self.apart == other.apart
            and np.array_equal(self.nearest.questions, other.nearest.questions)
        )

    def measures(self, state: State, places: Places, read_at: float) -> Measures:
        """What it saw."""
        return Measures(
            state=state,
            documents=self.documents,
            sums={name: Sum(self.rows[name], total) for name, total in self.totals.items()},
            nearest=self.nearest,
            withheld=self.withheld,
            apart=self.apart,
            prints=_joined(self.prints),
            places=places,
            read_at=read_at,
        )

    def add(self, batch: pa.RecordBatch) -> None:
        if not batch.num_rows:
            return
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
    return Prints(hashes.astype(np.bytes_), sources, shadows, batch.column(_ROW).to_numpy())


def _joined(parts: list[Prints]) -> Prints:
    if not parts:
        empty = np.empty(0, dtype=object)
        return Prints(empty.astype(np.bytes_), empty, np.empty(0), np.empty(0, np.uint64))
    columns = ([getattr(part, one.name) for part in parts] for one in fields(Prints))
    return Prints(*map(np.concatenate, columns))


def unexplained_shift(store: Store, before: Measures, after: Measures) -> dict[str, float]:
    """How far vectors moved whose text stayed: by source the largest cosine distance.

    All passages are looked at by their prints; of those that moved, the worst ``WORST`` of each
    source are read. Only for two states of one embedder.

    Returns:
        Distances between 0 and 2; 2 for what is no longer a finite vector. A source without
        passages whose text both states have is absent.
    """
    here, moved = _moved(before, after)
    shifts = dict.fromkeys(after.prints.sources[here].tolist(), 0.0)
    for source in shifts:
        suspects = np.flatnonzero((after.prints.sources == source) & (moved > MOVED))
        worst = suspects[np.argsort(-moved[suspects])][:WORST]
        if worst.size:
            hashes = [text_hash.decode() for text_hash in after.prints.hashes[worst].tolist()]
            shifts[source] = _largest(store, before, after, source, hashes)
    return shifts


def _moved(before: Measures, after: Measures) -> tuple[npt.NDArray[np.intp], Floats]:
    """Rows of ``after`` whose text ``before`` has, and how far the shadow of each row moved.

    What both have in one place did not move; what else there is is looked for by its text.
    """
    if before.state[0] != after.state[0]:
        return _moved_of(before.prints, after.prints)
    added = np.flatnonzero(np.isin(after.prints.rows, differing(before.places, after.places)[1]))
    new = after.prints.only(added)
    told = before.prints.only(np.isin(before.prints.hashes, np.unique(new.hashes)))
    here, far = _moved_of(told, new)
    moved = np.zeros(len(after.prints.rows))
    moved[added] = far
    known = np.ones(len(moved), dtype=bool)
    known[added] = False
    known[added[here]] = True
    return np.flatnonzero(known), moved


def _moved_of(before: Prints, after: Prints) -> tuple[npt.NDArray[np.intp], Floats]:
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

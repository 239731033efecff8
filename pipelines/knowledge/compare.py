"""Two versions of the chunks: the rows that one has and the other lacks, and streams to measure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.knowledge.generation import rows_with_texts
from pipelines.knowledge.ledger import State
from pipelines.knowledge.places import Addresses, differing, places, read_rows
from pipelines.knowledge.store import Store

ROWS = 4_096
"""Rows read at a time; a document that has more comes whole."""

_UNREAD = ("vector", "prefix", "text", "heading_path")
"""What a row has beside what tells it apart: the text hash stands for it."""
_ROW = "_rowid"
_ORDER = [("uri", "ascending"), ("position", "ascending")]


def changed_rows(
    store: Store, published: State | None, candidate: State, *, rows: int = ROWS
) -> Iterator[pa.Table]:
    """Rows of the candidate that the published version does not have, whole.

    Told apart by everything but their vectors and texts, for which their text hash stands. A row
    that the candidate has more often than the published version is given at least so many times
    more. A candidate in another generation has other vectors: all its rows are given.

    Args:
        store: The store.
        published: What readers see; None gives all rows.
        candidate: The version to check.
        rows: How many at a time, at the least; never half a document.

    Yields:
        Tables of the schema of the chunks, sorted by uri and position.
    """
    if published is not None and published[0] == candidate[0]:
        # What both have in one place is in both as often: it tells nothing apart.
        gone, added = differing(places(store.at(*published)), places(store.at(*candidate)))
        old, new = _told_apart(store, published, gone), _told_apart(store, candidate, added)
        _, more = _only_in(old.drop_columns([_ROW]), new.drop_columns([_ROW]))
        new = new.filter(pa.array(more))
        del old
    else:
        new = _told_apart(store, candidate)
    found = new.select(["uri", "position", _ROW]).sort_by(_ORDER)
    del new
    yield from rows_at(store, candidate, found, rows=rows)


@dataclass(frozen=True, slots=True)
class Difference:
    """What a chunk table must change to hold the documents of another state, whatever its vectors."""

    stale: frozenset[str]
    """Documents that it has otherwise, or that are gone."""
    places: pa.Table
    """Passages of the other state to be written, whole documents, in order: uri, position, text
    hash, tokens, and where each stands."""

    @property
    def tokens(self) -> int:
        """Of their texts, each counted once."""
        texts = self.places.group_by("text_hash").aggregate([("tokens", "max")])
        return int(pc.sum(texts["tokens_max"]).as_py() or 0)


def difference(store: Store, *, wanted: State, there: State | None) -> Difference:
    """Compares two states row by row, by everything but their vectors and texts.

    Args:
        store: The store.
        wanted: Whose documents are to be had.
        there: What is there so far, of the same generation or another; None is nothing.
    """
    new = _told_apart(store, wanted)
    old = new.slice(0, 0) if there is None else _told_apart(store, there)
    less, more = _only_in(old.drop_columns([_ROW]), new.drop_columns([_ROW]))
    other = set(new["uri"].filter(pa.array(more)).to_pylist())
    other |= set(old["uri"].filter(pa.array(less)).to_pylist())
    stale = other & set(old["uri"].unique().to_pylist())
    places = new.filter(pc.is_in(new["uri"], value_set=pa.array(sorted(other), pa.string())))
    places = places.select(["uri", "position", "text_hash", "tokens", _ROW])
    return Difference(frozenset(stale), places.sort_by(_ORDER))


def rows_at(store: Store, state: State, places: pa.Table, *, rows: int) -> Iterator[pa.Table]:
    """Whole rows of a state, some documents at a time.

    Args:
        store: The store.
        state: The state that the places were read from.
        places: As ``Difference`` has them.
        rows: How many at a time, at the least; never half a document.
    """
    table = store.at(*state)
    for part in _whole_documents(places, rows):
        taken: Any = table.take_row_ids(part[_ROW].to_pylist()).to_arrow()
        # In the order in which they are stored, whatever order was asked for.
        yield taken.select(table.schema.names).sort_by(_ORDER)


def _told_apart(store: Store, state: State, rows: Addresses | None = None) -> pa.Table:
    table = store.at(*state)
    names = [name for name in table.schema.names if name not in _UNREAD]
    return read_rows(table, rows, names)


def _only_in(old: pa.Table, new: pa.Table) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Which rows of each of two tables stand there more often than in the other."""
    keys = _keys(pa.concat_tables([old, new.select(old.column_names)]))
    _, codes = np.unique(keys, return_inverse=True)
    count = int(codes.max(initial=-1)) + 1
    first, second = codes[: old.num_rows], codes[old.num_rows :]
    before, after = (np.bincount(part, minlength=count) for part in (first, second))
    return (before > after)[first], (after > before)[second]


def _keys(rows: pa.Table) -> npt.NDArray[np.uint64]:
    """A number for each row: the same for the same values, else another, by all that chance may."""
    odd = np.random.default_rng(0).integers(2**63, size=rows.num_columns, dtype=np.uint64)
    keys = np.zeros(rows.num_rows, dtype=np.uint64)
    for factor, column in zip(odd * 2 + 1, rows.columns, strict=True):
        plain = pc.binary_join(column, "\x1f") if pa.types.is_list(column.type) else column
        codes = plain.combine_chunks().dictionary_encode().indices.fill_null(-1)
        keys += factor * codes.to_numpy(zero_copy_only=False).astype(np.uint64)
    return keys


def _whole_documents(places: pa.Table, rows: int) -> Iterator[pa.Table]:
    codes = places["uri"].combine_chunks().dictionary_encode().indices.to_numpy()
    ends = np.append(np.flatnonzero(np.diff(codes)) + 1, places.num_rows)
    start = 0
    while start < places.num_rows:
        at = min(int(np.searchsorted(ends, start + rows)), len(ends) - 1)
        yield places.slice(start, int(ends[at]) - start)
        start = int(ends[at])


def streamed(
    store: Store,
    state: State,
    columns: Sequence[str],
    *,
    rows: int = ROWS,
    with_rows: bool = False,
) -> Iterator[pa.RecordBatch]:
    """All rows of a state, at the most so many at a time; with ``_rowid`` where each stands."""
    search = store.at(*state).search().select(list(columns))
    yield from search.with_row_id(with_rows).to_batches(rows)


def rows_of_texts(
    store: Store,
    state: State,
    text_hashes: Sequence[str],
    columns: Sequence[str] = ("text_hash", "source", "vector"),
) -> pa.Table:
    """Some columns of every row that has one of some texts."""
    parts = list(rows_with_texts(store, state, text_hashes, columns))
    none = store.at(*state).search().where("false").select(list(columns))
    return pa.concat_tables(parts or [none.to_arrow()])

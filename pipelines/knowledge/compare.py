"""Two versions of the chunks: the rows that one has and the other lacks, and streams to measure."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.knowledge import tables
from pipelines.knowledge.generation import SLICE
from pipelines.knowledge.ledger import State
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

    Told apart by everything but their vectors and texts, for which their text hash stands. Of a
    row that the candidate has more often than the published version all are given. A candidate in
    another generation has other vectors: all its rows are given.

    Args:
        store: The store.
        published: What readers see; None gives all rows.
        candidate: The version to check.
        rows: How many at a time, at the least; never half a document.

    Yields:
        Tables of the schema of the chunks, sorted by uri and position.
    """
    new = _told_apart(store, candidate)
    places = new.select(["uri", "position", _ROW])
    if published is not None and published[0] == candidate[0]:
        old = _told_apart(store, published).drop_columns([_ROW])
        places = places.filter(pa.array(_is_new(old, new.drop_columns([_ROW]))))
        del old
    del new
    places = places.sort_by(_ORDER)
    table = store.at(*candidate)
    for part in _whole_documents(places, rows):
        taken: Any = table.take_row_ids(part[_ROW].to_pylist()).to_arrow()
        # In the order in which they are stored, whatever order was asked for.
        yield taken.select(table.schema.names).sort_by(_ORDER)


def _told_apart(store: Store, state: State) -> pa.Table:
    table = store.at(*state)
    names = [name for name in table.schema.names if name not in _UNREAD]
    return table.search().select(names).with_row_id(True).to_arrow()


def _is_new(old: pa.Table, new: pa.Table) -> npt.NDArray[np.bool_]:
    """Which rows of ``new`` stand there more often than in ``old``."""
    keys = _keys(pa.concat_tables([old, new.select(old.column_names)]))
    _, codes = np.unique(keys, return_inverse=True)
    count = int(codes.max(initial=-1)) + 1
    before = np.bincount(codes[: old.num_rows], minlength=count)
    after = np.bincount(codes[old.num_rows :], minlength=count)
    return np.asarray((after > before)[codes[old.num_rows :]])


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
    store: Store, state: State, columns: Sequence[str], *, rows: int = ROWS
) -> Iterator[pa.RecordBatch]:
    """All rows of a state, at the most so many at a time."""
    yield from store.at(*state).search().select(list(columns)).to_batches(rows)


def rows_of_texts(store: Store, state: State, text_hashes: Sequence[str]) -> pa.Table:
    """Text hash, source and vector of every row that has one of some texts."""
    table = store.at(*state)
    wanted = sorted(set(text_hashes))
    filters = [
        tables.among("text_hash", wanted[start : start + SLICE])
        for start in range(0, len(wanted), SLICE)
    ] or ["false"]
    search = [table.search().where(one) for one in filters]
    return pa.concat_tables(
        [one.select(["text_hash", "source", "vector"]).to_arrow() for one in search]
    )

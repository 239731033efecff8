"""The side tables: rows with natural keys, written without the lock, tolerant of duplicates."""

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa

from pipelines.knowledge import tables
from pipelines.knowledge.store import Store

Row = dict[str, Any]

FRAGMENTS = 50
"""A table with more small fragments than this is compacted: each costs a query a file to open."""
FRAGMENT_ROWS = 50_000
"""Rows of a compacted fragment: the default of a million would rewrite a table for every edit."""
READ = timedelta(hours=1)
"""No reading of a side table takes longer."""
COMPACTION = {"target_rows_per_fragment": FRAGMENT_ROWS, "batch_size": 512, "num_threads": 1}
"""Small batches in one thread take a third less memory and no longer than the defaults."""


def compact(store: Store, name: str, *, most: int = FRAGMENTS) -> bool:
    """Merges the small fragments of a table where there are more than ``most``. True = it did.

    Somebody else's write in the middle of it wins; the next compaction goes on.
    """
    table = store.table(name)
    stats: Any = table.stats()  # a dictionary, whatever its annotation says
    if stats["fragment_stats"]["num_fragments"] <= most:
        return False
    dataset = table.to_lance()
    small = [f for f in dataset.get_fragments() if f.count_rows() < FRAGMENT_ROWS // 2]
    if len(small) <= most:
        return False
    try:
        store.write(dataset.optimize.compact_files, **COMPACTION)
    except (RuntimeError, OSError) as error:
        if "conflict" not in str(error).lower():
            raise
        return False
    return True


def forget_versions(store: Store, name: str, *, older_than: timedelta) -> None:
    """Removes the files of versions of a table that nobody reads any more."""
    clean = store.table(name).to_lance().cleanup_old_versions
    store.write(clean, older_than, error_if_tagged_old_versions=False)


def rows(
    store: Store, name: str, where: str | None = None, *, columns: Sequence[str] | None = None
) -> list[Row]:
    """The rows of a side table that a filter lets through, with all columns or some."""
    table = store.table(name)
    if not table.count_rows():  # as most of them are most of the time; a query costs ten times more
        return []
    search = table.search()
    search = search.where(where) if where else search
    return list((search.select(list(columns)) if columns else search).to_arrow().to_pylist())


def rows_if_any(store: Store | None, name: str, where: str) -> list[Row]:
    """The same of a table that a store made by an older version lacks; none where nothing is kept."""
    return [] if store is None or name not in store.names() else rows(store, name, where)


def add_rows(store: Store, name: str, added: Sequence[Row]) -> None:
    """Appends rows; of none it writes nothing."""
    if added:
        data = pa.Table.from_pylist(list(added), schema=tables.SIDE_TABLES[name])
        store.write(store.table(name).add, data)


def put_rows(store: Store, name: str, put: Sequence[Row]) -> None:
    """Inserts rows or replaces those of the same declared key; of none it writes nothing."""
    if not put:
        return
    key = tables.KEYS[name]
    unique = {row[key]: row for row in put}
    data = pa.Table.from_pylist(list(unique.values()), schema=tables.SIDE_TABLES[name])
    table = store.table(name)
    store.write(
        lambda: (
            table.merge_insert(key)
            .when_matched_update_all()
            .when_not_matched_insert_all()
            .execute(data)
        )
    )


def insert_new(store: Store, name: str, row: Row) -> bool:
    """Inserts a row if its declared key is new. True = it was."""
    data = pa.Table.from_pylist([row], schema=tables.SIDE_TABLES[name])
    table = store.table(name)
    result = store.write(
        lambda: table.merge_insert(tables.KEYS[name]).when_not_matched_insert_all().execute(data)
    )
    return bool(result.num_inserted_rows == 1)


def update_rows(store: Store, name: str, where: str, values: Row) -> None:
    """Sets columns of the rows that a filter lets through."""
    store.write(store.table(name).update, where=where, values=values)


def delete_rows(store: Store, name: str, where: str) -> None:
    """Deletes the rows that a filter lets through, if any are there."""
    table = store.table(name)
    if table.count_rows(where):
        store.write(table.delete, where)


def before(column: str, moment: datetime) -> str:
    """A filter: the time column lies before a moment."""
    stamp = moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")
    return f"{column} < arrow_cast('{stamp}', 'Timestamp(Microsecond, Some(\"UTC\"))')"


def packed(items: Iterable[tuple[str, str]]) -> str:
    """A set of (uri, content hash) as text."""
    return json.dumps(sorted(items))


def unpacked(text: str) -> frozenset[tuple[str, str]]:
    """The inverse of ``packed``."""
    return frozenset((uri, content_hash) for uri, content_hash in json.loads(text))

"""Where the rows of a table's version stand: what stands in one place of one file is one row.

Files of a table are never changed, and their names never used again; versions differ in which
files they have, and which rows of them are deleted. So what two versions differ in is known
without reading a row, and what a process made of a row holds for as long as the row is there.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

if TYPE_CHECKING:
    from lancedb.table import Table

T = TypeVar("T")

Addresses = npt.NDArray[np.uint64]

_SCANNED = 8
"""Looking up every eighth row takes as long as reading all."""


@dataclass(frozen=True, slots=True)
class Places:
    """The rows of one version."""

    files: frozenset[tuple[int, tuple[str, ...]]]
    """Number of each fragment, and the names of its files."""
    rows: Addresses
    """Of each row, ``(n,)``, sorted: the fragment in the upper half, the place in it in the lower."""

    def of(self, fragment: int) -> Addresses:
        """Those of one fragment."""
        bounds = np.array([fragment, fragment + 1], dtype=np.uint64) << np.uint64(32)
        first, last = np.searchsorted(self.rows, bounds)
        return self.rows[first:last]


def places(table: "Table") -> Places:
    """Where the rows of an opened version stand; reads no row."""
    dataset = table.to_lance()
    files = frozenset(
        (one.fragment_id, (*(f.path for f in one.metadata.files), *map(str, one.metadata.overlays)))
        for one in dataset.get_fragments()
    )
    # Without a column and a filter it is the list of what is not deleted.
    found = dataset.scanner(columns=[], with_row_address=True).to_table()
    return Places(files, np.sort(found["_rowaddr"].to_numpy()))


def differing(old: Places, new: Places) -> tuple[Addresses, Addresses]:
    """The rows that only one of two versions of a table has: of the old one, of the new one."""
    shared = {number for number, _ in old.files & new.files}
    gone, added = [old.rows[:0]], [new.rows[:0]]
    for number in sorted({number for number, _ in old.files | new.files}):
        before, after = old.of(number), new.of(number)
        if number not in shared:
            gone.append(before)
            added.append(after)
        elif not np.array_equal(before, after):
            gone.append(_without(before, after))
            added.append(_without(after, before))
    return np.concatenate(gone), np.concatenate(added)


def _without(some: Addresses, others: Addresses) -> Addresses:
    """Those of some sorted ones that are not among others."""
    if not len(others):
        return some
    at = np.minimum(np.searchsorted(others, some), len(others) - 1)
    missing: Addresses = some[others[at] != some]
    return missing


def read_rows(
    table: "Table", rows: Addresses | None, columns: Sequence[str], *, where: str | None = None
) -> pa.Table:
    """Some columns of some rows of an opened version, with ``_rowid``, the address of each.

    Args:
        table: The version.
        rows: Those to read; None is all.
        columns: What to read.
        where: Of all rows, which; of some, all are given.
    """
    if rows is not None and _SCANNED * len(rows) <= table.count_rows():
        taken: Any = table.take_row_ids(rows.tolist()).select(list(columns)).with_row_id()
        return taken.to_arrow()
    search = table.search().select(list(columns)).with_row_id(True)
    found = (search.where(where) if where else search).to_arrow()
    if rows is None:
        return found
    return found.filter(pa.array(np.isin(found["_rowid"].to_numpy(), rows)))


class Made(Generic[T]):
    """What a process made of the rows of a table, kept until it is asked for another version.

    Then only rows that are new are read. It keeps one version of one table: the last one.
    """

    def __init__(
        self,
        columns: Sequence[str],
        make: Callable[[dict[str, Any]], T],
        *,
        where: str | None = None,
        counts: Callable[[pa.Table], pa.Table] = lambda rows: rows,
    ) -> None:
        """What to read, and what to make of it.

        Args:
            columns: What to read.
            make: Makes something of a row.
            where: A filter, for where all rows are read.
            counts: The same filter, for rows that were read.
        """
        self._columns, self._make, self._where, self._counts = columns, make, where, counts
        self._last: tuple[object, Places, dict[int, T]] | None = None

    def of(self, key: object, table: "Table") -> Iterable[T]:
        """Of each row of a version.

        Args:
            key: What is a table: its store, and its name.
            table: The version, opened.
        """
        here, last = places(table), self._last
        if last is None or last[0] != key:
            made = self._read(table, None)
        else:
            gone, added = differing(last[1], here)
            made = dict(last[2])
            for row in gone.tolist():
                made.pop(row, None)
            if len(added):
                made |= self._read(table, added)
        self._last = key, here, made
        return made.values()

    def _read(self, table: "Table", rows: Addresses | None) -> dict[int, T]:
        found = self._counts(read_rows(table, rows, self._columns, where=self._where))
        return {row.pop("_rowid"): self._make(row) for row in found.to_pylist()}

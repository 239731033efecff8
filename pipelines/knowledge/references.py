"""The ``references`` table: what later questions and changes of documents are compared with."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from pipelines.knowledge.side import Row, put_rows, rows_if_any
from pipelines.knowledge.store import Store
from pipelines.knowledge.tables import quoted
from pipelines.records import Vectors

TABLE = "references"
SLICE = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """One question, or one change of a document, that came before those it is compared with."""

    model: str
    version: str
    channel: str
    """queries or changes."""
    part: str
    """fit: bins are made of it; bag: the first items that are counted."""
    position: int
    vector: Vectors
    """``(d,)`` float32; of changes one value more, how large the change is."""
    look: str
    """That took it. It counts once that look is kept."""
    at: datetime

    @property
    def id(self) -> str:
        """The key: taken twice by one look one stays; no look replaces what another one took."""
        return f"{self.model}/{self.version}/{self.channel}/{self.position}/{self.look}"


def references(store: Store | None, model: str, version: str, channel: str) -> list[Reference]:
    """Those of one channel, by position."""
    where = " AND ".join(
        f"{name} = {quoted(value)}"
        for name, value in (("model", model), ("version", version), ("channel", channel))
    )
    found = [_reference(row) for row in rows_if_any(store, TABLE, where)]
    return sorted(found, key=lambda one: one.position)


def keep_references(store: Store, taken: Sequence[Reference]) -> None:
    """Writes them down, replacing those of the same key; of none it writes nothing."""
    for start in range(0, len(taken), SLICE):
        put_rows(store, TABLE, [_row(one) for one in taken[start : start + SLICE]])


def _row(one: Reference) -> Row:
    names = ("id", "model", "version", "channel", "part", "position", "look", "at")
    return {name: getattr(one, name) for name in names} | {"vector": one.vector.tolist()}


def _reference(row: Row) -> Reference:
    values = {name: value for name, value in row.items() if name != "id"}
    return Reference(**values | {"vector": np.asarray(row["vector"], dtype=np.float32)})

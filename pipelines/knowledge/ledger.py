"""The ledger: one row a publication. Appending a row is the only act of publishing."""

import dataclasses
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from pipelines.errors import PublicationNotFound
from pipelines.knowledge import tables
from pipelines.knowledge.side import before
from pipelines.knowledge.store import Store

State = tuple[str, int]
"""A generation and a version of it."""

LARGEST = 2**63 - 1
"""A filter that names a larger number is an error of the table's."""

WITHHELD = "withheld"
"""The kind of rows that change nothing but what is withheld."""

GENERATORS = "generators"
"""The kind of rows that change nothing but which generators serve."""

BESIDE = frozenset((WITHHELD, GENERATORS))
"""Rows that leave the state as it is: whoever builds upon an earlier row is not overtaken by them."""

MODELS = "data/models"
"""Below a project's folder: the weights of promoted versions."""

_JSON = ("models", "counts", "deletions", "lag", "deletion_lag", "data_as_of", "audit")


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """What readers see, from the moment its row is in the ledger."""

    number: int
    kind: str
    """refresh, withheld, generators, rollback, unpin, promotion or demotion."""
    at: datetime
    generation: str
    """The chunk table."""
    version: int
    """Of that table."""
    fingerprint: str
    model: str
    models: dict[str, str] = field(default_factory=dict)
    """Fine-tuned models in use: name -> version."""
    withheld: tuple[str, ...] = ()
    """Uris that no query returns, whatever their rows say; sorted."""
    pinned: bool = False
    restores: int | None = None
    """The publication whose state a rollback named."""
    restored: tuple[str, ...] = ()
    """The sources that are shown as a rollback restored them: no scan since reached readers."""
    run: str
    actor: str
    reason: str
    documents: int = 0
    chunks: int = 0
    tokens_embedded: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    """Documents by kind of change, passages embedded, reused and deleted."""
    deletions: dict[str, int] = field(default_factory=dict)
    """By source, those that nobody accepted: what the 24-hour count adds up."""
    lag: dict[str, list[float]] = field(default_factory=dict)
    """By source, publication minus source time of each document version, in seconds."""
    deletion_lag: dict[str, list[float]] = field(default_factory=dict)
    """By source, publication minus first sight of each deletion, in seconds."""
    data_as_of: dict[str, str] = field(default_factory=dict)
    """By source, ISO time."""
    audit: dict[str, Any] = field(default_factory=dict)

    @property
    def state(self) -> State:
        """What its readers read."""
        return self.generation, self.version

    @property
    def embedder(self) -> dict[str, str]:
        """Of ``models``, the one that made the vectors: name -> version; empty where a base did."""
        return {n: v for n, v in self.models.items() if self.model == model_folder(n, v)}

    @property
    def others(self) -> dict[str, str]:
        """Of ``models``, those that have no part in the vectors."""
        return {n: v for n, v in self.models.items() if n not in self.embedder}


def model_folder(name: str, version: str) -> str:
    """Where the weights of a promoted version lie, relative to the project's folder.

    As ``model`` of a publication it says which version made the vectors.
    """
    return f"{MODELS}/{name}/{version}"


def _row(publication: Publication) -> pa.Table:
    values = dataclasses.asdict(publication)
    values |= {name: json.dumps(values[name], sort_keys=True) for name in _JSON}
    return pa.Table.from_pylist([values], schema=tables.PUBLICATIONS)


def _publication(row: dict[str, Any]) -> Publication:
    row = row | {name: json.loads(row[name]) for name in _JSON}
    row["withheld"] = tuple(row["withheld"])
    row["restored"] = tuple(row["restored"])
    row["at"] = row["at"].astimezone(UTC)
    return Publication(**row)


def publications(
    store: Store, *, after: int = 0, since: datetime | None = None
) -> list[Publication]:
    """Rows, newest first: all of them, those after a number, those not before a time."""
    where = f"number > {int(after)}"
    if since is not None:
        where += f" AND NOT ({before('at', since)})"
    rows = store.table("publications").search().where(where).to_arrow().to_pylist()
    return sorted((_publication(row) for row in rows), key=lambda p: p.number, reverse=True)


def newest(store: Store) -> Publication | None:
    """The publication that readers see, or None where nothing is published yet."""
    table = store.table("publications")
    count = table.count_rows()
    if not count:
        return None
    # Numbers count up from 1 and no row is ever deleted, so the last row is the newest unless rows
    # were written out of order: one row is read, however long the ledger.
    row = table.search().offset(count - 1).limit(1).to_arrow().to_pylist()[0]
    if row["number"] != count:
        numbers = table.search().select(["number"]).to_arrow()["number"].to_pylist()
        row = table.search().where(f"number = {max(numbers)}").to_arrow().to_pylist()[0]
    return _publication(row)


def find_publication(store: Store, number: int) -> Publication:
    """One row.

    Raises:
        PublicationNotFound: There is none of that number.
    """
    rows = []
    if abs(number) <= LARGEST:
        found = store.table("publications").search().where(f"number = {int(number)}")
        rows = found.to_arrow().to_pylist()
    if not rows:
        raise PublicationNotFound(
            f"There is no publication #{number}.", hint="See staleproof history."
        )
    return _publication(rows[0])


def earlier_states(store: Store, row: Publication) -> list[Publication]:
    """Rows before one that show another state than it does, newest first."""
    return [p for p in publications(store) if p.number < row.number and p.state != row.state]


def append(store: Store, row: Publication) -> bool:
    """Compare-and-set: inserts the row if nobody took its number. True = won.

    The caller made ``row.number`` one more than the newest that it built upon. The handle is
    fresh: one that was opened long before might be told that it won when it did not.
    """
    ledger = store.table("publications")
    if ledger.count_rows(f"number >= {row.number}"):
        return False
    result = store.write(
        lambda: ledger.merge_insert("number").when_not_matched_insert_all().execute(_row(row))
    )
    return bool(result.num_inserted_rows == 1)


def insert_until_won(
    store: Store, make: Callable[[Publication], Publication | None]
) -> Publication | None:
    """Inserts what ``make`` says for the newest row; when overtaken, asks it again.

    Args:
        store: The store.
        make: The newest publication -> the row to append (its number is set here), or None when
            there is nothing left to do.

    Returns:
        The row that is in the ledger now, or None.
    """
    while True:
        last = newest(store)
        if last is None:
            return None
        wanted = make(last)
        if wanted is None:
            return None
        row = dataclasses.replace(wanted, number=last.number + 1)
        if append(store, row):
            return row

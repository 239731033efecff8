"""The ``looks`` table: what each look at a version saw, what has accumulated, what it said."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pipelines.knowledge.side import Row, insert_new, rows
from pipelines.knowledge.store import Store
from pipelines.knowledge.tables import quoted

TABLE = "looks"


@dataclass(frozen=True, slots=True, kw_only=True)
class LookRow:
    """One look at one version of a model."""

    model: str
    version: str
    number: int
    """Of the looks at this version that were kept: 1, 2, 3 ..."""
    look: str
    """Names the look: the run's id."""
    at: datetime
    publication: int
    observation: dict[str, Any]
    """What it saw, as ``pipelines.drift.Observation.to_dict`` has it."""
    state: str
    """What has accumulated, as JSON."""
    verdict: dict[str, Any]
    """What followed, as ``pipelines.drift.Verdict.to_dict`` has it."""

    @property
    def id(self) -> str:
        """The key: of two looks at once one wins."""
        return f"{self.model}/{self.version}/{self.number}"


def looks(store: Store | None, model: str, version: str) -> list[LookRow]:
    """The looks at a version that were kept, oldest first."""
    if store is None or TABLE not in store.names():  # made before there was such a table
        return []
    where = f"model = {quoted(model)} AND version = {quoted(version)}"
    return sorted((_look(row) for row in rows(store, TABLE, where)), key=lambda row: row.number)


def keep_look(store: Store, look: LookRow) -> bool:
    """Writes a look down. False = there is one of this number already, and it stays."""
    row = {
        "id": look.id,
        "model": look.model,
        "version": look.version,
        "number": look.number,
        "look": look.look,
        "at": look.at,
        "publication": look.publication,
        "observation": json.dumps(look.observation, sort_keys=True),
        "state": look.state,
        "verdict": json.dumps(look.verdict, sort_keys=True),
    }
    return insert_new(store, TABLE, row)


def _look(row: Row) -> LookRow:
    kept = ("model", "version", "number", "look", "publication", "state")
    return LookRow(
        **{name: row[name] for name in kept},
        at=row["at"].astimezone(UTC),
        observation=json.loads(row["observation"]),
        verdict=json.loads(row["verdict"]),
    )

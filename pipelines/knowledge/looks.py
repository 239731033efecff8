"""The ``looks`` table: what each look at a version saw, what has accumulated, what it said."""

import contextlib
import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pipelines.errors import WatchRunning
from pipelines.knowledge.side import Row, delete_rows, insert_new, rows_if_any
from pipelines.knowledge.store import Store
from pipelines.knowledge.tables import among, quoted
from pipelines.locks import held, holder_in_words

TABLE = "looks"
OF_VERSIONS = ("looks", "evaluations", "references")
"""Tables whose rows go with the version that they are about."""


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


def looks(store: Store | None, model: str, version: str | None = None) -> list[LookRow]:
    """The looks at a version, or at all versions of a model, that were kept, oldest first.

    Those of one version come by their numbers, whatever a clock said that was set back since.
    """
    where = f"model = {quoted(model)}"
    if version is not None:
        where += f" AND version = {quoted(version)}"
    found = [_look(row) for row in rows_if_any(store, TABLE, where)]
    began: dict[str, datetime] = {}
    for row in found:
        began[row.version] = min(row.at, began.get(row.version, row.at))
    return sorted(found, key=lambda row: (began[row.version], row.version, row.number))


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


@contextlib.contextmanager
def watch_lock(
    store: Store, *, run: str, now: datetime, wait_seconds: float = 0.0
) -> Iterator[None]:
    """Holds the lock of those who look at the models of a store.

    It saves work; that a look counts once does not rest on it.

    Raises:
        WatchRunning: Somebody else holds it (still, after ``wait_seconds``); names the holder.
    """
    path = Path(store.uri) / "watch.lock"
    about = path.with_suffix(".holder.json")
    with held(
        path,
        about,
        run=run,
        now=now,
        wait_seconds=wait_seconds,
        busy=lambda: WatchRunning(
            f"Somebody else looks at the models of this store{holder_in_words(about)}.",
            hint="Nothing was done; try again later.",
        ),
    ):
        yield


def forget_watched(store: Store, model: str, versions: Collection[str]) -> None:
    """Deletes what was seen of versions of a model that are no more; what was said stays."""
    for name in sorted({*OF_VERSIONS} & store.names()) if versions else ():
        delete_rows(store, name, f"model = {quoted(model)} AND {among('version', versions)}")


def _look(row: Row) -> LookRow:
    kept = ("model", "version", "number", "look", "publication", "state")
    return LookRow(
        **{name: row[name] for name in kept},
        at=row["at"].astimezone(UTC),
        observation=json.loads(row["observation"]),
        verdict=json.loads(row["verdict"]),
    )

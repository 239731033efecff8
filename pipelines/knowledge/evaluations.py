"""The ``evaluations`` table: what a version was scored on, so that the same is never scored twice."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from pipelines.knowledge.side import Row, put_rows, rows_if_any
from pipelines.knowledge.store import Store
from pipelines.knowledge.tables import quoted

TABLE = "evaluations"
SLICE = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """One score, and what it is of."""

    model: str
    version: str
    channel: str
    """What it counts for: golden, worth, candidate, override, memory; or why for nothing."""
    item: str
    """What was asked about: a golden question, a document."""
    evidence: str
    """Hashes of what the score rests on: the same, and it is no news; of a generator its facts."""
    uri: str
    domain: str
    ours: float
    """Score of the version, 0 to 1; of memory nats a token."""
    theirs: float
    """Score of what it is compared with."""
    look: str
    """That made it. It counts once that look is kept."""
    at: datetime

    @property
    def of(self) -> str:
        """What is scored: the same for the same evaluation, whichever look makes it."""
        return "/".join((self.model, self.version, self.channel, self.item, self.evidence))

    @property
    def id(self) -> str:
        """The key: made twice by one look one stays; no look replaces what another one made."""
        return f"{self.of}/{self.look}"


def evaluated(
    store: Store | None, model: str, version: str, channel: str | None = None
) -> list[Evaluation]:
    """What a version was scored on, oldest first; of one channel or of all."""
    where = f"model = {quoted(model)} AND version = {quoted(version)}"
    if channel is not None:
        where += f" AND channel = {quoted(channel)}"
    found = [_evaluation(row) for row in rows_if_any(store, TABLE, where)]
    return sorted(found, key=lambda one: (one.at, one.id))


def keep_evaluations(store: Store, made: Sequence[Evaluation]) -> None:
    """Writes scores down, replacing those of the same key; of none it writes nothing."""
    added = [asdict(one) | {"id": one.id} for one in made]
    for start in range(0, len(added), SLICE):
        put_rows(store, TABLE, added[start : start + SLICE])


def _evaluation(row: Row) -> Evaluation:
    values: dict[str, Any] = {name: value for name, value in row.items() if name != "id"}
    return Evaluation(**values | {"at": row["at"].astimezone(UTC)})

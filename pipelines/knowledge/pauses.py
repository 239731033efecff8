"""The ``pauses`` table: sources that a person took out of refreshes, and put back."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pipelines.knowledge.side import add_rows, rows, update_rows
from pipelines.knowledge.store import Store
from pipelines.knowledge.tables import quoted


@dataclass(frozen=True, slots=True)
class Pause:
    """One time that a source was left out."""

    source: str
    at: datetime
    """Since when."""
    actor: str
    """Who paused it."""
    reason: str
    """Why; may be empty."""
    resumed_at: datetime | None = None
    """None while it stands."""
    resumed_by: str | None = None

    def __str__(self) -> str:
        """``paused since 2026-03-01 12:00 UTC by ann: it moves``."""
        why = f": {self.reason}" if self.reason else ""
        return f"paused since {self.at:%Y-%m-%d %H:%M} UTC by {self.actor}{why}"


def pauses(store: Store | None) -> list[Pause]:
    """All pauses, oldest first."""
    found = [] if store is None else rows(store, "pauses")
    return sorted((_pause(row) for row in found), key=lambda pause: pause.at)


def _pause(row: dict[str, Any]) -> Pause:
    resumed_at = row["resumed_at"].astimezone(UTC) if row["resumed_at"] else None
    return Pause(
        row["source"],
        row["at"].astimezone(UTC),
        row["actor"],
        row["reason"],
        resumed_at,
        row["resumed_by"],
    )


def open_pauses(store: Store | None) -> dict[str, Pause]:
    """The sources that are paused now; where two people paused one, the first of them counts."""
    standing = [pause for pause in pauses(store) if pause.resumed_at is None]
    return {pause.source: pause for pause in reversed(standing)}


def record_pause(store: Store, pause: Pause) -> None:
    """Writes down that a source is paused."""
    row = {"source": pause.source, "at": pause.at, "actor": pause.actor, "reason": pause.reason}
    add_rows(store, "pauses", [row])


def end_pause(store: Store, source: str, *, actor: str, now: datetime) -> None:
    """Ends every pause of a source."""
    where = f"source = {quoted(source)} AND resumed_at IS NULL"
    update_rows(store, "pauses", where, {"resumed_at": now, "resumed_by": actor})

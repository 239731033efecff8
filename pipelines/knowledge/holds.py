"""The ``holds`` table: named sets that wait for a person, and what the person said."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pipelines.errors import UnknownName
from pipelines.knowledge.side import (
    insert_new,
    packed,
    rows,
    unpacked,
    update_rows,
)
from pipelines.knowledge.store import Store
from pipelines.knowledge.tables import quoted
from pipelines.planning import Hold

OPEN, ACCEPTED, DROPPED, CLOSED = "open", "accepted", "dropped", "closed"


@dataclass(frozen=True, slots=True)
class HoldRow:
    """A hold as the store has it."""

    id: str
    kind: str
    source: str
    items: frozenset[tuple[str, str]]
    """(uri, content hash that it would get; empty for a deletion)."""
    why: str
    since: datetime
    """When the first of the holds that this one follows was opened."""
    state: str
    """open, accepted (to be applied), dropped (refused), or closed."""
    remaining: frozenset[tuple[str, str]]
    """Of a refused one: what the source still shows the same way."""
    followed_by: str | None
    """The hold that took its place when the set changed."""
    suites: str | None = None
    """Of one of kind audit: the hash of the suites under which it failed."""
    actor: str | None = None
    """Who decided."""
    reason: str | None = None
    """Why."""
    decided_at: datetime | None = None


def holds(store: Store | None, state: str | None = None) -> list[HoldRow]:
    """Holds, oldest first; of one state, or all."""
    if store is None:
        return []
    found = rows(store, "holds", None if state is None else f"state = {quoted(state)}")
    return sorted((_hold(row) for row in found), key=lambda h: (h.since, h.id))


def _hold(row: dict[str, Any]) -> HoldRow:
    return HoldRow(
        row["id"],
        row["kind"],
        row["source"],
        unpacked(row["items"]),
        row["why"],
        row["since"].astimezone(UTC),
        row["state"],
        unpacked(row["remaining"]),
        row["followed_by"],
        row["suites"],
        row["actor"],
        row["reason"],
        row["decided_at"].astimezone(UTC) if row["decided_at"] else None,
    )


def find_hold(store: Store | None, hold_id: str) -> HoldRow:
    """One hold.

    Raises:
        UnknownName: There is none of that id.
    """
    for found in holds(store):
        if found.id == hold_id:
            return found
    raise UnknownName(f"There is no hold {hold_id!r}.", hint="See staleproof holds.")


def record_holds(
    store: Store, standing: Sequence[Hold], *, sources: Iterable[str], run: str, now: datetime
) -> list[Hold]:
    """Makes the table say what stands now for the sources that a run looked at.

    A changed set is a new hold that keeps ``since``; what no longer stands is closed.

    Returns:
        The holds that are new.
    """
    looked_at = set(sources)
    before = [h for h in holds(store, OPEN) if h.source in looked_at]
    here = {h.id for h in standing}
    new = []
    for hold in standing:
        old = [h for h in before if (h.kind, h.source) == (hold.kind, hold.source)]
        since = min((h.since for h in old), default=now)
        stood = hold.id in {h.id for h in before}
        if insert_new(store, "holds", _new_row(hold, since, run)) or (
            not stood and _reopen(store, hold, since)
        ):
            new.append(hold)
    for hold_row in before:
        if hold_row.id not in here:
            follows = [
                h.id for h in standing if (h.kind, h.source) == (hold_row.kind, hold_row.source)
            ]
            values: dict[str, Any] = {"state": CLOSED}
            if follows:
                values["followed_by"] = follows[0]
            update_rows(store, "holds", f"id = {quoted(hold_row.id)}", values)
    return new


def _reopen(store: Store, hold: Hold, since: datetime) -> bool:
    """The same set stands again after its hold was closed; False where somebody decided about it."""
    closed = f"id = {quoted(hold.id)} AND state = '{CLOSED}'"
    if not rows(store, "holds", closed):
        return False
    values = {"state": OPEN, "since": since, "why": hold.why, "remaining": packed(hold.items)}
    update_rows(store, "holds", closed, values)
    return True


def _new_row(hold: Hold, since: datetime, run: str) -> dict[str, Any]:
    return {
        "id": hold.id,
        "kind": hold.kind,
        "source": hold.source,
        "items": packed(hold.items),
        "why": hold.why,
        "since": since,
        "run": run,
        "state": OPEN,
        "remaining": packed(hold.items),
        "suites": hold.suites,
    }


def decide_hold(
    store: Store, hold_id: str, state: str, *, actor: str, reason: str, now: datetime
) -> None:
    """Records that a person accepted or dropped a hold."""
    values = {"state": state, "decided_at": now, "actor": actor, "reason": reason}
    update_rows(store, "holds", f"id = {quoted(hold_id)}", values)


def close_hold(store: Store, hold_id: str) -> None:
    """Ends an accepted hold that was applied."""
    update_rows(store, "holds", f"id = {quoted(hold_id)}", {"state": CLOSED})


def strike_off(store: Store, hold: HoldRow, remaining: frozenset[tuple[str, str]]) -> None:
    """Of a refused hold, keeps only what the source still shows the same way."""
    values: dict[str, Any] = {"remaining": packed(remaining)}
    if not remaining:
        values["state"] = CLOSED
    update_rows(store, "holds", f"id = {quoted(hold.id)}", values)

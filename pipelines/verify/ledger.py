"""The ledger, its tags, and whether what it names can be read."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from pipelines.knowledge import BESIDE, Publication, State, Store, readable_states
from pipelines.verify.report import Findings


def verify_ledger(store: Store, rows: Sequence[Publication], findings: Findings) -> bool:
    """Checks every row, and every state that is kept.

    Args:
        store: The store.
        rows: All rows, newest first.
        findings: Gets the problems.

    Returns:
        Whether the newest state can be read.
    """
    _numbers(rows, findings)
    _consistent(rows, findings)
    kept = readable_states(store, {row.generation for row in rows})
    newest = rows[0]
    if newest.state not in kept:
        detail = f"#{newest.number} names version {newest.version} of {newest.generation}"
        findings.add("tag", "", f"{detail}, which no tag keeps from being cleaned up")
    named = {row.state: row.number for row in reversed(rows)}
    states = {state: number for state, number in named.items() if state in kept}
    states[newest.state] = newest.number
    broken = {state: why for state in states if (why := _unreadable(store, state))}
    for state, why in broken.items():
        findings.add("unreadable", "", f"#{states[state]} cannot be read: {why}")
    return newest.state not in broken


def served_since(rows: Sequence[Publication]) -> Publication:
    """The row that made the newest documents what readers see; later ones changed something else.

    A promotion shows the documents of the row before it, with other vectors.

    Args:
        rows: All rows, newest first.
    """
    first, promoted = rows[0], False
    for row in rows:
        if row.state != first.state and not promoted:
            break
        first, promoted = row, row.kind == "promotion"
        if row.kind not in (*BESIDE, "unpin", "promotion"):
            break
    return first


def rolled_back_at(rows: Sequence[Publication]) -> datetime | None:
    """When somebody last made an earlier state what readers see; of rows newest first."""
    return next((row.at for row in rows if row.kind in ("rollback", "demotion")), None)


def _numbers(rows: Sequence[Publication], findings: Findings) -> None:
    counted = Counter(row.number for row in rows)
    for number in sorted(number for number, count in counted.items() if count > 1):
        findings.add("ledger", "", f"#{number} is there {counted[number]} times")
    # Rows are never deleted, and each took the next number.
    missing = sorted(set(range(1, max(counted) + 1)) - set(counted))
    for number in missing:
        findings.add("ledger", "", f"#{number} is missing")
    for number in sorted(number for number in counted if number < 1):
        findings.add("ledger", "", f"#{number} is no number of a publication")


def _consistent(rows: Sequence[Publication], findings: Findings) -> None:
    by_number = {row.number: row for row in rows}
    fingerprints: dict[str, str] = {}
    for row in reversed(rows):
        if fingerprints.setdefault(row.generation, row.fingerprint) != row.fingerprint:
            detail = f"#{row.number} gives {row.generation} another embedder than the rows before"
            findings.add("ledger", "", detail)
        before = by_number.get(row.number - 1)
        if row.kind in (*BESIDE, "unpin") and before and before.state != row.state:
            findings.add("ledger", "", f"#{row.number} changes the state, and says {row.kind}")
        restored = None if row.restores is None else by_number.get(row.restores)
        if row.restores is not None and (restored is None or restored.state != row.state):
            findings.add("ledger", "", f"#{row.number} restores #{row.restores} and names another")


def _unreadable(store: Store, state: State) -> str | None:
    generation, version = state
    if generation not in store.names():
        return f"there is no table {generation}"
    try:
        dataset: Any = store.at(generation, version).to_lance()
        dataset.validate()
    except (OSError, ValueError, RuntimeError):
        return f"version {version} of {generation} is gone or its files are damaged"
    return None

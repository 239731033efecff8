"""The ``audits`` table: what was found out about each candidate, for history and reports."""

import itertools
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from pipelines.knowledge.side import add_rows, before, delete_rows, rows
from pipelines.knowledge.store import Store

HISTORY = 30
"""So many audits does a report compare."""


@dataclass(frozen=True, slots=True)
class AuditRow:
    """One audit."""

    run: str
    number: int | None
    """Of the publication; None where nothing was published."""
    at: datetime
    report: dict[str, Any]


def record_audit(store: Store, audit: AuditRow) -> None:
    """Writes down an audit."""
    report = json.dumps(audit.report, sort_keys=True)
    row = {"run": audit.run, "number": audit.number, "at": audit.at, "report": report}
    add_rows(store, "audits", [row])


def audits(store: Store | None) -> list[AuditRow]:
    """Audits, newest first; of duplicates one."""
    found = {} if store is None else {row["run"]: _audit(row) for row in rows(store, "audits")}
    return sorted(found.values(), key=lambda a: (a.at, a.run), reverse=True)


def audits_until(store: Store, number: int) -> list[AuditRow]:
    """The latest audits of publications up to the one of that number, newest first.

    At most ``HISTORY`` of them, which is what a report of that publication compares with.
    """
    earlier = (a for a in audits(store) if a.number is not None and a.number <= number)
    return list(itertools.islice(earlier, HISTORY))


def measured(earlier: Sequence[AuditRow]) -> list[dict[str, Any]]:
    """What audits measured, oldest first: number, at, and measures by source."""
    return [
        {"number": a.number, "at": a.at.isoformat(), "measures": a.report.get("measures", {})}
        for a in reversed(earlier)
    ]


def _audit(row: dict[str, Any]) -> AuditRow:
    at = row["at"].astimezone(UTC)
    return AuditRow(row["run"], row["number"], at, json.loads(row["report"]))


def prune_audits(store: Store, *, keep_days: float, now: datetime, kept: Iterable[int]) -> None:
    """Deletes older audits, but those of publications that are kept."""
    numbers = ",".join(str(int(number)) for number in sorted(set(kept)))
    others = f"number IS NULL OR number NOT IN ({numbers})" if numbers else "true"
    old = before("at", now - timedelta(days=keep_days))
    delete_rows(store, "audits", f"{old} AND ({others})")

"""The ``audits`` table: what was found out about each candidate, for history and reports."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from pipelines.knowledge.side import add_rows, before, delete_rows, rows
from pipelines.knowledge.store import Store


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


def _audit(row: dict[str, Any]) -> AuditRow:
    at = row["at"].astimezone(UTC)
    return AuditRow(row["run"], row["number"], at, json.loads(row["report"]))


def prune_audits(store: Store, *, keep_days: float, now: datetime, kept: Iterable[int]) -> None:
    """Deletes older audits, but those of publications that are kept."""
    numbers = ",".join(str(int(number)) for number in sorted(set(kept)))
    others = f"number IS NULL OR number NOT IN ({numbers})" if numbers else "true"
    old = before("at", now - timedelta(days=keep_days))
    delete_rows(store, "audits", f"{old} AND ({others})")

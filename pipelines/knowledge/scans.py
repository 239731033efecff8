"""The ``scans`` table: every listing, and what waited after it."""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from pipelines.knowledge.ledger import Publication
from pipelines.knowledge.side import add_rows, before, compact, delete_rows, forget_versions, rows
from pipelines.knowledge.store import Store
from pipelines.knowledge.tables import among, not_among

READ = timedelta(hours=1)
"""No reading of this table takes longer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """One listing of one source."""

    source: str
    run: str
    started_at: datetime
    seconds: float
    complete: bool
    error: str | None
    listed: int
    source_version: str | None
    waiting: dict[str, tuple[str, str]] = field(default_factory=dict)
    """By uri what was found and is not published: its hash (empty: gone), first seen (ISO)."""
    order: int = 0
    """Of the rows of one run and source, the highest counts."""

    @property
    def oldest_waiting_at(self) -> datetime | None:
        """When the oldest change that waits was first seen."""
        times = [datetime.fromisoformat(since) for _, since in self.waiting.values()]
        return min(times, default=None)


def record_scans(store: Store, scans: list[Scan]) -> None:
    """Appends scans."""
    add_rows(
        store,
        "scans",
        [
            {
                "source": scan.source,
                "run": scan.run,
                "started_at": scan.started_at,
                "seconds": scan.seconds,
                "complete": scan.complete,
                "error": scan.error,
                "listed": scan.listed,
                "source_version": scan.source_version,
                "waiting": json.dumps(scan.waiting),
                "order": scan.order,
            }
            for scan in scans
        ],
    )
    # Runs that change nothing write here alone, for weeks on end.
    if compact(store, "scans"):
        forget_versions(store, "scans", older_than=READ)


def prune_scans(store: Store, *, keep_days: float, now: datetime) -> None:
    """Deletes older scans, but the first of each source: lag is told of what came after it."""
    seen = store.table("scans").search().select(["source", "run", "started_at"]).to_arrow()
    first: dict[str, dict[str, Any]] = {}
    for row in seen.to_pylist():
        if row["source"] not in first or row["started_at"] < first[row["source"]]["started_at"]:
            first[row["source"]] = row
    old = before("started_at", now - timedelta(days=keep_days))
    delete_rows(store, "scans", f"{old} AND {not_among('run', (r['run'] for r in first.values()))}")


def scans_of(store: Store | None, source: str) -> list[Scan]:
    """All scans of a source, newest first, one a run."""
    if store is None:
        return []
    found: dict[str, Scan] = {}
    for row in rows(store, "scans", among("source", [source])):
        scan = _scan(row)
        if scan.run not in found or found[scan.run].order <= scan.order:
            found[scan.run] = scan
    return sorted(found.values(), key=lambda s: s.started_at, reverse=True)


def last_complete(scans: list[Scan]) -> Scan | None:
    """The newest scan that came to its end."""
    return next((scan for scan in scans if scan.complete), None)


def data_as_of(scans: list[Scan]) -> datetime | None:
    """How fresh what is published of a source is.

    The start of the last complete scan after which nothing waited; else of the last complete scan
    before the oldest waiting change was first seen.
    """
    newest = last_complete(scans)
    if newest is None:
        return None
    oldest = newest.oldest_waiting_at
    if oldest is None:
        return newest.started_at
    earlier = [s for s in scans if s.complete and s.started_at < oldest]
    return earlier[0].started_at if earlier else None


def freshness(
    scans: list[Scan], *, warn_after: timedelta, error_after: timedelta, now: datetime
) -> str:
    """Two clocks, the later one counts: the last complete scan, and the oldest change that waits.

    Returns:
        unknown (never scanned), ok, warn or error.
    """
    newest = last_complete(scans)
    if newest is None:
        return "unknown"
    oldest = newest.oldest_waiting_at
    age = now - min(newest.started_at, oldest or newest.started_at)
    return "error" if age >= error_after else "warn" if age >= warn_after else "ok"


def as_of(store: Store, publication: Publication, source: str) -> datetime | None:
    """How fresh what a publication shows of a source is.

    After a rollback it is what the restored row says, else it follows from the scans since.
    """
    recorded = publication.data_as_of.get(source)
    if publication.restores is not None:
        return datetime.fromisoformat(recorded) if recorded else None
    live = data_as_of(scans_of(store, source))
    if live is None and recorded:
        return datetime.fromisoformat(recorded)
    return live


def _scan(row: dict[str, Any]) -> Scan:
    return Scan(
        source=row["source"],
        run=row["run"],
        started_at=row["started_at"].astimezone(UTC),
        seconds=row["seconds"],
        complete=row["complete"],
        error=row["error"],
        listed=row["listed"],
        source_version=row["source_version"],
        waiting={uri: (h, since) for uri, (h, since) in json.loads(row["waiting"]).items()},
        order=row["order"],
    )

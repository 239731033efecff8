"""The ``scans`` table: every listing, and what waited after it."""

import json
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from pipelines.knowledge.ledger import Publication
from pipelines.knowledge.side import READ, add_rows, before, compact, delete_rows, forget_versions
from pipelines.knowledge.store import Store
from pipelines.knowledge.tables import among, not_among
from pipelines.knowledge.usual import USUAL_OF, usual_scans

ALWAYS_KEPT = 4 + USUAL_OF
"""Scans of a source that may have to stay, however old they are."""

AHEAD = timedelta(minutes=5)
"""Clocks of two machines may differ by so much."""

_FACTS = [
    "source", "run", "started_at", "seconds", "listing_seconds", "complete", "error", "listed",
    "source_version", "order",
]  # fmt: skip
"""The columns that are small."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """One listing of one source."""

    source: str
    run: str
    started_at: datetime
    """By the clock of that run, which may have been wrong: scans are ordered as they were written."""
    seconds: float
    """Listing, and reading what the listing did not vouch for."""
    listing_seconds: float = 0.0
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
                "listing_seconds": scan.listing_seconds,
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
    """Deletes older scans, but those that somebody still asks for, however old they are."""
    old = before("started_at", now - timedelta(days=keep_days))
    rows = store.table("scans").search().where(old).select(["source"]).to_arrow()
    counted = Counter(rows["source"].to_pylist())
    for source in sorted(s for s, count in counted.items() if count > ALWAYS_KEPT):
        kept = not_among("run", _still_asked_for(scans_of(store, source)))
        delete_rows(store, "scans", f"{among('source', [source])} AND {old} AND {kept}")


def _still_asked_for(scans: list[Scan]) -> set[str]:
    """The runs whose scans must stay.

    They say what waits (the newest one), how fresh the source is (the newest complete one, and the
    one before its oldest change), since when it is looked at (the first one), and what is usual.
    """
    first = min(scans, key=lambda s: s.started_at)
    complete = last_complete(scans)
    asked = [first, scans[0], complete, _before_what_waits(scans), *usual_scans(scans)]
    return {scan.run for scan in asked if scan is not None}


def scans_of(store: Store | None, source: str, *, but: str | None = None) -> list[Scan]:
    """All scans of a source, newest first, one a run.

    What waited is read of the newest and of the newest complete one alone, and empty in the others:
    of a long history it is most of the bytes.

    Args:
        store: The store.
        source: Its name.
        but: A run to leave out.
    """
    if store is None:
        return []
    table = store.table("scans")
    wanted = table.search().where(among("source", [source])).select(_FACTS).with_row_id(True)
    found: dict[str, dict[str, Any]] = {}
    for row in wanted.to_arrow().to_pylist():  # as they were written, whatever the clocks said
        run = row["run"]
        if run != but and (run not in found or found[run]["order"] <= row["order"]):
            found.pop(run, None)
            found[run] = row
    newest_first = list(reversed(found.values()))
    complete = [row for row in newest_first if row["complete"]]
    for row in (*newest_first[:1], *complete[:1]):
        taken = table.take_row_ids([row["_rowid"]]).select(["waiting"]).to_arrow()
        row["waiting"] = taken["waiting"][0].as_py()
    return [_scan(row) for row in newest_first]


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
    earlier = _before_what_waits(scans)
    return min(earlier.started_at, newest.started_at) if earlier else None


def _before_what_waits(scans: list[Scan]) -> Scan | None:
    """The last complete scan before the one that first saw the oldest change that waits."""
    newest = last_complete(scans)
    oldest = newest.oldest_waiting_at if newest else None
    if oldest is None:
        return None
    saw_it = [place for place, scan in enumerate(scans) if scan.started_at == oldest]
    if saw_it:
        return last_complete(scans[saw_it[-1] + 1 :])
    return next((s for s in scans if s.complete and s.started_at < oldest), None)


def freshness(
    scans: list[Scan], *, warn_after: timedelta, error_after: timedelta, now: datetime
) -> str:
    """Two clocks, the later one counts: the last complete scan, and the oldest change that waits.

    What is held, or behind a pin, waits; what is in quarantine does not.

    Returns:
        unknown (never scanned to the end), ok, warn or error; warn too where a clock runs ahead, for
        nobody would notice how late it is.
    """
    newest = last_complete(scans)
    if newest is None:
        return "unknown"
    oldest = newest.oldest_waiting_at
    age = now - min(newest.started_at, oldest or newest.started_at)
    if age >= error_after:
        return "error"
    return "warn" if age >= warn_after or is_ahead(newest, now) else "ok"


def is_ahead(scan: Scan, now: datetime) -> bool:
    """Whether a scan, or what waited after it, is dated in the future: a clock was wrong."""
    return max(scan.started_at, scan.oldest_waiting_at or scan.started_at) > now + AHEAD


def as_of(store: Store, publication: Publication, source: str) -> datetime | None:
    """How fresh what a publication shows of a source is.

    After a rollback it is what the restored row says, else it follows from the scans since.
    """
    recorded = publication.data_as_of.get(source)
    if source in publication.restored:
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
        listing_seconds=row["listing_seconds"],
        complete=row["complete"],
        error=row["error"],
        listed=row["listed"],
        source_version=row["source_version"],
        waiting={
            uri: (h, since) for uri, (h, since) in json.loads(row.get("waiting", "{}")).items()
        },
        order=row["order"],
    )

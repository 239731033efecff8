"""What asks for a refresh: one row a source, kept on disk until a run has looked at that source.

Schedules, webhooks and people all put their wish here before anything else happens. Whoever
refreshes takes note of the rows before it lists a source, and settles them after it has; what was
asked for meanwhile stays. A wish says that a source may have changed, and nothing about what is true.
"""

import contextlib
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from pipelines.errors import StoreError

KEEP_DELIVERIES = timedelta(days=7)
"""So long a delivery is known again: nobody delivers one again later."""

_BUSY_SECONDS = 10.0
_SCHEMA = """
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS wishes (
    source TEXT PRIMARY KEY, since TEXT NOT NULL, sequence INTEGER NOT NULL, deliveries INTEGER NOT NULL, actor TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS deliveries (
    endpoint TEXT NOT NULL, id TEXT NOT NULL, at TEXT NOT NULL, sequence INTEGER NOT NULL, PRIMARY KEY (endpoint, id)
) STRICT;
CREATE INDEX IF NOT EXISTS deliveries_at ON deliveries (at);
CREATE TABLE IF NOT EXISTS settled (
    source TEXT PRIMARY KEY, sequence INTEGER NOT NULL, run TEXT NOT NULL, at TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS counter (id INTEGER PRIMARY KEY CHECK (id = 1), last INTEGER NOT NULL) STRICT;
INSERT OR IGNORE INTO counter VALUES (1, 0);
COMMIT;
"""


@dataclass(frozen=True, slots=True)
class Wish:
    """That a source be looked at."""

    source: str
    since: datetime
    """Of the oldest of those that it stands for, at the latest."""
    sequence: int
    """Of the newest of them; grows with every wish, across sources."""
    deliveries: int
    """How many of webhooks it stands for."""
    actor: str
    """Who put the newest."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One call of a webhook, by the id that its sender gave it."""

    endpoint: str
    id: str
    sources: tuple[str, ...]
    """What it asks for; none where it asks for nothing."""


@dataclass(frozen=True, slots=True)
class Settled:
    """The run that looked at a source last."""

    sequence: int
    """It saw all that was asked for up to this."""
    run: str
    at: datetime


Taken = Literal["accepted", "known", "full"]


@dataclass(frozen=True, slots=True)
class Inbox:
    """The inbox of one store: an SQLite file, safe across threads, processes and kills."""

    path: Path

    def ask(self, sources: Iterable[str], *, actor: str, now: datetime) -> None:
        """Puts a wish for each source."""
        with self._write() as database:
            _ask(database, sources, actor, now, deliveries=0)

    def take(self, delivery: Delivery, *, most: int, now: datetime) -> Taken:
        """Puts the wishes of a delivery; when this returns they are on disk.

        Args:
            delivery: What was delivered.
            most: So many deliveries may wait; one more is refused.
            now: The time.

        Returns:
            ``accepted``; ``known`` for one that was taken before, which asks for nothing again; or
            ``full``, and nothing was kept of it.
        """
        with self._write() as database:
            known = "SELECT 1 FROM deliveries WHERE endpoint = ? AND id = ?"
            if database.execute(known, (delivery.endpoint, delivery.id)).fetchone():
                return "known"
            [waits] = database.execute("SELECT coalesce(sum(deliveries), 0) FROM wishes").fetchone()
            if delivery.sources and waits + len(delivery.sources) > most:
                return "full"
            sequence = _ask(
                database, delivery.sources, f"webhook: {delivery.endpoint}", now, deliveries=1
            )
            row = (delivery.endpoint, delivery.id, _text(now), sequence)
            database.execute("INSERT INTO deliveries VALUES (?, ?, ?, ?)", row)
            database.execute("DELETE FROM deliveries WHERE at < ?", (_text(now - KEEP_DELIVERIES),))
        return "accepted"

    def waiting(self) -> dict[str, Wish]:
        """What is asked for and no run has looked at yet, by source; the oldest first."""
        rows = self._rows("SELECT * FROM wishes ORDER BY since, source")
        return {
            source: Wish(source, datetime.fromisoformat(since), sequence, deliveries, actor)
            for source, since, sequence, deliveries, actor in rows
        }

    def settle(
        self, seen: Mapping[str, Wish], *, run: str, taken_at: datetime, now: datetime
    ) -> None:
        """Ends the wishes that a run has looked at; what came since it took note stays.

        Args:
            seen: As ``waiting`` gave them before the run listed these sources.
            run: Who looked.
            taken_at: When ``waiting`` was asked: what came later waits since then.
            now: The time.
        """
        if not seen:
            return
        with self._write() as database:
            for source, wish in seen.items():
                whole = "DELETE FROM wishes WHERE source = ? AND sequence <= ?"
                rest = (
                    "UPDATE wishes SET deliveries = max(deliveries - ?, 0), since = max(since, ?)"
                    " WHERE source = ?"
                )
                if not database.execute(whole, (source, wish.sequence)).rowcount:
                    database.execute(rest, (wish.deliveries, _text(taken_at), source))
                row = (source, wish.sequence, run, _text(now))
                newer = (
                    "INSERT INTO settled VALUES (?, ?, ?, ?) ON CONFLICT (source) DO UPDATE SET"
                    " sequence = excluded.sequence, run = excluded.run, at = excluded.at"
                    " WHERE excluded.sequence >= sequence"
                )
                database.execute(newer, row)

    def sequence_of(self, endpoint: str, delivery: str) -> int | None:
        """The sequence of a delivery's wishes; None for one that is not known."""
        asked = "SELECT sequence FROM deliveries WHERE endpoint = ? AND id = ?"
        rows = self._rows(asked, endpoint, delivery)
        return int(rows[0][0]) if rows else None

    def settled(self) -> dict[str, Settled]:
        """By source, the run that looked at it last because somebody asked."""
        rows = self._rows("SELECT * FROM settled")
        return {
            source: Settled(sequence, run, datetime.fromisoformat(at))
            for source, sequence, run, at in rows
        }

    def _rows(self, asked: str, *values: str) -> list[tuple[Any, ...]]:
        """None where there is no inbox, or where somebody is just making it."""
        if not self.path.exists():
            return []
        with self._open() as database:
            return database.execute(asked, values).fetchall() if _is_made(database) else []

    @contextlib.contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with contextlib.closing(
                sqlite3.connect(self.path, timeout=_BUSY_SECONDS, isolation_level=None)
            ) as database:
                # FULL: what is committed is on disk, for a 202 promises it.
                database.execute("PRAGMA synchronous = FULL")
                yield database
        except (sqlite3.Error, OSError) as error:
            raise StoreError(
                f"The inbox {self.path} cannot be used: {error}.",
                hint="See the permissions and the free space of the store's folder."
                " Nothing is lost by deleting the file but what waits in it: refresh all sources then.",
            ) from error

    @contextlib.contextmanager
    def _write(self) -> Iterator[sqlite3.Connection]:
        """A transaction that nobody else writes in the middle of."""
        with self._open() as database:
            if not _is_made(database):
                database.execute("PRAGMA journal_mode = WAL")  # the file remembers it
                database.executescript(_SCHEMA)
            database.execute("BEGIN IMMEDIATE")
            try:
                yield database
            except BaseException:
                database.execute("ROLLBACK")
                raise
            database.execute("COMMIT")


def inbox_of(store_uri: str) -> Inbox:
    """The inbox of a store: beside its tables, so that copies of a project have one each."""
    return Inbox(Path(store_uri) / "inbox.sqlite")


def _is_made(database: sqlite3.Connection) -> bool:
    """Whether its tables are there: they come all at once."""
    asked = "SELECT 1 FROM sqlite_master WHERE name = 'counter'"
    return database.execute(asked).fetchone() is not None


def _ask(
    database: sqlite3.Connection,
    sources: Iterable[str],
    actor: str,
    now: datetime,
    *,
    deliveries: int,
) -> int:
    database.execute("UPDATE counter SET last = last + 1")
    [sequence] = database.execute("SELECT last FROM counter").fetchone()
    put = (
        "INSERT INTO wishes VALUES (?, ?, ?, ?, ?) ON CONFLICT (source) DO UPDATE SET"
        " sequence = excluded.sequence, deliveries = deliveries + excluded.deliveries,"
        " actor = excluded.actor"
    )
    rows = [(source, _text(now), sequence, deliveries, actor) for source in dict.fromkeys(sources)]
    database.executemany(put, rows)
    return int(sequence)


def _text(moment: datetime) -> str:
    """Sorts as the moments do."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")

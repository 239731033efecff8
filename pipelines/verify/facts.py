"""What the store remembers beside its chunks: sources as last seen, what waits, who decided what."""

import json
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from pipelines.knowledge import Store

TABLES = ("publications", "documents", "scans", "holds", "quarantine", "takedowns")
Key = tuple[str, str]
"""(uri, content hash that it would get; empty for a deletion)."""


@dataclass(frozen=True, slots=True)
class Known:
    """A document of a source as it was when its bytes were last read."""

    source: str
    token: str
    content_hash: str
    asked: str | None
    withhold: bool
    moved_to: str | None
    """Where its bytes stand since it is gone."""
    hashed_at: datetime


class Failed(NamedTuple):
    """Why a document version is in quarantine, and since when."""

    expectation: str
    since: datetime


@dataclass(frozen=True, slots=True)
class LastScan:
    """The newest complete listing of a source by a refresh, and what is known since."""

    started_at: datetime
    listed: int
    version: str | None
    newest_at: datetime
    """When the newest listing started, complete or broken off."""
    ended: bool
    """Whether the refresh that listed it came to its end, where it settles what failed."""


@dataclass(frozen=True, slots=True)
class Facts:
    """The side tables, each row as it stands."""

    known: dict[str, Known]
    scans: dict[str, LastScan]
    """By source; a source that was never listed to its end is absent."""
    waiting: dict[str, str]
    """By uri, the hash that it would get, as the newest listings left it."""
    held: frozenset[Key]
    accepted: frozenset[Key]
    dropped: frozenset[Key]
    quarantined: dict[Key, Failed]
    """Without those that a person let out."""
    released: frozenset[Key]
    quarantined_uris: frozenset[str]
    moving: dict[str, str]
    """By content hash, why the version that carries it waits under some uri."""
    taken_uris: frozenset[str]
    taken_hashes: frozenset[str]

    def seen(self, uri: str) -> Known | None:
        """The newest version of a document that a refresh, not only a plan, has seen."""
        known = self.known.get(uri)
        scan = None if known is None else self.scans.get(known.source)
        if known is None or scan is None or known.hashed_at > scan.newest_at:
            return None
        return known


def read_facts(store: Store) -> Facts:
    """Reads the side tables."""
    scans, waiting = _scans(store)
    known = _known(store)
    holds = _rows(store, "holds", "state", "items", "remaining")
    takedowns = _rows(store, "takedowns", "uri", "content_hash", where="lifted_at IS NULL")
    quarantined, released = _quarantine(store)
    held = _items(holds, "open", "items")
    accepted = _items(holds, "accepted", "items")
    dropped = _items(holds, "dropped", "remaining")
    pending = [(known[uri].content_hash if uri in known else "", "pending") for uri in waiting]
    pending += [(wanted, "pending") for wanted in waiting.values()]
    pending += [(content_hash, "pending") for _, content_hash in released]
    kinds = {"pending": accepted, "dropped": dropped, "held": held, "quarantined": quarantined}
    moving = dict(pending) | {h: kind for kind, keys in kinds.items() for _, h in keys}
    moving.pop("", None)
    return Facts(
        known=known,
        scans=scans,
        waiting=waiting,
        held=held,
        accepted=accepted,
        dropped=dropped,
        quarantined=quarantined,
        released=released,
        quarantined_uris=frozenset(uri for uri, _ in quarantined),
        moving=moving,
        taken_uris=frozenset(row["uri"] for row in takedowns),
        taken_hashes=frozenset(row["content_hash"] for row in takedowns) - {""},
    )


def versions(store: Store) -> tuple[int, ...]:
    """Changes when anything that a verification compares with was written."""
    return tuple(store.table(name).version for name in TABLES)


def _rows(store: Store, table: str, *columns: str, where: str | None = None) -> list[Any]:
    search = store.table(table).search()
    search = search.where(where) if where else search
    return list(search.select(list(columns)).to_arrow().to_pylist())


def _items(holds: list[Any], state: str, column: str) -> frozenset[Key]:
    return frozenset(
        (uri, wanted)
        for hold in holds
        if hold["state"] == state
        for uri, wanted in json.loads(hold[column])
    )


def _quarantine(store: Store) -> tuple[dict[Key, Failed], frozenset[Key]]:
    """What failed, each since it failed first, and what people let out of it."""
    columns = ("uri", "content_hash", "expectation", "since", "released_at")
    failed: dict[Key, Failed] = {}
    released: set[Key] = set()
    for row in sorted(_rows(store, "quarantine", *columns), key=lambda row: row["since"]):
        key = (row["uri"], row["content_hash"])
        failed.setdefault(key, Failed(row["expectation"], row["since"]))
        if row["released_at"] is not None:
            released.add(key)
    return {key: one for key, one in failed.items() if key not in released}, frozenset(released)


def _known(store: Store) -> dict[str, Known]:
    columns = ("source", "token", "content_hash", "asked", "withhold", "moved_to", "hashed_at")
    known: dict[str, Known] = {}
    for row in _rows(store, "documents", "uri", *columns):
        one = Known(**{name: row[name] for name in columns})
        if row["uri"] not in known or known[row["uri"]].hashed_at <= one.hashed_at:
            known[row["uri"]] = one
    return known


def _scans(store: Store) -> tuple[dict[str, LastScan], dict[str, str]]:
    """What waited is read of the listings that count, and of no others: there are many."""
    columns = ("source", "run", "order", "started_at", "complete", "listed", "source_version")
    by_source: dict[str, dict[str, Any]] = defaultdict(dict)
    for row in _rows(store, "scans", *columns):  # as they were written, whatever the clocks said
        runs = by_source[row["source"]]
        if row["run"] not in runs or runs[row["run"]]["order"] <= row["order"]:
            runs.pop(row["run"], None)
            runs[row["run"]] = row
    scans: dict[str, LastScan] = {}
    waiting: dict[str, str] = {}
    for source, runs in by_source.items():
        rows = list(runs.values())
        complete = [row for row in rows if row["complete"]]
        if not complete:
            continue
        last = complete[-1]
        scans[source] = LastScan(
            last["started_at"],
            last["listed"],
            last["source_version"],
            max(row["started_at"] for row in rows),
            last["order"] > 0,
        )
        for row in rows[rows.index(last) :]:
            waiting |= _waiting(store, row)
    return scans, waiting


def _waiting(store: Store, scan: dict[str, Any]) -> dict[str, str]:
    names = {name: scan[name].replace("'", "''") for name in ("source", "run")}
    where = f"source = '{names['source']}' AND run = '{names['run']}'"
    rows = _rows(store, "scans", "order", "waiting", where=where)
    text = next(row["waiting"] for row in rows if row["order"] == scan["order"])
    return {uri: wanted for uri, (wanted, _) in json.loads(text).items()}

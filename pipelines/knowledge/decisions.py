"""What waits for a person and what a person decided: holds, quarantine, take-downs."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any

from pipelines.errors import UnknownName
from pipelines.knowledge.side import (
    add_rows,
    delete_rows,
    insert_new,
    packed,
    rows,
    unpacked,
    update_rows,
)
from pipelines.knowledge.store import Store
from pipelines.knowledge.tables import among, quoted
from pipelines.planning import Hold, Rejected, TakenDown
from pipelines.records import Failure, FrontMatter

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
        if insert_new(store, "holds", _new_row(hold, since, run)):
            new.append(hold)
        elif hold.id not in {h.id for h in before}:
            _reopen(store, hold, since)
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


def _reopen(store: Store, hold: Hold, since: datetime) -> None:
    """The same set stands again after its hold was closed."""
    values = {"state": OPEN, "since": since, "why": hold.why, "remaining": packed(hold.items)}
    update_rows(store, "holds", f"id = {quoted(hold.id)} AND state = '{CLOSED}'", values)


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


@dataclass(frozen=True, slots=True)
class QuarantineRow:
    """A document version that failed."""

    uri: str
    source: str
    content_hash: str
    failure: Failure
    excerpt: str | None
    front_matter: FrontMatter | None
    suites: str
    since: datetime


def quarantine(store: Store | None, suites: str | None = None) -> list[QuarantineRow]:
    """Document versions in quarantine, oldest first; under some suites, or all.

    Args:
        store: The store.
        suites: The hash of suites, extractor and limits.
    """
    if store is None:
        return []
    where = None if suites is None else f"suites = {quoted(suites)}"
    found: dict[tuple[str, str, str], QuarantineRow] = {}
    for row in sorted(rows(store, "quarantine", where), key=lambda r: r["since"], reverse=True):
        one = _quarantined(row)
        found[one.uri, one.content_hash, one.suites] = one
    return sorted(found.values(), key=lambda q: (q.since, q.uri))


def _quarantined(row: dict[str, Any]) -> QuarantineRow:
    asked = row["front_matter"]
    return QuarantineRow(
        row["uri"],
        row["source"],
        row["content_hash"],
        Failure(row["expectation"], row["observed"], row["withhold"]),
        row["excerpt"],
        None if asked is None else FrontMatter.from_dict(json.loads(asked)),
        row["suites"],
        row["since"].astimezone(UTC),
    )


def put_in_quarantine(
    store: Store,
    rejected: Iterable[Rejected],
    *,
    excerpts: dict[str, str],
    suites: str,
    run: str,
    now: datetime,
) -> None:
    """Records document versions that failed in this run and were not known to fail before."""
    add_rows(
        store,
        "quarantine",
        [
            {
                "uri": one.found.uri,
                "source": one.found.source,
                "content_hash": one.found.content_hash,
                "expectation": one.failure.expectation,
                "observed": one.failure.observed,
                "withhold": one.failure.withhold,
                "excerpt": excerpts.get(one.found.uri),
                "front_matter": _asked(one),
                "suites": suites,
                "since": now,
                "run": run,
            }
            for one in rejected
        ],
    )


def forget_mended(
    store: Store, *, sources: Iterable[str], standing: Iterable[tuple[str, str]]
) -> None:
    """Drops what no longer stands of some sources: mended, changed, or gone.

    Args:
        store: The store.
        sources: Those whose listing came to its end.
        standing: (uri, content hash) of the versions that fail now.
    """
    here = set(standing)
    looked_at = set(sources)
    over = {
        (q.uri, q.content_hash)
        for q in quarantine(store)
        if q.source in looked_at and (q.uri, q.content_hash) not in here
    }
    # One commit, however many; a hash has no blank, so that the pair is told by its text.
    pairs = (f"{content_hash} {uri}" for uri, content_hash in over)
    delete_rows(store, "quarantine", among("content_hash || ' ' || uri", pairs))


def try_again(store: Store, uris: Iterable[str]) -> None:
    """Forgets that versions of some documents failed: the next refresh tries them again."""
    delete_rows(store, "quarantine", among("uri", uris))


def _asked(rejected: Rejected) -> str | None:
    asked = rejected.found.front_matter
    return json.dumps(asked.to_dict()) if isinstance(asked, FrontMatter) else None


def take_down(
    store: Store,
    versions: Iterable[tuple[str, str]],
    *,
    takedown_id: str | None = None,
    actor: str,
    reason: str,
    now: datetime,
) -> str:
    """Records (uri, content hash) pairs that nobody may see; returns the take-down's id."""
    wanted = sorted(set(versions))
    if takedown_id is None:
        digest = blake2b(json.dumps([wanted, now.isoformat()]).encode(), digest_size=5)
        takedown_id = digest.hexdigest()
    add_rows(
        store,
        "takedowns",
        [
            {
                "id": takedown_id,
                "uri": uri,
                "content_hash": content_hash,
                "at": now,
                "actor": actor,
                "reason": reason,
            }
            for uri, content_hash in wanted
        ],
    )
    return takedown_id


def open_takedowns(store: Store | None) -> dict[str, TakenDown]:
    """What people took down and did not lift, by take-down."""
    grouped: dict[str, tuple[set[str], set[str]]] = {}
    for row in [] if store is None else rows(store, "takedowns", "lifted_at IS NULL"):
        uris, hashes = grouped.setdefault(row["id"], (set(), set()))
        uris.add(row["uri"])
        hashes.add(row["content_hash"])
    return {
        name: TakenDown(frozenset(uris), frozenset(hashes - {""}))
        for name, (uris, hashes) in grouped.items()
    }


def all_taken_down(takedowns: Iterable[TakenDown]) -> TakenDown:
    """Several take-downs as one."""
    known = list(takedowns)
    return TakenDown(
        frozenset().union(*(t.uris for t in known)), frozenset().union(*(t.hashes for t in known))
    )


def lift(
    store: Store,
    takedown_id: str,
    *,
    uri: str | None = None,
    actor: str,
    reason: str,
    now: datetime,
) -> None:
    """Ends a take-down, whole or for one of its documents."""
    values = {"lifted_at": now, "lifted_by": actor, "lifted_reason": reason}
    where = f"id = {quoted(takedown_id)}" + (f" AND uri = {quoted(uri)}" if uri else "")
    update_rows(store, "takedowns", where, values)

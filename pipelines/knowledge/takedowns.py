"""The ``takedowns`` table: what people took down and did not lift."""

import json
from collections.abc import Iterable
from datetime import datetime
from hashlib import blake2b

from pipelines.knowledge.side import (
    add_rows,
    rows,
    update_rows,
)
from pipelines.knowledge.store import Store
from pipelines.knowledge.tables import quoted
from pipelines.planning import TakenDown


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

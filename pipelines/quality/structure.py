"""What must hold of every candidate, whatever a suite says: its documents are whole."""

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.errors import AuditFailed
from pipelines.knowledge import State, Store, all_rows


def check_structure(store: Store, candidate: State) -> tuple[int, int]:
    """Reads the structure of exactly one table version.

    Args:
        store: The store.
        candidate: The version that the ledger is to name.

    Returns:
        How many documents and passages it has.

    Raises:
        AuditFailed: Positions with gaps, a passage twice, or a document in two versions.
    """
    rows = all_rows(store, candidate, ["uri", "position", "content_hash"])
    found = rows.group_by("uri").aggregate(
        [
            ("content_hash", "count_distinct"),
            ("position", "count"),
            ("position", "count_distinct"),
            ("position", "max"),
        ]
    )
    mixed = _named(found, pc.greater(found["content_hash_count_distinct"], 1))
    if mixed:
        raise _failed(f"{mixed[0]} stands there in two versions")
    count = found["position_count"]
    whole = pc.and_(
        pc.equal(found["position_count_distinct"], count),
        pc.equal(pc.add(found["position_max"], 1), count),
    )
    broken = _named(found, pc.invert(whole))
    if broken:
        raise _failed(f"the passages of {broken[0]} (and {len(broken) - 1} others) have gaps")
    return found.num_rows, rows.num_rows


def _named(found: pa.Table, which: pa.ChunkedArray) -> list[str]:
    return sorted(found["uri"].filter(which).to_pylist())


def _failed(what: str) -> AuditFailed:
    return AuditFailed(
        f"The candidate was not published: {what}. Readers go on with the newest publication.",
        hint="Refresh again; if it stays, run staleproof verify and report it.",
    )

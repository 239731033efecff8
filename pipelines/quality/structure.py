"""What must hold of every candidate, whatever a suite says: its documents are whole."""

from pipelines.errors import AuditFailed
from pipelines.knowledge import State, Store, batches


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
    highest: dict[str, int] = {}
    rows: dict[str, int] = {}
    hashes: dict[str, str] = {}
    for batch in batches(store, candidate, ["uri", "position", "content_hash"]):
        columns = (batch[name].to_pylist() for name in ("uri", "position", "content_hash"))
        for uri, position, content_hash in zip(*columns, strict=True):
            rows[uri] = rows.get(uri, 0) + 1
            highest[uri] = max(highest.get(uri, 0), position)
            if hashes.setdefault(uri, content_hash) != content_hash:
                raise _failed(f"{uri} stands there in two versions")
    broken = sorted(uri for uri, count in rows.items() if highest[uri] != count - 1)
    if broken:
        raise _failed(f"the passages of {broken[0]} (and {len(broken) - 1} others) have gaps")
    return len(rows), sum(rows.values())


def _failed(what: str) -> AuditFailed:
    return AuditFailed(
        f"The candidate was not published: {what}. Readers go on with the newest publication.",
        hint="Refresh again; if it stays, run staleproof verify and report it.",
    )

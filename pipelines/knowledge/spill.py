"""The spill: vectors kept beside the chunk tables, so that nothing is embedded twice."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa

from pipelines.knowledge import tables
from pipelines.knowledge.generation import SLICE, rows_of, texts_in, vectors_by_hash
from pipelines.knowledge.ledger import State
from pipelines.knowledge.side import READ, before, compact, delete_rows, forget_versions
from pipelines.knowledge.store import Store
from pipelines.records import Vectors


def spill(store: Store, fingerprint: str, vectors: Mapping[str, Vectors], *, now: datetime) -> None:
    """Appends vectors by text hash; of none it writes nothing."""
    if not vectors:
        return
    matrix = np.stack(list(vectors.values())).astype(np.float32, copy=False)
    count, dimension = matrix.shape
    offsets = pa.array(np.arange(count + 1, dtype=np.int32) * dimension)
    data = pa.table(
        {
            "fingerprint": [fingerprint] * count,
            "text_hash": list(vectors),
            "vector": pa.ListArray.from_arrays(offsets, pa.array(matrix.ravel())),
            "at": [now] * count,
        },
        schema=tables.VECTORS,
    )
    store.write(store.table("vectors").add, data)
    # A large run adds hundreds of fragments, and looks into all of them for every batch.
    if compact(store, "vectors"):
        forget_versions(store, "vectors", older_than=READ)


def forget_spilled(store: Store, fingerprint: str, text_hashes: Iterable[str]) -> None:
    """Deletes vectors that are wrong."""
    wanted = sorted(set(text_hashes))
    for start in range(0, len(wanted), SLICE):
        part = tables.among("text_hash", wanted[start : start + SLICE])
        where = f"fingerprint = {tables.quoted(fingerprint)} AND {part}"
        delete_rows(store, "vectors", where)


def spilled(store: Store, fingerprint: str, text_hashes: Iterable[str]) -> dict[str, Vectors]:
    """The spilled vectors of one embedder, by text hash, each ``(d,)`` float32."""
    table = store.table("vectors")
    wanted = sorted(set(text_hashes))
    found: dict[str, Vectors] = {}
    for start in range(0, len(wanted), SLICE):
        part = tables.among("text_hash", wanted[start : start + SLICE])
        search = table.search().where(f"fingerprint = {tables.quoted(fingerprint)} AND {part}")
        found |= vectors_by_hash(search.select(["text_hash", "vector"]).to_arrow())
    return found


def spill_retired(
    store: Store,
    fingerprint: str,
    *,
    published: State,
    candidate: State,
    uris: Iterable[str],
    now: datetime,
) -> int:
    """Spills the passages of some documents that the candidate no longer has anywhere.

    Args:
        store: The store.
        fingerprint: Of the embedder of both states.
        published: What readers see.
        candidate: What is about to replace it.
        uris: The documents that differ between the two.
        now: The time to record.

    Returns:
        How many passages were retired.
    """
    wanted = sorted(set(uris))
    retired = 0
    for start in range(0, len(wanted), SLICE):
        rows = rows_of(
            store, published, wanted[start : start + SLICE], columns=["text_hash", "vector"]
        )
        vectors = vectors_by_hash(rows)
        still_there = texts_in(store, candidate, vectors)
        gone = {h: v for h, v in vectors.items() if h not in still_there}
        spill(store, fingerprint, gone, now=now)
        retired += len(gone)
    return retired


def prune_spill(store: Store, *, keep_days: float, now: datetime) -> None:
    """Deletes vectors that were spilled more than ``keep_days`` ago."""
    delete_rows(store, "vectors", before("at", now - timedelta(days=keep_days)))

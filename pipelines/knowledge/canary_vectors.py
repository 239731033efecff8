"""The vectors of golden questions, kept by embedder, so that no model is loaded for them again."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from hashlib import blake2b

import numpy as np

from pipelines.knowledge.side import add_rows, compact, rows
from pipelines.knowledge.store import Store
from pipelines.knowledge.tables import among, quoted
from pipelines.records import Vectors

TABLE = "canaries"
SLICE = 500
"""Values in one filter."""


def question_hash(question: str) -> str:
    """The name of an exact question, hexadecimal."""
    return blake2b(question.encode("utf-8"), digest_size=16).hexdigest()


def canary_vectors(store: Store, fingerprint: str, questions: Iterable[str]) -> dict[str, Vectors]:
    """The vectors kept of some questions, by question, each ``(d,)`` float32."""
    by_hash = {question_hash(question): question for question in questions}
    wanted = sorted(by_hash)
    found: dict[str, Vectors] = {}
    for start in range(0, len(wanted), SLICE):
        part = among("question_hash", wanted[start : start + SLICE])
        where = f"fingerprint = {quoted(fingerprint)} AND {part}"
        for row in rows(store, TABLE, where):
            found[by_hash[row["question_hash"]]] = np.asarray(row["vector"], dtype=np.float32)
    return found


def keep_canary_vectors(
    store: Store, fingerprint: str, vectors: Mapping[str, Vectors], *, now: datetime
) -> None:
    """Appends vectors by question; of none it writes nothing."""
    if not vectors:
        return
    added = [
        {
            "fingerprint": fingerprint,
            "question_hash": question_hash(question),
            "vector": vector.tolist(),
            "at": now,
        }
        for question, vector in vectors.items()
    ]
    add_rows(store, TABLE, added)
    compact(store, TABLE)

"""May it be published: checks of passages before they are written, and of a whole candidate."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np

from pipelines.config import Limits
from pipelines.documents import RECIPE
from pipelines.errors import AuditFailed
from pipelines.knowledge import State, Store, batches
from pipelines.records import Chunk, Failure, Vectors

CHECKS = "1"
"""Version of the checks below: a document in quarantine is tried again when it changes."""
NORM_TOLERANCE = 1e-3


def suites_hash(limits: Limits) -> str:
    """What a verdict of quarantine rests on: checks, extractor and limits."""
    said = f"{CHECKS}/{RECIPE}/{limits.max_document_bytes}"
    return blake2b(said.encode(), digest_size=8).hexdigest()


def check_chunks(
    chunks: Sequence[Chunk], vectors: Sequence[Vectors], *, dimension: int, max_tokens: int
) -> Failure | None:
    """What is wrong with the passages of one document and their vectors, each ``(d,)`` float32."""
    if not chunks:
        return Failure("document_has_passages", "0 passages")
    longest = max(chunk.tokens for chunk in chunks)
    if longest > max_tokens:
        return Failure("passage_is_within_token_limit", f"{longest} tokens, limit {max_tokens}")
    if any(vector.shape != (dimension,) for vector in vectors):
        return Failure("vector_has_dimension", f"expected {dimension}")
    matrix = np.stack(vectors)
    if not np.isfinite(matrix).all():
        return Failure("vector_is_finite", f"{int((~np.isfinite(matrix)).sum())} values are not")
    off = float(np.abs(np.linalg.norm(matrix, axis=1) - 1.0).max())
    if off > NORM_TOLERANCE:
        return Failure("vector_has_unit_norm", f"off by {off:.4f}")
    return None


@dataclass(frozen=True, slots=True)
class Audit:
    """What was found out about a candidate."""

    documents: int
    chunks: int

    def to_dict(self) -> dict[str, object]:
        """For the ledger."""
        return {"passed": True, "documents": self.documents, "chunks": self.chunks}


def audit_candidate(store: Store, candidate: State, *, expected: int | None = None) -> Audit:
    """Reads the structure of exactly one table version.

    Args:
        store: The store.
        candidate: The version that the ledger is to name.
        expected: How many documents it must have, where the plan knows.

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
    if expected is not None and len(rows) != expected:
        raise _failed(f"it has {len(rows)} documents, {expected} were planned")
    return Audit(len(rows), sum(rows.values()))


def _failed(what: str) -> AuditFailed:
    return AuditFailed(
        f"The candidate was not published: {what}. Readers go on with the newest publication.",
        hint="Refresh again; if it stays, run staleproof verify and report it.",
    )

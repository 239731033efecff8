"""One pass over the rows of a state: are they whole, and do they agree with themselves."""

import hashlib
import heapq
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipelines.knowledge import State, Store
from pipelines.records import Vectors
from pipelines.verify.report import Findings

NORM_TOLERANCE = 1e-3
SAME = 1e-6
"""Two vectors of one text differ by less."""
BATCH_ROWS = 2_000

_OF_DOCUMENT = (
    "source", "content_hash", "title", "domain", "labels", "train", "findings", "recipe",
    "front_matter",
)  # fmt: skip
_OF_CHUNK = ("uri", "position", "start", "end", "prefix", "text", "text_hash")


class DocumentRow(NamedTuple):
    """What all rows of one document say alike."""

    source: str
    content_hash: str
    title: str
    domain: str
    labels: tuple[str, ...]
    train: bool
    findings: tuple[str, ...]
    recipe: str
    front_matter: str | None


class Sampled(NamedTuple):
    """A passage that is embedded again."""

    uri: str
    position: int
    embedded: str
    vector: Vectors


@dataclass(frozen=True, slots=True)
class Rows:
    """What a pass over all rows saw."""

    documents: dict[str, DocumentRow]
    chunks: int
    dimension: int
    sample: tuple[Sampled, ...]


@dataclass(slots=True)
class _Document:
    """A document as far as its rows were seen."""

    row: DocumentRow
    following: int = 0
    """The position that comes next."""
    end: int = 0
    """Of the passage before it."""
    early: dict[int, tuple[int, int]] = field(default_factory=dict)
    """Spans of passages that came before their turn, by position."""
    told: set[str] = field(default_factory=set)
    """Kinds of problems that are told once a document."""


@dataclass(slots=True)
class _Pass:
    """What a pass holds: documents, 16 bytes a passage, and a sample; neither texts nor vectors."""

    findings: Findings
    seed: str
    wanted: int
    direction: npt.NDArray[np.float64]
    documents: dict[str, _Document] = field(default_factory=dict)
    keys: list[npt.NDArray[np.uint64]] = field(default_factory=list)
    """The first eight bytes of each text's hash."""
    shadows: list[npt.NDArray[np.float64]] = field(default_factory=list)
    """Each vector's length along one random direction."""
    sample: list[tuple[int, int, Sampled]] = field(default_factory=list)
    """A heap of the rows with the lowest marks, the highest of them on top."""
    chunks: int = 0


def verify_rows(store: Store, state: State, findings: Findings, *, seed: str, sample: int) -> Rows:
    """Reads every row of a state once.

    Args:
        store: The store.
        state: The table version.
        findings: Gets the problems.
        seed: Decides which rows are sampled.
        sample: How many.
    """
    table = store.at(*state)
    dimension = table.schema.field("vector").type.list_size
    direction = np.random.default_rng(0).standard_normal(dimension)
    seen = _Pass(findings, seed, sample, direction)
    columns = [*_OF_CHUNK, *_OF_DOCUMENT, "vector"]
    for batch in table.search().select(columns).to_batches(BATCH_ROWS):
        _see_batch(seen, batch)
    for uri, document in seen.documents.items():
        if document.early:
            at = document.following
            findings.add("gap", uri, f"position {at} is missing, {max(document.early)} is there")
    _same_text_same_vector(seen, table)
    sampled = tuple(one for _, _, one in sorted(seen.sample, key=lambda item: -item[0]))
    documents = {uri: document.row for uri, document in seen.documents.items()}
    return Rows(documents, seen.chunks, dimension, sampled)


def matrix_of(batch: pa.RecordBatch | pa.Table) -> npt.NDArray[np.float32]:
    """The vectors of some rows, ``(rows, d)`` float32."""
    column = batch.column("vector")
    flat = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    values = flat.flatten().to_numpy(zero_copy_only=False)
    return np.asarray(values, dtype=np.float32).reshape(batch.num_rows, -1)


def _see_batch(state: _Pass, batch: pa.RecordBatch) -> None:
    if not batch.num_rows:
        return
    matrix = matrix_of(batch)
    keys = []
    for row, vector in zip(_plain(batch), matrix, strict=True):
        embedded = f"{row['prefix']}\n\n{row['text']}" if row["prefix"] else row["text"]
        digest = hashlib.blake2b(embedded.encode("utf-8", "surrogatepass"), digest_size=16)
        keys.append(int.from_bytes(digest.digest()[:8], "big"))
        _see_text(state.findings, row, digest.hexdigest())
        _see_span(state, row)
        _draw(state, row, embedded, vector)
    state.keys.append(np.array(keys, dtype=np.uint64))
    finite = np.where(np.isfinite(matrix), matrix, 0.0).astype(np.float64)
    state.shadows.append(finite @ state.direction)
    state.chunks += batch.num_rows
    _see_vectors(state.findings, batch, matrix)


def _plain(batch: pa.RecordBatch) -> Iterator[dict[str, Any]]:
    names = (*_OF_CHUNK, *_OF_DOCUMENT)
    for values in zip(*(batch.column(name).to_pylist() for name in names), strict=True):
        yield dict(zip(names, values, strict=True))


def _see_text(findings: Findings, row: dict[str, Any], text_hash: str) -> None:
    if not row["text"].strip():
        findings.add("empty_text", row["uri"], f"position {row['position']}")
    if row["text_hash"] != text_hash:
        detail = f"position {row['position']}: its hash is not that of its text"
        findings.add("text_hash", row["uri"], detail)


def _see_vectors(
    findings: Findings, batch: pa.RecordBatch, matrix: npt.NDArray[np.float32]
) -> None:
    finite = np.logical_and.reduce(np.isfinite(matrix), axis=1)
    norms: npt.NDArray[np.float64] = np.linalg.norm(matrix.astype(np.float64), axis=1)
    off = np.abs(norms - 1.0)
    for index in np.flatnonzero(~(finite & (off <= NORM_TOLERANCE))).tolist():
        uri, position = (batch.column(name)[index].as_py() for name in ("uri", "position"))
        what = f"its norm is off by {off[index]:.4f}" if finite[index] else "not finite"
        findings.add("vector", uri, f"position {position}: {what}")


def _see_span(state: _Pass, row: dict[str, Any]) -> None:
    """Where one row stands in its document. Rows come in order; others wait for their turn."""
    uri, position, span = row["uri"], row["position"], (row["start"], row["end"])
    sets = {name: tuple(sorted(row[name])) for name in ("labels", "findings")}
    said = DocumentRow(**{name: row[name] for name in _OF_DOCUMENT} | sets)
    document = state.documents.setdefault(uri, _Document(said))
    _agrees(state.findings, uri, document, said)
    if position < document.following or position in document.early:
        state.findings.add("duplicate", uri, f"position {position} is there more than once")
        return
    document.early[position] = span
    while document.following in document.early:
        start, end = document.early.pop(document.following)
        if not document.end <= start < end:
            detail = f"position {document.following} is [{start}, {end}) after {document.end}"
            state.findings.add("span", uri, detail)
        document.end = max(document.end, end)
        document.following += 1


def _agrees(findings: Findings, uri: str, document: _Document, said: DocumentRow) -> None:
    pairs = zip(_OF_DOCUMENT, document.row, said, strict=True)
    differing = [name for name, first, here in pairs if first != here]
    new = sorted(set(differing) - document.told)
    document.told.update(new)
    if new:
        findings.add("mixed", uri, f"its rows differ in {', '.join(new)}")


def _draw(state: _Pass, row: dict[str, Any], embedded: str, vector: Vectors) -> None:
    """Keeps the rows whose marks are lowest: the same seed draws the same rows."""
    if not state.wanted:
        return
    name = f"{state.seed}\0{row['uri']}\0{row['position']}".encode("utf-8", "surrogatepass")
    mark = int.from_bytes(hashlib.blake2b(name, digest_size=8).digest(), "big")
    full = len(state.sample) == state.wanted
    if full and mark >= -state.sample[0][0]:
        return
    number = state.chunks * BATCH_ROWS + len(state.sample)
    one = Sampled(row["uri"], row["position"], embedded, vector.copy())
    (heapq.heapreplace if full else heapq.heappush)(state.sample, (-mark, number, one))


def _same_text_same_vector(state: _Pass, table: Any) -> None:
    """Sorted by text, neighbours of one text must have one shadow; those that have not are read."""
    if not state.chunks:
        return
    keys, shadows = np.concatenate(state.keys), np.concatenate(state.shadows)
    order = np.lexsort((shadows, keys))
    keys, shadows = keys[order], shadows[order]
    differ = (keys[1:] == keys[:-1]) & (shadows[1:] - shadows[:-1] > SAME)
    for key in np.unique(keys[1:][differ]).tolist():
        names = ["uri", "position", "text_hash", "vector"]
        prefix = key.to_bytes(8, "big").hex()
        found = table.search().where(f"starts_with(text_hash, '{prefix}')").select(names)
        _tell_differing(state.findings, found.to_arrow())


def _tell_differing(findings: Findings, rows: pa.Table) -> None:
    names = (rows[name].to_pylist() for name in ("text_hash", "uri", "position"))
    parts = sorted(zip(*names, range(rows.num_rows), strict=True))
    matrix = matrix_of(rows)
    for _, group in itertools.groupby(parts, key=lambda part: part[0]):
        (_, first, at, index), *others = group
        for _, uri, position, other in others:
            if np.abs(matrix[other] - matrix[index]).max() > SAME:
                detail = f"position {position} has the text of {first}, position {at}"
                findings.add("vector_differs", uri, f"{detail}, and another vector")

"""Plan -> checked, embedded batches -> candidate."""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import blake2b, sha256
from typing import Any

import numpy as np
import pyarrow as pa

from pipelines.config import Limits
from pipelines.documents import RECIPE, cut, read_document
from pipelines.errors import SourceUnavailable
from pipelines.knowledge import (
    Candidate,
    State,
    Store,
    chunk_schema,
    front_matter_text,
    rows_of,
    source_time,
    spill,
    spilled,
    vectors_in,
)
from pipelines.planning import Change, Kind, Rejected
from pipelines.quality import check_chunks
from pipelines.records import (
    Chunk,
    Document,
    Encoder,
    Failure,
    FrontMatter,
    Happened,
    Progress,
    Source,
    SourceVersion,
    Step,
    Tokens,
    Vectors,
)

BATCH_TEXTS = 256
"""Passages embedded between two writes: what a killed run may have to embed again."""
BATCH_DOCUMENTS = 64
BATCH_BYTES = 4_000_000
"""Of documents held in memory at a time, unless one alone is larger."""
REWRITE_DOCUMENTS = 200

Listener = Callable[[Progress | Happened], None]


def content_hash_of(data: bytes) -> str:
    """SHA-256 of a document's bytes, hexadecimal."""
    return sha256(data).hexdigest()


def text_hash_of(embedded: str) -> str:
    """The name of an exact text that is embedded, hexadecimal."""
    return blake2b(embedded.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


@dataclass(frozen=True, slots=True)
class Prepared:
    """One document, read and cut."""

    change: Change
    document: Document
    chunks: tuple[Chunk, ...]
    hashes: tuple[str, ...]
    """Of the embedded texts."""


@dataclass(slots=True)
class Tally:
    """What an ingest did, counted as it goes."""

    embedded: int = 0
    reused: int = 0
    deleted: int = 0
    tokens_embedded: int = 0
    embed_seconds: float = 0.0
    write_seconds: float = 0.0
    rejected: list[Rejected] = field(default_factory=list)
    excerpts: dict[str, str] = field(default_factory=dict)
    unread: dict[str, str] = field(default_factory=dict)
    """Documents that wait, and why: they changed or vanished while they were read."""
    slowest: list[tuple[float, str]] = field(default_factory=list)
    """Seconds to read and cut, uri."""


@dataclass(frozen=True, slots=True)
class Work:
    """What an ingest works with."""

    store: Store
    published: State
    fingerprint: str
    sources: Mapping[str, Source]
    encoder: Callable[[], Encoder]
    """Called when a document must be cut, and not before."""
    limits: Limits
    now: datetime
    step: Step
    on_event: Listener


def prepare(change: Change, source: Source, tokens: Tokens) -> Prepared | Failure | str:
    """Reads and cuts one document.

    Returns:
        The passages; or why this version cannot be published; or why it has to wait.
    """
    found = change.found
    if found is None:
        raise ValueError(f"{change.uri} has no bytes to read")
    try:
        data = source.read(found.entry)
    except SourceUnavailable as error:
        return error.message
    if content_hash_of(data) != found.content_hash:
        return "it changed while it was read"
    asked = found.front_matter if isinstance(found.front_matter, FrontMatter) else None
    document = read_document(data, path=found.entry.path, front_matter=asked)
    if isinstance(document, Failure):
        return document
    chunks = cut(document, tokens)
    return Prepared(change, document, chunks, tuple(text_hash_of(c.embedded) for c in chunks))


def known_vectors(
    store: Store, state: State | None, fingerprint: str, hashes: Sequence[str]
) -> dict[str, Vectors]:
    """The vectors of embedded texts that the published state or the spill has, by text hash."""
    found = {} if state is None else vectors_in(store, state, hashes)
    missing = [h for h in hashes if h not in found]
    return found | (spilled(store, fingerprint, missing) if missing else {})


def build_candidate(work: Work, changes: Sequence[Change]) -> tuple[State, Tally]:
    """Writes the changes behind a fence, batch by batch of whole documents.

    Memory stays bounded by one batch. Embeddings reach the spill before they reach the table, so
    a killed run loses at most one batch of them.

    Returns:
        The version to audit and publish, and what was done.

    Raises:
        Overtaken: Another refresh took over the table.
    """
    tally = Tally()
    candidate = Candidate(work.store, work.published)
    from_bytes = [c for c in changes if needs_bytes(c)]
    rewritten = [c for c in changes if not needs_bytes(c) and c.policy is not None]
    removed = [c for c in changes if c.policy is None]
    done, total = 0, len(changes)
    for number, batch in enumerate(_batches(work, from_bytes, tally), start=1):
        rows = work.step(f"embed:batch {number}", _embedded_rows, work, batch, tally)
        work.step(f"write:batch {number}", _replace, work, candidate, batch, rows, tally)
        done += len(batch)
        work.on_event(Progress("embed", done + len(tally.unread) + len(tally.rejected), total))
    for number, start in enumerate(range(0, len(rewritten), REWRITE_DOCUMENTS), start=1):
        part = rewritten[start : start + REWRITE_DOCUMENTS]
        work.step(f"relabel:batch {number}", _rewrite, work, candidate, part, tally)
    if removed:
        work.step("delete", _remove, work, candidate, removed, tally)
    work.on_event(Progress("embed", total, total))
    return candidate.finish(), tally


def needs_bytes(change: Change) -> bool:
    """Whether a change is made from the document's bytes, not from its published rows."""
    if change.found is None:
        return False
    if change.kind is Kind.MOVED:
        return change.previous is None or change.previous.recipe != RECIPE
    return change.kind in (Kind.ADDED, Kind.CHANGED)


def _batches(work: Work, changes: Sequence[Change], tally: Tally) -> Iterator[list[Prepared]]:
    batch: list[Prepared] = []
    texts = size = 0
    for change in changes:
        started = time.perf_counter()
        prepared = prepare(change, work.sources[change.source], work.encoder())
        tally.slowest = sorted(
            [*tally.slowest, (time.perf_counter() - started, change.uri)], reverse=True
        )[:5]
        if isinstance(prepared, str):
            tally.unread[change.uri] = prepared
        elif isinstance(prepared, Failure):
            _reject(change, prepared, tally)
        else:
            batch.append(prepared)
            texts += len(prepared.chunks)
            size += len(prepared.document.text)
        if texts >= BATCH_TEXTS or len(batch) >= BATCH_DOCUMENTS or size >= BATCH_BYTES:
            yield batch
            batch, texts, size = [], 0, 0
    if batch:
        yield batch


def _reject(change: Change, failure: Failure, tally: Tally, excerpt: str | None = None) -> None:
    if change.found is not None:
        tally.rejected.append(Rejected(change.found, failure, known=False))
    if excerpt:
        tally.excerpts[change.uri] = excerpt


def _embedded_rows(work: Work, batch: list[Prepared], tally: Tally) -> pa.Table | None:
    """Vectors for a batch: looked up, else embedded and spilled; then checked, by document."""
    started = time.perf_counter()
    hashes = [h for one in batch for h in one.hashes]
    vectors = known_vectors(work.store, work.published, work.fingerprint, hashes)
    missing = {
        h: c
        for one in batch
        for h, c in zip(one.hashes, one.chunks, strict=True)
        if h not in vectors
    }
    names = list(missing)
    for start in range(0, len(names), BATCH_TEXTS):
        part = names[start : start + BATCH_TEXTS]
        encoded = work.encoder().encode([missing[h].embedded for h in part])
        fresh = dict(zip(part, encoded, strict=True))
        spill(work.store, work.fingerprint, fresh, now=work.now)
        vectors |= fresh
    tally.embedded += len(missing)
    tally.tokens_embedded += sum(chunk.tokens for chunk in missing.values())
    tally.reused += len(hashes) - len(missing)
    good = [one for one in batch if _passes(work, one, vectors, tally)]
    versions = _versions(work, good)
    rows = _rows(good, vectors, versions, work.encoder().dimension)
    tally.embed_seconds += time.perf_counter() - started
    return rows


def _passes(work: Work, one: Prepared, vectors: Mapping[str, Vectors], tally: Tally) -> bool:
    encoder = work.encoder()
    failure = check_chunks(
        one.chunks,
        [vectors[h] for h in one.hashes],
        dimension=encoder.dimension,
        max_tokens=encoder.max_tokens,
    )
    if failure is not None:
        _reject(one.change, failure, tally, one.document.text[:500])
    return failure is None


def _versions(work: Work, batch: Sequence[Prepared]) -> dict[str, SourceVersion]:
    """By uri, the source version that last touched each document."""
    found: dict[str, SourceVersion] = {}
    for name, source in work.sources.items():
        entries = [
            one.change.found.entry
            for one in batch
            if one.change.found and one.change.source == name
        ]
        if entries:
            found |= {f"{name}/{path}": v for path, v in source.versions(entries).items()}
    return found


def _rows(
    batch: Sequence[Prepared],
    vectors: Mapping[str, Vectors],
    versions: Mapping[str, SourceVersion],
    dimension: int,
) -> pa.Table | None:
    rows: list[dict[str, Any]] = []
    kept: list[Vectors] = []
    for one in batch:
        shared = _document_columns(one, versions.get(one.change.uri))
        for chunk, text_hash in zip(one.chunks, one.hashes, strict=True):
            rows.append(shared | _chunk_columns(chunk, text_hash))
            kept.append(vectors[text_hash])
    if not rows:
        return None
    schema = chunk_schema(dimension)
    plain = pa.schema([f for f in schema if f.name != "vector"])
    table = pa.Table.from_pylist(rows, schema=plain)
    flat = pa.array(np.concatenate(kept).astype(np.float32, copy=False))
    column = pa.FixedSizeListArray.from_arrays(flat, dimension)
    return table.append_column(schema.field("vector"), column).select(schema.names)


def _document_columns(one: Prepared, version: SourceVersion | None) -> dict[str, Any]:
    change = one.change
    if change.policy is None or change.found is None:
        raise ValueError(f"{change.uri} has neither policy nor bytes")
    return {
        "uri": change.uri,
        "source": change.source,
        "title": one.document.title,
        "domain": change.policy.domain,
        "labels": list(change.policy.labels),
        "train": change.policy.train,
        "front_matter": front_matter_text(change.asked),
        "content_hash": change.found.content_hash,
        "recipe": RECIPE,
        "source_version": version.id if version else "",
        "source_at": version.at if version else source_time(0.0),
    }


def _chunk_columns(chunk: Chunk, text_hash: str) -> dict[str, Any]:
    return {
        "position": chunk.position,
        "start": chunk.start,
        "end": chunk.end,
        "heading_path": list(chunk.heading_path),
        "prefix": chunk.prefix,
        "text": chunk.text,
        "text_hash": text_hash,
        "tokens": chunk.tokens,
    }


def _replace(
    work: Work, candidate: Candidate, batch: list[Prepared], rows: pa.Table | None, tally: Tally
) -> None:
    failed = {r.found.uri for r in tally.rejected}
    written = [one.change for one in batch if one.change.uri not in failed]
    _write(work, candidate, written, rows, tally)


def _write(
    work: Work,
    candidate: Candidate,
    changes: Sequence[Change],
    rows: pa.Table | None,
    tally: Tally,
) -> None:
    started = time.perf_counter()
    before = sorted({c.previous.uri for c in changes if c.previous})
    tally.deleted += _gone(work, before, rows)
    if before or rows is not None:
        candidate.replace(before, rows)
    tally.write_seconds += time.perf_counter() - started


def _gone(work: Work, uris: Sequence[str], rows: pa.Table | None) -> int:
    """How many published passages of some documents the new rows do not have."""
    if not uris:
        return 0
    old = Counter(
        rows_of(work.store, work.published, uris, columns=["text_hash"])["text_hash"].to_pylist()
    )
    new = Counter([] if rows is None else rows["text_hash"].to_pylist())
    return (old - new).total()


def _rewrite(work: Work, candidate: Candidate, changes: Sequence[Change], tally: Tally) -> None:
    """Documents whose text stays: their published rows under a new uri or policy."""
    by_uri = {c.previous.uri: c for c in changes if c.previous}
    rows = rows_of(work.store, work.published, list(by_uri))
    moved = [c for c in changes if c.kind is Kind.MOVED and c.found is not None]
    versions = _moved_versions(work, moved)
    new = [_rewritten(row, by_uri[row["uri"]], versions) for row in _plain(rows)]
    plain = pa.schema([f for f in rows.schema if f.name != "vector"])
    table = pa.Table.from_pylist(new, schema=plain)
    table = table.append_column(rows.schema.field("vector"), rows["vector"]).select(
        rows.schema.names
    )
    tally.reused += table.num_rows
    _write(work, candidate, changes, table, tally)


def _plain(rows: pa.Table) -> list[dict[str, Any]]:
    return list(rows.drop_columns(["vector"]).to_pylist())


def _moved_versions(work: Work, moved: Sequence[Change]) -> dict[str, SourceVersion]:
    found: dict[str, SourceVersion] = {}
    for name, source in work.sources.items():
        entries = [c.found.entry for c in moved if c.found and c.source == name]
        if entries:
            found |= {f"{name}/{path}": v for path, v in source.versions(entries).items()}
    return found


def _rewritten(
    row: dict[str, Any], change: Change, versions: Mapping[str, SourceVersion]
) -> dict[str, Any]:
    if change.policy is None:
        raise ValueError(f"{change.uri} has no policy")
    row = row | {
        "uri": change.uri,
        "source": change.source,
        "domain": change.policy.domain,
        "labels": list(change.policy.labels),
        "train": change.policy.train,
        "front_matter": front_matter_text(change.asked),
    }
    version = versions.get(change.uri)
    if version is not None:
        row |= {"source_version": version.id, "source_at": version.at}
    return row


def _remove(work: Work, candidate: Candidate, changes: Sequence[Change], tally: Tally) -> None:
    for start in range(0, len(changes), REWRITE_DOCUMENTS):
        _write(work, candidate, changes[start : start + REWRITE_DOCUMENTS], None, tally)


@dataclass(frozen=True, slots=True)
class Cost:
    """What one document would cost."""

    chunks: int
    """Passages that would be embedded."""
    tokens: int
    reused: int
    failure: Failure | None = None


def estimate(
    changes: Sequence[Change],
    *,
    store: Store | None,
    published: State | None,
    fingerprint: str,
    sources: Mapping[str, Source],
    tokens: Tokens,
) -> dict[str, Cost]:
    """What the changes would cost, by uri: everything is read and cut, nothing is embedded."""
    counted: set[str] = set()
    costs: dict[str, Cost] = {}
    for change in changes:
        if not needs_bytes(change):
            continue
        prepared = prepare(change, sources[change.source], tokens)
        if isinstance(prepared, str):
            continue
        if isinstance(prepared, Failure):
            costs[change.uri] = Cost(0, 0, 0, prepared)
            continue
        hashes = list(prepared.hashes)
        known = (
            set() if store is None else set(known_vectors(store, published, fingerprint, hashes))
        )
        new = {
            h: c.tokens
            for h, c in zip(hashes, prepared.chunks, strict=True)
            if h not in known and h not in counted
        }
        counted |= set(new)
        costs[change.uri] = Cost(len(new), sum(new.values()), len(hashes) - len(new))
    return costs


def rejected_by_cost(changes: Sequence[Change], costs: Mapping[str, Cost]) -> list[Rejected]:
    """The documents that an estimate found unfit."""
    return [
        Rejected(c.found, cost.failure, known=False)
        for c in changes
        if c.found and (cost := costs.get(c.uri)) and cost.failure
    ]

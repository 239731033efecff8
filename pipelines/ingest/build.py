"""Writes changes behind the fence, batch by batch of whole documents."""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pyarrow as pa

from pipelines.config import Limits
from pipelines.ingest.prepare import Prepared, needs_bytes, prepare
from pipelines.ingest.rows import rewritten, rows_of_batch
from pipelines.knowledge import Candidate, State, Store, rows_of, spill, spilled, vectors_in
from pipelines.planning import Change, Rejected
from pipelines.quality import check_chunks
from pipelines.records import (
    Encoder,
    Failure,
    Happened,
    Progress,
    Source,
    SourceVersion,
    Step,
    Vectors,
)

BATCH_TEXTS = 256
"""Passages embedded between two writes: what a killed run may have to embed again."""
BATCH_DOCUMENTS = 64
BATCH_BYTES = 4_000_000
"""Of documents held in memory at a time, unless one alone is larger."""
REWRITE_DOCUMENTS = 200

Listener = Callable[[Progress | Happened], None]


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
    versions = work.step("versions", _versions, work.sources, changes, retryable=True)
    from_bytes = [c for c in changes if needs_bytes(c)]
    rewritten = [c for c in changes if not needs_bytes(c) and c.policy is not None]
    removed = [c for c in changes if c.policy is None]
    done, total = 0, len(changes)
    for number, batch in enumerate(_batches(work, from_bytes, tally), start=1):
        rows = work.step(f"embed:batch {number}", _embedded_rows, work, batch, versions, tally)
        work.step(f"write:batch {number}", _replace, work, candidate, batch, rows, tally)
        done += len(batch)
        work.on_event(Progress("embed", done + len(tally.unread) + len(tally.rejected), total))
    for number, start in enumerate(range(0, len(rewritten), REWRITE_DOCUMENTS), start=1):
        part = rewritten[start : start + REWRITE_DOCUMENTS]
        work.step(f"relabel:batch {number}", _rewrite, work, candidate, part, versions, tally)
    if removed:
        work.step("delete", _remove, work, candidate, removed, tally)
    work.on_event(Progress("embed", total, total))
    return candidate.finish(), tally


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


def _embedded_rows(
    work: Work,
    batch: list[Prepared],
    versions: Mapping[str, SourceVersion],
    tally: Tally,
) -> pa.Table | None:
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
    rows = rows_of_batch(good, vectors, versions, work.encoder().dimension)
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


def _versions(sources: Mapping[str, Source], changes: Sequence[Change]) -> dict[str, SourceVersion]:
    """By uri, the source version that last touched each document that is new or moved.

    Asked once a source: a history may have to be walked for it.
    """
    found: dict[str, SourceVersion] = {}
    for name, source in sources.items():
        entries = [c.found.entry for c in changes if c.found and c.source == name]
        if entries:
            found |= {f"{name}/{path}": v for path, v in source.versions(entries).items()}
    return found


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


def _rewrite(
    work: Work,
    candidate: Candidate,
    changes: Sequence[Change],
    versions: Mapping[str, SourceVersion],
    tally: Tally,
) -> None:
    """Documents whose text stays: their published rows under a new uri or policy."""
    by_uri = {c.previous.uri: c for c in changes if c.previous}
    rows = rows_of(work.store, work.published, list(by_uri))
    new = [rewritten(row, by_uri[row["uri"]], versions) for row in _plain(rows)]
    plain = pa.schema([f for f in rows.schema if f.name != "vector"])
    table = pa.Table.from_pylist(new, schema=plain)
    table = table.append_column(rows.schema.field("vector"), rows["vector"]).select(
        rows.schema.names
    )
    tally.reused += table.num_rows
    _write(work, candidate, changes, table, tally)


def _plain(rows: pa.Table) -> list[dict[str, Any]]:
    return list(rows.drop_columns(["vector"]).to_pylist())


def _remove(work: Work, candidate: Candidate, changes: Sequence[Change], tally: Tally) -> None:
    for start in range(0, len(changes), REWRITE_DOCUMENTS):
        _write(work, candidate, changes[start : start + REWRITE_DOCUMENTS], None, tally)

"""Writes changes behind the fence, batch by batch of whole documents."""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa

from pipelines.ingest.check import check_chunks, check_documents
from pipelines.ingest.prepare import Prepared, Read, needs_bytes, prepare, read
from pipelines.ingest.rows import rewritten, rows_of_batch
from pipelines.knowledge import (
    Candidate,
    State,
    Store,
    forget_spilled,
    rows_of,
    spill,
    spilled,
    vectors_in,
)
from pipelines.planning import Change, Rejected
from pipelines.quality import Checks, Judged, Verdict, check_unchanged, excerpt, merged
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
"""Passages embedded before they reach the spill: what a killed run may have to embed again."""
BATCH_DOCUMENTS = 64
BATCH_CHARACTERS = 500_000
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
    verdicts: tuple[Verdict, ...] = ()
    """On documents and passages before they were written."""
    excerpts: dict[str, str] = field(default_factory=dict)
    unread: dict[str, str] = field(default_factory=dict)
    """Documents that wait, and why: they changed or vanished while they were read."""
    slowest: list[tuple[float, str]] = field(default_factory=list)
    """Seconds to read, uri."""
    unchanged: bool = False
    """Whether the embedder was seen to give the vectors that it gave."""

    def plus(self, other: "Tally") -> "Tally":
        """This and what else the same run did."""
        return Tally(
            embedded=self.embedded + other.embedded,
            reused=self.reused + other.reused,
            deleted=self.deleted + other.deleted,
            tokens_embedded=self.tokens_embedded + other.tokens_embedded,
            embed_seconds=self.embed_seconds + other.embed_seconds,
            write_seconds=self.write_seconds + other.write_seconds,
            rejected=[*self.rejected, *other.rejected],
            verdicts=merged(self.verdicts, other.verdicts),
            excerpts=self.excerpts | other.excerpts,
            unread=self.unread | other.unread,
            slowest=sorted([*self.slowest, *other.slowest], reverse=True)[:5],
            unchanged=self.unchanged or other.unchanged,
        )

    def again(self) -> "Tally":
        """For another try of the same run: what was embedded and found out stays, the rest not."""
        return replace(
            self, reused=0, deleted=0, rejected=list(self.rejected), unread=dict(self.unread)
        )


@dataclass(frozen=True, slots=True)
class Work:
    """What an ingest works with."""

    store: Store
    published: State
    fingerprint: str
    sources: Mapping[str, Source]
    encoder: Callable[[], Encoder]
    """Called when a document must be cut, and not before."""
    checks: Checks
    duplicates: Mapping[str, str]
    """Uri -> another document of the same bytes."""
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


def build_candidate(
    work: Work, changes: Sequence[Change], tally: Tally | None = None
) -> tuple[State, Tally]:
    """Writes the changes behind a fence, batch by batch of whole documents.

    Documents are checked before they are cut, passages and vectors before they are written, so
    that what is published of a failing document is never touched. Memory stays bounded by one
    batch. Embeddings reach the spill before they reach the table, so
    a killed run loses at most one batch of them.

    Args:
        work: What it works with.
        changes: What to write.
        tally: Of a former try of this run, whose embeddings count as well.

    Returns:
        The version to audit and publish, and what was done.

    Raises:
        Overtaken: Another refresh took over the table.
    """
    found_out = None if tally is None else tally.verdicts
    tally = Tally() if tally is None else tally.again()
    candidate = Candidate(work.store, work.published)
    versions = work.step("versions", _versions, work.sources, changes, retryable=True)
    from_bytes = [c for c in changes if needs_bytes(c)]
    rewritten = [c for c in changes if not needs_bytes(c) and c.policy is not None]
    removed = [c for c in changes if c.policy is None]
    done, total = 0, len(changes)
    for number, batch in enumerate(_batches(work, from_bytes, tally), start=1):
        good = work.step(f"check:batch {number}", _checked, work, batch, tally)
        rows = work.step(f"embed:batch {number}", _embedded_rows, work, good, versions, tally)
        work.step(f"write:batch {number}", _replace, work, candidate, good, rows, tally)
        done += len(batch)
        work.on_event(Progress("embed", done + len(tally.unread) + len(tally.rejected), total))
    for number, start in enumerate(range(0, len(rewritten), REWRITE_DOCUMENTS), start=1):
        part = rewritten[start : start + REWRITE_DOCUMENTS]
        work.step(f"relabel:batch {number}", _rewrite, work, candidate, part, versions, tally)
    if removed:
        work.step("delete", _remove, work, candidate, removed, tally)
    work.on_event(Progress("embed", total, total))
    if found_out is not None:  # the same documents, or some of them: nothing counts twice
        tally.verdicts = found_out
    return candidate.finish(), tally


def _batches(work: Work, changes: Sequence[Change], tally: Tally) -> Iterator[list[Read]]:
    batch: list[Read] = []
    size = 0
    for change in changes:
        started = time.perf_counter()
        one = read(change, work.sources[change.source])
        tally.slowest = sorted(
            [*tally.slowest, (time.perf_counter() - started, change.uri)], reverse=True
        )[:5]
        if isinstance(one, str):
            tally.unread[change.uri] = one
        elif isinstance(one, Failure):
            _reject(change, one, tally)
        else:
            batch.append(one)
            size += len(one.document.text)
        if len(batch) >= BATCH_DOCUMENTS or size >= BATCH_CHARACTERS:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _reject(change: Change, failure: Failure, tally: Tally, shown: str | None = None) -> None:
    if change.found is not None:
        tally.rejected.append(Rejected(change.found, failure, known=False))
    if shown:
        tally.excerpts[change.uri] = shown


def _checked(work: Work, batch: list[Read], tally: Tally) -> list[Prepared]:
    """The documents of a batch whose text passed, cut."""
    judged = check_documents(
        batch,
        work.checks,
        store=work.store,
        published=work.published,
        duplicates=work.duplicates,
    )
    _keep_verdicts(work, judged, {one.change.uri: one for one in batch}, tally)
    good = [one for one in batch if one.change.uri not in judged.failures]
    prepared = [
        prepare(one, work.encoder(), judged.findings.get(one.change.uri, ())) for one in good
    ]
    for one in prepared:
        if not one.chunks:
            _reject(one.change, Failure("document_has_passages", "0 passages"), tally)
    return [one for one in prepared if one.chunks]


def _keep_verdicts(
    work: Work, judged: Judged, batch: Mapping[str, Read | Prepared], tally: Tally
) -> None:
    tally.verdicts = merged(tally.verdicts, judged.verdicts)
    for uri, failure in judged.failures.items():
        shown = excerpt(batch[uri].document.text, work.checks)
        _reject(batch[uri].change, failure, tally, shown)


def _embedded_rows(
    work: Work,
    batch: list[Prepared],
    versions: Mapping[str, SourceVersion],
    tally: Tally,
) -> pa.Table | None:
    """Vectors for a batch: looked up, else embedded and spilled; then checked, by document."""
    if not batch:
        return None
    started = time.perf_counter()
    hashes = [h for one in batch for h in one.hashes]
    vectors = known_vectors(work.store, work.published, work.fingerprint, hashes)
    missing = {
        h: c
        for one in batch
        for h, c in zip(one.hashes, one.chunks, strict=True)
        if h not in vectors
    }
    if missing and not tally.unchanged:
        check_unchanged(work.store, work.encoder(), now=work.now)
        tally.unchanged = True
    names = list(missing)
    for start in range(0, len(names), BATCH_TEXTS):
        part = names[start : start + BATCH_TEXTS]
        encoded = work.encoder().encode([missing[h].embedded for h in part])
        fresh = dict(zip(part, encoded, strict=True))
        spill(work.store, work.fingerprint, _usable(fresh, work.encoder()), now=work.now)
        vectors |= fresh
    tally.embedded += len(missing)
    tally.tokens_embedded += sum(chunk.tokens for chunk in missing.values())
    tally.reused += len(hashes) - len(missing)
    encoder = work.encoder()
    judged = check_chunks(batch, vectors, work.checks, encoder)
    _keep_verdicts(work, judged, {one.change.uri: one for one in batch}, tally)
    good = [one for one in batch if one.change.uri not in judged.failures]
    _forget_failed(work, batch, good, set(missing))
    rows = rows_of_batch(good, vectors, versions, encoder.dimension, work.checks.rules)
    tally.embed_seconds += time.perf_counter() - started
    return rows


def _usable(vectors: Mapping[str, Vectors], encoder: Encoder) -> dict[str, Vectors]:
    """Those that can be stored at all; the others fail their check in a moment."""
    return {
        h: v for h, v in vectors.items() if v.shape == (encoder.dimension,) and np.isfinite(v).all()
    }


def _forget_failed(
    work: Work, batch: Sequence[Prepared], good: Sequence[Prepared], fresh: set[str]
) -> None:
    """A vector that failed its check is embedded again when its document is tried again."""
    passed = {h for one in good for h in one.hashes}
    failed = {h for one in batch for h in one.hashes} - passed
    forget_spilled(work.store, work.fingerprint, failed & fresh)


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

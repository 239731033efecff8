"""Embeds what a generation lacks of the published documents, some at a time."""

import time
from collections.abc import Sequence
from datetime import datetime

import numpy as np
import pyarrow as pa

from pipelines.errors import FillFailed
from pipelines.fill.records import Work
from pipelines.knowledge import (
    Candidate,
    Difference,
    State,
    difference,
    is_aborted,
    newest,
    protecting,
    publications,
    rows_at,
    spilled,
    vectors_in,
)
from pipelines.quality import check_unchanged
from pipelines.records import Progress, Vectors

BATCH_TEXTS = 256
"""Passages embedded before they are written: what a killed fill has to embed again."""
ROUND_BATCHES = 64
"""Before it looks at the newest publication, and merges what it wrote into larger files."""


def fill_round(work: Work, head: State, *, whole: bool = False) -> tuple[State, int]:
    """Makes a generation hold the documents of the newest publication, or some more of them.

    A document whose passages are there is done: a fill that was killed goes on here. The fence
    is the same as a refresh has, on the table's own head.

    Args:
        work: The fill.
        head: The version of the generation to go on from.
        whole: Do not stop before everything is there.

    Returns:
        The version that was written, and how many batches were.

    Raises:
        Overtaken: Somebody else writes to the table.
        FillFailed: A passage does not fit into the model, or somebody gave the fill up.
    """
    work.tally.rounds += 1
    candidate = Candidate(work.store, head)
    with protecting(work.store, run=work.run, at=work.clock()) as protect:
        wanted = newest(work.store)
        while wanted is not None and not protect(wanted.state):
            wanted = newest(work.store)  # what was the newest was replaced and cleaned away
        if wanted is None:
            raise FillFailed("Nothing is published yet.", hint="Run staleproof refresh.")
        former = _same_embedder(work)
        if former is not None and not protect(former):
            former = None
        gap = difference(work.store, wanted=wanted.state, there=candidate.state)
        until = None if whole else work.clock() + work.config.knowledge.longest_read / 2
        batches = _write(work, candidate, gap, wanted.state, former, until)
    return candidate.finish(), batches


def _write(
    work: Work,
    candidate: Candidate,
    gap: Difference,
    wanted: State,
    former: State | None,
    until: datetime | None,
) -> int:
    done, total, batches = 0, gap.places.num_rows, 0
    for rows in rows_at(work.store, wanted, gap.places, rows=BATCH_TEXTS):
        go_on(work)
        if until is not None and (batches == ROUND_BATCHES or work.clock() >= until):
            return batches
        work.on_event(Progress("fill", done, total))
        uris = set(rows["uri"].to_pylist())
        candidate.replace(sorted(uris & gap.stale), _embedded(work, rows, candidate.state, former))
        done, batches = done + rows.num_rows, batches + 1
    gone = gap.stale - set(gap.places["uri"].unique().to_pylist())
    candidate.replace(sorted(gone), None)
    work.on_event(Progress("fill", total, total))
    return batches


def go_on(work: Work) -> None:
    """Stops a fill that somebody gave up.

    Raises:
        FillFailed: Somebody did.
    """
    if is_aborted(work.store, work.encoder.fingerprint):
        raise FillFailed("The fill was given up. Readers saw nothing of it.")


def _same_embedder(work: Work) -> State | None:
    """The newest published state whose vectors this embedder made, where it served before."""
    rows = publications(work.store)
    names = work.store.names()
    return next(
        (
            row.state
            for row in rows
            if row.fingerprint == work.encoder.fingerprint and row.generation in names
        ),
        None,
    )


def _embedded(work: Work, rows: pa.Table, there: State, former: State | None) -> pa.Table:
    """The rows with this embedder's vectors: looked up, else embedded."""
    started = time.perf_counter()
    hashes = rows["text_hash"].to_pylist()
    texts = dict(zip(hashes, _texts(rows), strict=True))
    vectors = _known(work, list(texts), there, former)
    missing = [h for h in texts if h not in vectors]
    _check_lengths(work, rows, [texts[h] for h in missing])
    if missing and not work.tally.unchanged:
        check_unchanged(work.store, work.encoder, now=work.clock())
        work.tally.unchanged = True
    for start in range(0, len(missing), BATCH_TEXTS):
        part = missing[start : start + BATCH_TEXTS]
        vectors |= dict(zip(part, work.encoder.encode([texts[h] for h in part]), strict=True))
    tokens = dict(zip(hashes, rows["tokens"].to_pylist(), strict=True))
    work.tally.embedded += len(missing)
    work.tally.tokens_embedded += sum(tokens[h] for h in missing)
    work.tally.reused += rows.num_rows - len(missing)
    work.tally.embed_seconds += time.perf_counter() - started
    return _with_vectors(rows, [vectors[h] for h in hashes], work.encoder.dimension)


def _texts(rows: pa.Table) -> list[str]:
    """The exact text of each passage that is embedded, as ``Chunk.embedded`` has it."""
    pairs = zip(rows["prefix"].to_pylist(), rows["text"].to_pylist(), strict=True)
    return [f"{prefix}\n\n{text}" if prefix else text for prefix, text in pairs]


def _known(
    work: Work, hashes: Sequence[str], there: State, former: State | None
) -> dict[str, Vectors]:
    """Vectors that this embedder made before: in this generation, an earlier one, the spill."""
    found = vectors_in(work.store, there, hashes)
    if former is not None and len(found) < len(hashes):
        found |= vectors_in(work.store, former, [h for h in hashes if h not in found])
    missing = [h for h in hashes if h not in found]
    return found | (spilled(work.store, work.encoder.fingerprint, missing) if missing else {})


def _check_lengths(work: Work, rows: pa.Table, texts: list[str]) -> None:
    """Passages were cut for the embedder that serves; another one may take less.

    Raises:
        FillFailed: One is too long.
    """
    longest = max(work.encoder.count(texts), default=0)
    if longest > work.encoder.max_tokens:
        raise FillFailed(
            f"A passage of {longest} tokens does not fit into {work.wanted.model}, which takes"
            f" {work.encoder.max_tokens}. It is one of {rows['uri'][0].as_py()} or of the"
            " documents after it. Readers saw nothing of this fill.",
            hint="Passages are cut for the embedder that serves. An embedder that takes less"
            " starts a store of its own under [knowledge] store.",
        )


def _with_vectors(rows: pa.Table, vectors: Sequence[Vectors], dimension: int) -> pa.Table:
    flat = pa.array(np.concatenate(vectors).astype(np.float32, copy=False))
    column = pa.FixedSizeListArray.from_arrays(flat, dimension)
    field = pa.field("vector", column.type, nullable=False)
    return rows.set_column(rows.schema.get_field_index("vector"), field, column)

"""Verify the newest publication. Reads only, and trusts nothing that made it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

from pipelines.config import Config
from pipelines.embedding import load_encoder as load_by_name
from pipelines.knowledge import Publication, Store, publications, published_store
from pipelines.records import Happened, LoadEncoder, Progress, Step, call, ignore
from pipelines.sources import open_source
from pipelines.verify.documents import verify_documents
from pipelines.verify.facts import read_facts, versions
from pipelines.verify.ledger import verify_ledger
from pipelines.verify.report import Findings, Verification
from pipelines.verify.rows import Rows, verify_rows
from pipelines.verify.sample import verify_sample
from pipelines.verify.sources import verify_source
from pipelines.verify.today import Today, today_of

LOOKS = 3
"""How often it looks again where somebody wrote while it looked and something seems wrong."""


def verify_knowledge(
    config: Config,
    *,
    now: datetime,
    run_id: str,
    sources: bool = False,
    sample: int = 50,
    step: Step = call,
    on_event: Callable[[Progress | Happened], None] = ignore,
    load_encoder: LoadEncoder = load_by_name,
) -> Verification:
    """Checks what readers see: ledger, rows, access, and a sample of vectors.

    Args:
        config: The configuration.
        now: The time of the listings, and the day on which what readers see must hold.
        run_id: Decides which passages are sampled.
        sources: Compare with the sources as well: every document is read.
        sample: How many passages are embedded again; 0 loads no model.
        step: Runs one stage.
        on_event: Hears of progress.
        load_encoder: Finds the model that the ledger names.

    Raises:
        PublicationNotFound: Nothing is published yet.
        StoreFormat: The store has another format.
    """
    store, _ = published_store(config)
    work = _Work(config, store, now, run_id, sources, sample, step, on_event, load_encoder)
    for _ in range(LOOKS):
        before = versions(store)
        found = _verify(work)
        if found.ok or versions(store) == before:
            break
    return found


@dataclass(frozen=True, slots=True)
class _Work:
    """What was asked for."""

    config: Config
    store: Store
    now: datetime
    run: str
    sources: bool
    sample: int
    step: Step
    on_event: Callable[[Progress | Happened], None]
    load_encoder: LoadEncoder


def _verify(work: _Work) -> Verification:
    """One look."""
    findings = Findings()
    store = work.store
    ledger = publications(store)
    publication = ledger[0]
    rows = None
    if work.step("verify:ledger", verify_ledger, store, ledger, findings):
        rows = work.step("verify:rows", _verify_rows, work, publication, findings)
    if rows is None:
        return Verification(publication.number, 0, 0, {}, findings.problems())
    today = today_of(work.config, ledger, read_facts(store), now=work.now)
    work.step("verify:documents", verify_documents, rows.documents, today, findings)
    if rows.sample:
        again = partial(verify_sample, load_encoder=work.load_encoder)
        work.step("verify:vectors", again, work.config, publication, rows, findings)
    if work.sources:
        _verify_sources(work, rows, today, findings)
    return Verification(
        publication.number, len(rows.documents), rows.chunks,
        dict(findings.explained), findings.problems(), findings.unreachable,
    )  # fmt: skip


def _verify_sources(work: _Work, rows: Rows, today: Today, findings: Findings) -> None:
    for number, settings in enumerate(work.config.sources):
        work.on_event(Progress("verify", number, len(work.config.sources)))
        source = open_source(
            settings, root=work.config.root, cache=Path(work.config.store_uri) / "sources"
        )
        limit = work.config.limits.max_document_bytes
        compare = partial(verify_source, now=work.now, max_bytes=limit)
        work.step(
            f"verify:{source.name}", compare, source, work.store, rows.documents, today, findings
        )


def _verify_rows(work: _Work, publication: Publication, findings: Findings) -> Rows | None:
    """The pass over all rows, and their number; None where they cannot be read to their end."""
    try:
        rows = verify_rows(
            work.store, publication.state, findings, seed=work.run, sample=work.sample
        )
    except (OSError, RuntimeError) as error:
        said = f"#{publication.number} cannot be read to its end ({type(error).__name__})"
        findings.add("unreadable", "", said)
        return None
    counted = {"documents": len(rows.documents), "chunks": rows.chunks}
    for name, count in counted.items():
        told = getattr(publication, name)
        if told != count:
            findings.add(
                "count", "", f"#{publication.number} says {told} {name}, there are {count}"
            )
    return rows

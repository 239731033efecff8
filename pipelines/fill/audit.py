"""Audits a filled generation as a publication: what readers see, by another embedder."""

from collections.abc import Callable
from typing import Any

from pipelines.fill.records import Work
from pipelines.knowledge import (
    AuditRow,
    Publication,
    State,
    known_documents,
    record_audit,
    released,
)
from pipelines.planning import rules_on
from pipelines.quality import Audit, Checks, Severity, Subject, audit_candidate, load_suites
from pipelines.records import Encoder


def audit_filled(work: Work, last: Publication, filled: State) -> tuple[Audit, str | None]:
    """Audits exactly the version that the ledger is to name, against the published one.

    What fails as it is published failed before, and is no fault of the embedder.

    Returns:
        The audit, and why it refuses; None where it does not.
    """
    audit = _audited(work, last, filled, last)
    if not audit.failing:
        return audit, None
    before = _failures(_audited(work, None, last.state, last))
    new = _failures(audit) - before
    if not new:
        return audit, None
    expectation, key = min(new)
    verdict = next(v for v in audit.verdicts if v.expectation == expectation)
    more = f" (and {len(new) - 1} more)" if len(new) > 1 else ""
    observed = verdict.failed.get(key) or verdict.observed
    return audit, f"{key} fails {expectation}{more}: {observed}, expected {verdict.expected}"


def _audited(work: Work, published: Publication | None, state: State, last: Publication) -> Audit:
    config, store = work.config, work.store
    let_out = frozenset((q.uri, q.content_hash) for q in released(store))
    rules = rules_on(config, work.now.date())
    served = state == last.state
    subject = Subject(
        store=store,
        published=published,
        candidate=state,
        fingerprint=last.fingerprint if served else work.encoder.fingerprint,
        moved_earlier={
            uri: known.remembered.moved_to
            for uri, known in known_documents(store).items()
            if known.remembered.moved_to is not None
        },
        withheld=frozenset(last.withheld),
        former_encoder=_former(work, last),
    )
    return audit_candidate(
        subject,
        Checks(config, load_suites(config.expectations), rules, let_out),
        encoder=_former(work, last) if served else lambda: work.encoder,
        now=work.clock(),
    )


def _former(work: Work, last: Publication) -> Callable[[], Encoder]:
    def load() -> Encoder:
        size = work.config.embedder.batch_size
        return work.ports.load_encoder(last.model, root=work.config.root, batch_size=size)

    return load


def _failures(audit: Audit) -> set[tuple[str, str]]:
    critical = (v for v in audit.verdicts if v.severity is Severity.CRITICAL and not v.passed)
    return {(v.expectation, key) for v in critical for key in v.failed or {"": ""}}


def recall_of(audit: Audit) -> dict[str, float | int | None]:
    """How many golden questions count, and the share that found their document, before and now."""
    count = sum(m["canaries"] for m in audit.measures.values())
    told: dict[str, float | int | None] = {"canaries": count}
    for key, name in (("before", "canary_recall_before"), ("now", "canary_recall")):
        hits = sum((m[name] or 0.0) * m["canaries"] for m in audit.measures.values())
        told[key] = round(hits / count, 4) if count else None
    return told


def remember_audit(
    work: Work, audit: Audit, *, number: int | None, refused: str | None, noted: dict[str, Any]
) -> None:
    """Writes down what was found out, whether readers were switched or not."""
    report = {"passed": refused is None, **audit.report(), "held": [], "promotion": noted}
    record_audit(work.store, AuditRow(work.run, number, work.clock(), report))

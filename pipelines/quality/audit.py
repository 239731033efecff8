"""Judges a whole candidate: what it has that the published version lacks, and its sources."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pipelines.knowledge import Publication, State, Store, changed_rows
from pipelines.planning import Change
from pipelines.quality.canaries import (
    Canary,
    Mend,
    Recall,
    question_vectors,
    read_canaries,
    recalls,
)
from pipelines.quality.checks import Checks
from pipelines.quality.chunks import chunk_columns, concatenated, passages_of
from pipelines.quality.measure import Measures, measure, measure_published, unexplained_shift
from pipelines.quality.publication import (
    Audited,
    moves_of,
    planned_documents,
    publication_columns,
)
from pipelines.quality.records import Columns, Grain, Severity, Verdict
from pipelines.quality.structure import check_structure
from pipelines.quality.summary import described
from pipelines.quality.validate import validate
from pipelines.records import Encoder, Vectors


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What is audited, and against what."""

    store: Store
    published: Publication | None
    """What readers see; None before the first publication."""
    candidate: State
    fingerprint: str
    changes: Sequence[Change] = ()
    """Those that were written."""
    accepted: frozenset[str] = frozenset()
    """Uris, former and new, whose change a person let through: they are expected."""
    rejected: Mapping[str, int] = field(default_factory=dict)
    """By source, document versions that failed in this run."""
    looked: Mapping[str, int] = field(default_factory=dict)
    """By source, document versions that this run looked into."""
    moved_earlier: Mapping[str, str] = field(default_factory=dict)
    """Where documents went in earlier runs, former uri -> uri."""
    withheld: frozenset[str] = frozenset()
    """Uris that readers of the candidate will not see."""
    former_encoder: Callable[[], Encoder] | None = None
    """Of what readers see, where the candidate has another: golden questions are asked of both."""
    whole: bool = False
    """Check every passage, not only those that the published version lacks."""


@dataclass(frozen=True, slots=True)
class Audit:
    """What was found out about a candidate."""

    documents: int
    chunks: int
    verdicts: tuple[Verdict, ...] = ()
    """On the passages that are new, and on the sources."""
    measures: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """By source, the columns that its suite may judge."""
    mend: tuple[Mend, ...] = ()
    """Golden questions that do not count."""

    @property
    def failing(self) -> dict[str, Verdict]:
        """By source, the first critical expectation that it fails."""
        found: dict[str, Verdict] = {}
        for verdict in self.verdicts:
            if verdict.severity is Severity.CRITICAL:
                for key in verdict.failed:
                    source = key if verdict.grain is Grain.PUBLICATION else key.split("/", 1)[0]
                    found.setdefault(source, verdict)
        return found

    def to_dict(self) -> dict[str, Any]:
        """For the ledger: names and counts."""
        failed = [v for v in self.verdicts if not v.passed]
        return {
            "passed": not self.failing,
            "documents": self.documents,
            "chunks": self.chunks,
            "failed": [v.expectation for v in failed if v.severity is Severity.CRITICAL],
            "warned": [v.expectation for v in failed if v.severity is Severity.WARNING],
        }

    def report(self) -> dict[str, Any]:
        """For the ``audits`` table."""
        return {
            "verdicts": [described(verdict) for verdict in self.verdicts],
            "measures": {name: dict(columns) for name, columns in self.measures.items()},
            "mend": [{"id": m.id, "uri": m.uri, "why": m.why} for m in self.mend],
        }


def audit_candidate(
    subject: Subject, checks: Checks, *, encoder: Callable[[], Encoder], now: datetime
) -> Audit:
    """Audits exactly one table version against the published one.

    Args:
        subject: What is audited.
        checks: What is expected.
        encoder: Called for its limits where passages are new, and for golden questions that were
            never embedded.
        now: The time to record.

    Raises:
        AuditFailed: It is not whole, or could not be checked.
        ConfigError: A suite or a golden question is broken.
    """
    documents, chunks = check_structure(subject.store, subject.candidate)
    canaries = read_canaries(checks.config.golden)
    questions = (
        question_vectors(subject.store, subject.fingerprint, canaries, encoder, now=now)
        if canaries
        else None
    )
    before, after = _measured(subject, questions, _former_questions(subject, canaries, now))
    columns, mend = _by_source(subject, canaries, before, after)
    verdicts = (
        *validate(checks.suites.chunks, _new_passages(subject, before, encoder)),
        *validate(checks.suites.publication, columns),
    )
    return Audit(documents, chunks, verdicts, _measures(columns), mend)


def _former_questions(
    subject: Subject, canaries: Sequence[Canary], now: datetime
) -> Vectors | None:
    """The golden questions by the embedder of what readers see, where it is another."""
    published, encoder = subject.published, subject.former_encoder
    if published is None or encoder is None or not canaries or _same_embedder(subject):
        return None
    return question_vectors(subject.store, published.fingerprint, canaries, encoder, now=now)


def _measured(
    subject: Subject, questions: Vectors | None, former: Vectors | None
) -> tuple[Measures | None, Measures]:
    published, before = subject.published, None
    if published is not None:
        before = measure_published(
            subject.store,
            published.state,
            questions=questions if _same_embedder(subject) else former,
            withheld=published.withheld,
            apart=subject.accepted,
        )
    after = measure(
        subject.store,
        subject.candidate,
        questions=questions,
        withheld=subject.withheld,
        apart=subject.accepted,
        since=before,
    )
    return before, after


def _same_embedder(subject: Subject) -> bool:
    published = subject.published
    return published is None or published.fingerprint == subject.fingerprint


def _by_source(
    subject: Subject, canaries: Sequence[Canary], before: Measures | None, after: Measures
) -> tuple[dict[str, list[Any]], tuple[Mend, ...]]:
    found: dict[str, Recall] = {}
    mend: tuple[Mend, ...] = ()
    shifts: dict[str, float] = {}
    same = _same_embedder(subject)
    if before is not None and (same or len(before.tops) == len(after.tops)):
        found, mend = recalls(
            canaries,
            before,
            after,
            moves=moves_of(subject.changes),
            moved_earlier=subject.moved_earlier,
            accepted=subject.accepted,
        )
    if before is not None and same:
        shifts = unexplained_shift(subject.store, before, after)
    audited = Audited(
        candidate=after,
        published=before,
        changes=subject.changes,
        accepted=subject.accepted,
        rejected=subject.rejected,
        looked=subject.looked,
        recalls=found,
        shifts=shifts,
        same_embedder=same,
    )
    return publication_columns(audited), mend


def _new_passages(
    subject: Subject, before: Measures | None, encoder: Callable[[], Encoder]
) -> dict[str, list[Any]]:
    known = planned_documents({} if before is None else before.documents, subject.changes)
    published = subject.published.state if subject.published and not subject.whole else None
    return concatenated(
        chunk_columns(
            passages_of(rows),
            known=known,
            dimension=encoder().dimension,
            max_tokens=encoder().max_tokens,
        )
        for rows in changed_rows(subject.store, published, subject.candidate)
    )


def _measures(columns: Columns) -> dict[str, dict[str, Any]]:
    return {
        source: {name: values[row] for name, values in columns.items() if name != "source"}
        for row, source in enumerate(columns["source"])
    }

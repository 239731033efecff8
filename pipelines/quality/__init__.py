"""May it be published: documents, passages and a whole candidate against what is expected."""

from pipelines.quality.audit import Audit, Subject, audit_candidate
from pipelines.quality.canaries import Canary, read_canaries
from pipelines.quality.checks import (
    Checks,
    Judged,
    excerpt,
    judge_chunks,
    judge_documents,
    verdict_basis,
)
from pipelines.quality.chunks import Passages, chunk_columns
from pipelines.quality.documents import Text
from pipelines.quality.lint import Linted, lint_files
from pipelines.quality.measure import TOP
from pipelines.quality.records import Columns, Expectation, Grain, Severity, Suite, Suites, Verdict
from pipelines.quality.suites import load_suites, write_suites
from pipelines.quality.summary import described, merged
from pipelines.quality.unchanged import check_unchanged

__all__ = [
    "TOP",
    "Audit",
    "Canary",
    "Checks",
    "Columns",
    "Expectation",
    "Grain",
    "Judged",
    "Linted",
    "Passages",
    "Severity",
    "Subject",
    "Suite",
    "Suites",
    "Text",
    "Verdict",
    "audit_candidate",
    "check_unchanged",
    "chunk_columns",
    "described",
    "excerpt",
    "judge_chunks",
    "judge_documents",
    "lint_files",
    "load_suites",
    "merged",
    "read_canaries",
    "verdict_basis",
    "write_suites",
]

"""May it be published: documents, passages and a whole candidate against what is expected."""

from pipelines.quality.records import Columns, Expectation, Grain, Severity, Suite, Suites, Verdict
from pipelines.quality.structure import Audit, audit_candidate, check_chunks, suites_hash

__all__ = [
    "Audit",
    "Columns",
    "Expectation",
    "Grain",
    "Severity",
    "Suite",
    "Suites",
    "Verdict",
    "audit_candidate",
    "check_chunks",
    "suites_hash",
]

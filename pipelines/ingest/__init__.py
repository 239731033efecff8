"""Plan -> checked, embedded batches -> candidate."""

from pipelines.ingest.build import Tally, Work, build_candidate
from pipelines.ingest.costs import Cost, estimate, rejected_by_cost, time_and_money
from pipelines.ingest.prepare import content_hash_of, needs_bytes

__all__ = [
    "Cost",
    "Tally",
    "Work",
    "build_candidate",
    "content_hash_of",
    "estimate",
    "needs_bytes",
    "rejected_by_cost",
    "time_and_money",
]

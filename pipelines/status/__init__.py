"""What a person asks about a store: status, freshness, history."""

from pipelines.status.freshness import Freshness, SourceFreshness, show_freshness
from pipelines.status.history import compare_publications, show_head, show_history
from pipelines.status.status import SourceStatus, Status, show_status

__all__ = [
    "Freshness",
    "SourceFreshness",
    "SourceStatus",
    "Status",
    "compare_publications",
    "show_freshness",
    "show_head",
    "show_history",
    "show_status",
]

"""Refresh: scan -> plan -> apply -> audit -> publish, in this order, once."""

from pipelines.refresh.context import Ports, Request
from pipelines.refresh.report import Estimate, Report, SourceReport
from pipelines.refresh.run import plan_knowledge, refresh_knowledge

__all__ = [
    "Estimate",
    "Ports",
    "Report",
    "Request",
    "SourceReport",
    "plan_knowledge",
    "refresh_knowledge",
]

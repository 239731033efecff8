"""Refresh: scan -> plan -> apply -> audit -> publish, in this order, once."""

from pipelines.refresh.context import Ports, Request
from pipelines.refresh.publish import SIGNS, summary
from pipelines.refresh.report import Estimate, Report, SourceReport
from pipelines.refresh.run import asked_meanwhile, plan_knowledge, refresh_knowledge

__all__ = [
    "SIGNS",
    "Estimate",
    "Ports",
    "Report",
    "Request",
    "SourceReport",
    "asked_meanwhile",
    "plan_knowledge",
    "refresh_knowledge",
    "summary",
]

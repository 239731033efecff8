"""Retraining: what is learned from, the order of a run, and when one may start by itself."""

from pipelines.retrain.may import may_retrain
from pipelines.retrain.plan import plan_retrain
from pipelines.retrain.policy import Decision
from pipelines.retrain.report import Planned, Report
from pipelines.retrain.run import Asked, retrain_model

__all__ = [
    "Asked",
    "Decision",
    "Planned",
    "Report",
    "may_retrain",
    "plan_retrain",
    "retrain_model",
]

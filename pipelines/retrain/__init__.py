"""Retraining: what is learned from, the order of a run, and when one may start by itself."""

from pipelines.retrain.context import Asked
from pipelines.retrain.may import may_retrain
from pipelines.retrain.plan import plan_retrain
from pipelines.retrain.policy import Decision
from pipelines.retrain.progress import progress_of
from pipelines.retrain.report import Planned, Report
from pipelines.retrain.run import STAGES, retrain_model

__all__ = [
    "STAGES",
    "Asked",
    "Decision",
    "Planned",
    "Report",
    "may_retrain",
    "plan_retrain",
    "progress_of",
    "retrain_model",
]

"""Has it moved: evidence over many looks, what a version rests on, and the verdict. Pure.

It opens no store, loads no model and knows no clock; ``pipelines.watch`` brings what is looked at.
Method: bounded bets and conformal martingales that stay valid however often one looks.
"""

from pipelines.drift.bins import (
    ADDED,
    DELETED,
    Changes,
    Novelty,
    Topics,
    fit_changes,
    fit_novelty,
    fit_topics,
)
from pipelines.drift.channels import weights
from pipelines.drift.look import look, verdict
from pipelines.drift.records import (
    BETS,
    BINNED,
    MOST_NATS,
    Bet,
    Binned,
    Exposed,
    Exposure,
    Held,
    Level,
    Moved,
    Observation,
    Signal,
    Verdict,
    canonical,
)
from pipelines.drift.state import State, begin

__all__ = [
    "ADDED",
    "BETS",
    "BINNED",
    "DELETED",
    "MOST_NATS",
    "Bet",
    "Binned",
    "Changes",
    "Exposed",
    "Exposure",
    "Held",
    "Level",
    "Moved",
    "Novelty",
    "Observation",
    "Signal",
    "State",
    "Topics",
    "Verdict",
    "begin",
    "canonical",
    "fit_changes",
    "fit_novelty",
    "fit_topics",
    "look",
    "verdict",
    "weights",
]

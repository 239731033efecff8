"""Pure: what the sources have and what is published -> what to do. No input or output."""

from pipelines.planning.access import Policy, SourceRules, granted, source_rules
from pipelines.planning.changes import Scanned, World, plan_changes, relabelled_as_they_are
from pipelines.planning.holds import cost_holds, hold
from pipelines.planning.records import (
    Change,
    Found,
    Hold,
    Kind,
    Plan,
    Published,
    Rejected,
    Remembered,
)
from pipelines.planning.withheld import TakenDown, labels_today, split_uri, withheld_uris

__all__ = [
    "Change",
    "Found",
    "Hold",
    "Kind",
    "Plan",
    "Policy",
    "Published",
    "Rejected",
    "Remembered",
    "Scanned",
    "SourceRules",
    "TakenDown",
    "World",
    "cost_holds",
    "granted",
    "hold",
    "labels_today",
    "plan_changes",
    "relabelled_as_they_are",
    "source_rules",
    "split_uri",
    "withheld_uris",
]

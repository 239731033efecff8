"""Pure: what the sources have and what is published -> what to do. No input or output."""

from pipelines.planning.access import (
    Policy,
    Rules,
    SourceRules,
    granted,
    is_expired,
    rules_on,
    source_rules,
    trainable,
)
from pipelines.planning.changes import (
    Scanned,
    World,
    held_back,
    plan_changes,
    relabelled_as_they_are,
)
from pipelines.planning.holds import (
    cost_holds,
    hold,
    items_of,
    may_wait,
    review_hold,
    review_holds,
    standing_audit_holds,
)
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
    "Rules",
    "Scanned",
    "SourceRules",
    "TakenDown",
    "World",
    "cost_holds",
    "granted",
    "held_back",
    "hold",
    "is_expired",
    "items_of",
    "labels_today",
    "may_wait",
    "plan_changes",
    "relabelled_as_they_are",
    "review_hold",
    "review_holds",
    "rules_on",
    "source_rules",
    "split_uri",
    "standing_audit_holds",
    "trainable",
    "withheld_uris",
]

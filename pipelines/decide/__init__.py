"""What a person decides: roll back, unpin, withhold, accept or drop a hold, quarantine."""

from pipelines.decide.holds import decide, open_holds
from pipelines.decide.quarantine import (
    Shown,
    quarantined,
    release_quarantined,
    retry_quarantined,
    show_quarantined,
)
from pipelines.decide.rollback import RolledBack, roll_back, unpin
from pipelines.decide.takedowns import Withheld, lift_takedown, withhold

__all__ = [
    "RolledBack",
    "Shown",
    "Withheld",
    "decide",
    "lift_takedown",
    "open_holds",
    "quarantined",
    "release_quarantined",
    "retry_quarantined",
    "roll_back",
    "show_quarantined",
    "unpin",
    "withhold",
]

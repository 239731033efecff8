"""What a person decides: roll back, unpin, withhold, holds, quarantine, pauses of sources."""

from pipelines.decide.holds import decide, open_holds
from pipelines.decide.pauses import Paused, pause_source, resume_source
from pipelines.decide.quarantine import (
    Shown,
    quarantined,
    releasable_expectations,
    release_quarantined,
    retry_quarantined,
    show_quarantined,
)
from pipelines.decide.restore import Restored, restore
from pipelines.decide.rollback import RolledBack, roll_back, unpin
from pipelines.decide.takedowns import Withheld, lift_takedown, withhold

__all__ = [
    "Paused",
    "Restored",
    "RolledBack",
    "Shown",
    "Withheld",
    "decide",
    "lift_takedown",
    "open_holds",
    "pause_source",
    "quarantined",
    "releasable_expectations",
    "release_quarantined",
    "restore",
    "resume_source",
    "retry_quarantined",
    "roll_back",
    "show_quarantined",
    "unpin",
    "withhold",
]

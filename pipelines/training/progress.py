"""Says on stdout how far a stage has come: one JSON object a line, which ``retrain`` reads."""

import json
import sys
import time
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Steps:
    """The steps of one stage; the clock runs from the first word on."""

    stage: str
    total: int
    begun: int = 0
    """Those that were done before, by a run that was stopped."""
    _started: float = field(default_factory=time.monotonic)

    def done(self, step: int, *, loss: float | None = None) -> None:
        """Say that so many steps are done, and in how many seconds the rest may be."""
        spent = time.monotonic() - self._started
        now = step - self.begun
        eta = spent / now * (self.total - step) if now else None
        line: dict[str, Any] = {
            "stage": self.stage,
            "step": step,
            "steps": self.total,
            "loss": loss,
            "eta_seconds": None if eta is None else round(eta, 1),
        }
        if self.begun:
            line["begun"] = self.begun
        sys.stdout.write(json.dumps({"progress": line}) + "\n")
        sys.stdout.flush()

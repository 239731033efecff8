"""Says on stdout how far a stage has come: one JSON object a line, which ``retrain`` reads."""

import json
import sys
import time
from dataclasses import dataclass, field


@dataclass(slots=True)
class Steps:
    """The steps of one stage; the clock runs from the first word on."""

    stage: str
    total: int
    _started: float = field(default_factory=time.monotonic)

    def done(self, step: int, *, loss: float | None = None) -> None:
        """Say that so many steps are done, and in how many seconds the rest may be."""
        spent = time.monotonic() - self._started
        eta = spent / step * (self.total - step) if step else None
        line = {
            "stage": self.stage,
            "step": step,
            "steps": self.total,
            "loss": loss,
            "eta_seconds": None if eta is None else round(eta, 1),
        }
        sys.stdout.write(json.dumps({"progress": line}) + "\n")
        sys.stdout.flush()

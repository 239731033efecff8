"""How far a stage is, read from the lines that it prints."""

import json
from datetime import timedelta
from typing import Any

from pipelines.records import Progress


def progress_of(line: str) -> Progress | None:
    """The progress that a line tells of; None for any other line."""
    if not line.startswith('{"progress"'):
        return None
    try:
        said = json.loads(line)["progress"]
        return Progress(str(said["stage"]), int(said["step"]), int(said["steps"]), _note(said))
    except (ValueError, KeyError, TypeError):
        return None


def _note(said: dict[str, Any]) -> str:
    loss, left = said.get("loss"), said.get("eta_seconds")
    told = [] if loss is None else [f"loss {float(loss):.3f}"]
    told += [] if left is None else [f"{duration(float(left))} left"]
    return ", ".join(told)


def duration(seconds: float) -> str:
    """``42 s``, ``7 min`` or ``2.5 h``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    whole = timedelta(seconds=seconds)
    return (
        f"{whole / timedelta(minutes=1):.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
    )

"""How far a stage is, read from the lines that it prints."""

import json
from datetime import timedelta
from typing import Any

from pipelines.records import Progress


def progress_of(line: str) -> Progress | None:
    """The progress that a line tells of; None for any other line."""
    said = _said(line)
    try:
        return Progress(str(said["stage"]), int(said["step"]), int(said["steps"]), _note(said))
    except (ValueError, KeyError, TypeError):
        return None


def begun_at(line: str) -> int:
    """The step from which on a stage goes on where another run was stopped; 0: it does not."""
    begun = _said(line).get("begun", 0)
    return begun if isinstance(begun, int) else 0


def _said(line: str) -> dict[str, Any]:
    if not line.startswith('{"progress"'):
        return {}
    try:
        said = json.loads(line)["progress"]
    except (ValueError, KeyError, TypeError):
        return {}
    return said if isinstance(said, dict) else {}


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

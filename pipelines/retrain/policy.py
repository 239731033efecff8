"""May a retraining start that nobody asked for: stale, not cooling, within its budget. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pipelines.config import ModelConfig
from pipelines.knowledge import VerdictRow

MONTH = timedelta(days=30)
MOST_DOUBLINGS = 6
"""After so many refused candidates the wait no longer grows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One retraining that made a version."""

    version: str
    at: datetime
    seconds: float
    promote: bool
    """Whether the gate let it through."""
    by_itself: bool
    """Whether a schedule or an event started it."""


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether one may start, and if not, why and from when on it may."""

    may: bool
    why: str
    at: datetime | None = None
    """From then on; None where time alone changes nothing."""

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {"may": self.may, "why": self.why, "at": self.at.isoformat() if self.at else None}


def may_start(
    model: ModelConfig,
    *,
    served: str | None,
    verdict: VerdictRow | None,
    runs: Sequence[Run],
    now: datetime,
) -> Decision:
    """Whether a run may start by itself. Whoever asks for one in person is not asked this.

    Args:
        model: Its settings.
        served: The version in use; None where the base serves.
        verdict: The newest one on that version.
        runs: Those that made a version, newest first.
        now: The time.
    """
    if served is None:
        return Decision(
            False, f"no version of {model.name} is in use: a person starts the first one"
        )
    if verdict is None:
        return Decision(False, f"{served} was not looked at yet")
    if verdict.verdict != "stale":
        return Decision(False, f"{served} is {verdict.verdict}")
    if any(run.promote and run.at > verdict.at for run in runs):
        return Decision(
            False, f"a newer version than {served} passed the gate and waits to be promoted"
        )
    return (
        _cooling(model, served, runs, now)
        or _too_many(model, runs, now)
        or _too_long(model, runs, now)
        or Decision(True, f"{served} is stale")
    )


def _cooling(
    model: ModelConfig, served: str, runs: Sequence[Run], now: datetime
) -> Decision | None:
    if not runs:
        return None
    refused = _refused_since(served, runs)
    ready = runs[0].at + model.cooldown * 2 ** min(refused, MOST_DOUBLINGS)
    if now >= ready:
        return None
    after = f", longer after {refused} that the gate refused" if refused else ""
    return Decision(False, f"it cools down since {runs[0].version}{after}", ready)


def _refused_since(served: str, runs: Sequence[Run]) -> int:
    """Candidates that the gate refused since the version in use was made."""
    refused = 0
    for run in runs:
        if run.version == served:
            break
        refused += not run.promote
    return refused


def _too_many(model: ModelConfig, runs: Sequence[Run], now: datetime) -> Decision | None:
    lately, most = _lately(runs, now), model.max_runs_a_month
    if len(lately) < most:
        return None
    ready = lately[most - 1].at + MONTH if most else None
    return Decision(False, f"max_runs_a_month = {most} is reached", ready)


def _too_long(model: ModelConfig, runs: Sequence[Run], now: datetime) -> Decision | None:
    left = model.max_hours_a_month * 3600
    for run in _lately(runs, now):
        left -= run.seconds
        if left <= 0:
            why = f"max_hours_a_month = {model.max_hours_a_month:g} is reached"
            return Decision(False, why, run.at + MONTH)
    if not model.max_hours_a_month:
        return Decision(False, "max_hours_a_month = 0")
    return None


def _lately(runs: Sequence[Run], now: datetime) -> list[Run]:
    """Those of the last month that started by themselves, newest first."""
    return [run for run in runs if run.by_itself and now - run.at < MONTH]

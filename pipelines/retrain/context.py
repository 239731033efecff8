"""What a retraining works with, and how it was asked for."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from pipelines.config import Config, ModelConfig
from pipelines.errors import RunCancelled
from pipelines.records import Happened, Progress, Step

T = TypeVar("T")


def never() -> bool:
    """Nobody cancels."""
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """How a run was asked for."""

    by_itself: bool = False
    """By a schedule or an event; only then budget and cooldown count it."""
    reason: str = ""
    """Why it was started."""
    wait_seconds: float = 0.0
    """How long to wait for another run of the registry."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """One run."""

    config: Config
    model: ModelConfig
    asked: Asked
    run: str
    now: datetime
    step: Step
    on_event: Callable[[Progress | Happened], None]
    cancelled: Callable[[], bool]
    seconds: dict[str, float] = field(default_factory=dict)

    def timed(self, name: str, function: Callable[[], T], *, retryable: bool = False) -> T:
        """Runs a step and writes down how long it took.

        Raises:
            RunCancelled: Somebody said so before it began.
        """
        if self.cancelled():
            raise RunCancelled("The run was cancelled; no version was made.")
        started = time.perf_counter()
        try:
            return self.step(name, function, retryable=retryable)
        finally:
            self.seconds[name] = time.perf_counter() - started

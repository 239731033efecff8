"""Looks at a version that are made up: what was seen, and states that have come to a given point."""

from datetime import UTC, datetime, timedelta
from math import log
from typing import Any

from pipelines.drift import Exposure, Observation
from pipelines.drift.bets import GRID, Bets
from pipelines.drift.conformal import LATELY, MEMORIES, Bag

START = datetime(2026, 3, 1, tzinfo=UTC)


def seen(number: int = 1, **more: Any) -> Observation:
    at = START + timedelta(days=number)
    return Observation(look=f"run-{number}", at=at, publication=number, **more)


def exposure(value: float, *, affected: int = 1, withdrawn: tuple[str, ...] = ()) -> Exposure:
    return Exposure(value=value, examples=100, affected=affected, withdrawn=withdrawn)


def nothing_new(number: int = 1) -> Observation:
    """Something happened, and it speaks for nothing: as many questions of each kind as at first."""
    return seen(number, exposure=exposure(0.0, affected=0))


def bag(*, evidence: float = 1.0, moved: float = 0.0, items: int = 1000) -> Bag:
    """Of ten bins, alike at first; since then this share of the items has gone to bin 0."""
    first = (10_000,) * 10
    new = [round(items * (1 - moved) / 10)] * 10
    new[0] += items - sum(new)
    return Bag(
        first=first,
        seen=tuple(a + b for a, b in zip(first, new, strict=True)),
        looks=9,
        lately=tuple(LATELY * n for n in new),
        squares=LATELY**2 * items,
        recent=((0.0,) * 10,) * len(MEMORIES),
        log_m=(log(evidence - 0.1),) * len(MEMORIES),
    )


def bets(*, below: float = 2.0, evidence: float = 1e4, items: int = 100, mean: float = 0.0) -> Bets:
    """Of which the bets on "less than m" have this evidence from ``below`` on, and 1 before."""
    less = [log((1.0 if m < below else evidence) - 0.1) for m in GRID]
    return Bets(
        items=items,
        total=mean * items,
        squares=float(items),
        looks=9,
        log_less=tuple(less),
        log_more=(log(0.9),) * len(GRID),
    )

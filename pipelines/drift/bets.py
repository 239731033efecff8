"""Evidence about the mean of bounded scores, and bounds of it that hold however often one looks.

For every m of a grid there is a bet against "the mean is m or more, whatever came before": its
wealth grows by ``1 + stake (m - y)`` with each score y, and the stake is fixed before y is known
(Waudby-Smith and Ramdas, Estimating means of bounded random variables by betting, 2024). The same
bets on ``-y`` speak against "m or less". Bets begin at every look (``mixture``).

Evidence against m is the least wealth of all bets from m on. So "the evidence against m has
reached its threshold" and "the upper bound is at most m" are one statement.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipelines.drift.mixture import Floats, evidence, mixed, weight

_HUNDREDTHS = (*range(-100, -30, 5), *range(-30, 31), *range(35, 101, 5))
GRID: Floats = np.array(_HUNDREDTHS) / 100
"""Symmetric; a hundredth apart where differences of scores lie. A limit that lies between two
points is held to the lower one, which is the stricter question."""
_LEAST = 0.01


@dataclass(frozen=True, slots=True)
class Bets:
    """A channel of scores in [-1, 1]."""

    items: int = 0
    total: float = 0.0
    squares: float = 0.0
    looks: int = 0
    """With scores."""
    log_less: tuple[float, ...] = ()
    """Wealth of the bets on "less than m", one a point of the grid; empty before the first look."""
    log_more: tuple[float, ...] = ()
    """The same of the negated scores."""

    @property
    def mean(self) -> float:
        """Of all scores; 0 where there is none."""
        return self.total / self.items if self.items else 0.0


def scored(bets: Bets, scores: Sequence[float], *, most: float = 1.0) -> Bets:
    """The channel after a look.

    Args:
        bets: Before it.
        scores: New ones, in an order that does not hang on them, (n,).
        most: The highest score that there can be, the same at each look. Where it is near the mean
            that is asked about, a bet risks little and may be high.

    Returns:
        The same where there is no new score.

    Raises:
        ValueError: A score is not in [-1, ``most``].
    """
    y = np.asarray(scores, dtype=np.float64)
    if not len(y):
        return bets
    if not ((y >= -1) & (y <= most)).all():  # false for NaN too
        raise ValueError(f"scores that are bet on lie in [-1, {most:g}]")
    given = weight(bets.looks + 1)
    wealth = []
    for sign, log_m, top in ((1.0, bets.log_less, most), (-1.0, bets.log_more, 1.0)):
        before = np.array(log_m) if log_m else np.full(len(GRID), -np.inf)
        factor = log_factor(sign * y, bets.items, sign * bets.total, bets.squares, most=top)
        wealth.append(tuple(mixed(before, factor, given).tolist()))
    return Bets(
        items=bets.items + len(y),
        total=math.fsum([bets.total, *y.tolist()]),
        squares=math.fsum([bets.squares, *(y * y).tolist()]),
        looks=bets.looks + 1,
        log_less=wealth[0],
        log_more=wealth[1],
    )


def log_factor(
    y: Floats,
    items: int,
    total: float,
    squares: float,
    grid: Floats = GRID,
    *,
    most: float = 1.0,
) -> Floats:
    """What new scores multiply the bets on "less than m" by: logarithms, one a point of the grid.

    The stake on a score is mean over variance of ``m - y`` in all scores before it, and never so
    high that more than half is lost at once.

    Args:
        y: New scores, (n,).
        items: Number of the scores before.
        total: Their sum.
        squares: Sum of their squares.
        grid: Values of m, (g,).
        most: The highest score that there can be.
    """
    n = (items + np.arange(len(y)))[:, None]
    s1 = (total + np.concatenate(([0.0], np.cumsum(y)[:-1])))[:, None]
    s2 = (squares + np.concatenate(([0.0], np.cumsum(y * y)[:-1])))[:, None]
    gain = n * grid - s1
    mean = gain / (n + 1)
    spread = n * grid**2 - 2 * grid * s1 + s2 - 2 * mean * gain + n * mean**2
    variance = (1 + np.maximum(spread, 0.0)) / (n + 1)
    stake = np.clip(mean / variance, 0.0, 0.5 / np.maximum(most - grid, _LEAST))
    factor: Floats = np.log1p(stake * (grid - y[:, None])).sum(axis=0)
    return factor


def against(bets: Bets, m: float) -> float:
    """The evidence against "the mean is m or more"; 1 where there is no score."""
    if not bets.looks:
        return 1.0
    at = int(np.searchsorted(GRID, m + 1e-12, side="right")) - 1
    return float(_least(bets.log_less, bets.looks)[max(at, 0)])


def bounds(bets: Bets, threshold: float) -> tuple[float, float]:
    """What the mean lies between, each end but for a chance of ``1 / threshold``.

    However often one looks. -1 and 1 are no bounds.
    """
    if not bets.looks:
        return -1.0, 1.0
    ends = []
    for log_m in (bets.log_more, bets.log_less):
        beyond = np.flatnonzero(_least(log_m, bets.looks) >= threshold)
        ends.append(float(GRID[beyond[0]]) if len(beyond) else 1.0)
    return -ends[0] + 0.0, ends[1]


def _least(log_m: Sequence[float], looks: int) -> Floats:
    """The least wealth from each point of the grid on: it grows with m, as evidence must."""
    least: Floats = np.minimum.accumulate(evidence(np.array(log_m), looks)[::-1])[::-1]
    return least

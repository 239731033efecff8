"""Streams of items out of a pool of vectors: an unchanged world, and worlds that change.

It needs numpy alone, so that a peer in an environment of its own sees the very same streams.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

NEW_SUBJECTS = 2
"""By stream: nobody asks about them before the change."""
LOOKS, ITEMS, QUIET = 100, 200, 20
"""Looks of a stream, items of each, and looks before the change."""
AFTER = LOOKS - QUIET
GRADUAL = 20
"""Looks that a gradual change takes."""


@dataclass(frozen=True, slots=True)
class Pool:
    """What streams are drawn from."""

    vectors: np.ndarray
    """``(n, d)`` float32 of unit norm."""
    subjects: np.ndarray
    """``(n,)``: a number for each subject."""


@dataclass(frozen=True, slots=True)
class World:
    """What happens after the quiet looks."""

    name: str
    share: float = 0.0
    """Of the items, from new subjects, once the change is complete."""
    takes: int = 1
    """Looks until then."""
    reference: int = 1000
    """Items to calibrate with."""

    def at(self, look: int) -> float:
        """The share in a look, counted from 0."""
        return self.share * min(max(look - QUIET + 1, 0) / self.takes, 1.0)


UNCHANGED = (World("nothing changes"), World("nothing changes, reference 500", reference=500))
CHANGED = tuple(
    World(f"{'gradual to ' if takes > 1 else ''}{share:.0%}", share, takes)
    for takes in (1, GRADUAL)
    for share in (0.05, 0.15, 0.4)
)


@dataclass(frozen=True, slots=True)
class Stream:
    """Places in the pool."""

    reference: np.ndarray
    """``(r,)``"""
    looks: np.ndarray
    """``(looks, items)``"""


def load(folder: Path) -> Pool:
    """What ``benchmarks.passages`` has made."""
    return Pool(np.load(folder / "vectors.npy"), np.load(folder / "subjects.npy"))


def draw(pool: Pool, world: World, seed: int) -> Stream:
    """Draws with replacement, so that items of an unchanged stream are exchangeable exactly.

    Args:
        pool: What to draw from.
        world: What happens.
        seed: Of the stream: which subjects are new in it, and what is drawn.
    """
    chance = np.random.default_rng([415, seed])
    new = np.isin(
        pool.subjects, chance.choice(pool.subjects.max() + 1, NEW_SUBJECTS, replace=False)
    )
    known, unknown = np.flatnonzero(~new), np.flatnonzero(new)
    drawn = chance.choice(known, (LOOKS, ITEMS))
    for look in range(QUIET, LOOKS):
        moved = chance.random(ITEMS) < world.at(look)
        drawn[look, moved] = chance.choice(unknown, int(moved.sum()))
    return Stream(reference=chance.choice(known, world.reference), looks=drawn)


def ever(first: Sequence[int | None]) -> str:
    """Share of streams that ever alarmed, with its 95 % interval (Clopper and Pearson)."""
    from scipy.stats import binomtest

    count, of = sum(one is not None for one in first), len(first)
    low, high = binomtest(count, of).proportion_ci(0.95, method="exact")
    looks = [one + 1 for one in first if one is not None]
    when = f", on average at look {np.mean(looks):.0f}" if looks else ""
    return f"{count} of {of} [{low:.3f}, {high:.3f}]{when}"


def delay(first: Sequence[int | None]) -> str:
    """Looks from the change to the alarm, and how many streams were found at all."""
    looks = [AFTER + 1 if one is None else one - QUIET + 1 for one in first]
    found = sum(one is not None for one in first) / len(first)
    return f"{np.mean(looks):.1f} ({found:.0%} of {len(first)})"

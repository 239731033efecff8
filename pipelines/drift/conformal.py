"""Evidence that binned items no longer come as they came: conformal p-values, and bets on them.

Each item is ranked among all items seen before it (the bag, which grows), by the number of its bin
and with ties broken at random. If the items are exchangeable these p-values are independent and
uniform, whatever the size of the first bag (Vovk, Gammerman and Shafer, Algorithmic Learning in a
Random World, 2nd edition, 2022, chapters 2 and 8). A first bag that were taken for the truth
instead would raise a false alarm sooner or later, always.

The p-values fall into parts of equal width, as many as there are bins, and a look bets on their
counts with a Dirichlet-multinomial factor, whose mean is 1. The parts are fixed beforehand: cut at
the shares of the first bag they would be hit as often as they are wide only on average over all
first bags, not given this one, and the factor would have another mean. Four lengths of memory bet;
they see the same and may be averaged. Channels see different things and may not.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipelines.drift.mixture import Floats, evidence, mixed, weight

Whole = npt.NDArray[np.int64]

MEMORIES = (0.0, 0.5, 0.8, 0.95)
"""How much of what was known before a look the next one still knows."""
_PRIOR = 2.0
"""Items a part that each memory pretends to have seen."""
LATELY = 0.8
"""The memory that effects are measured in: about the last five looks."""


@dataclass(frozen=True, slots=True)
class Bag:
    """A channel of binned items, K bins."""

    first: tuple[int, ...]
    """The first bag: items by bin, (K,)."""
    seen: tuple[int, ...]
    """All items by bin, the first bag's too, (K,)."""
    looks: int = 0
    """With items."""
    lately: tuple[float, ...] = ()
    """Discounted counts of items by bin, (K,)."""
    squares: float = 0.0
    """Sum of the squared weights of the items in ``lately``."""
    recent: tuple[tuple[float, ...], ...] = ()
    """Discounted counts of p-values by part, a row for each memory, (4, K)."""
    log_m: tuple[float, ...] = ()
    """Of each memory, (4,); empty before the first look."""

    @property
    def items(self) -> int:
        """Those that came after the first bag."""
        return sum(self.seen) - sum(self.first)

    @property
    def evidence(self) -> float:
        """The martingale, averaged over the memories; 1 before the first look."""
        return float(evidence(np.array(self.log_m), self.looks).mean()) if self.looks else 1.0

    @property
    def shares(self) -> Floats:
        """Of each bin in the first bag, (K,), none of them 0."""
        counts = np.array(self.first, dtype=np.float64)
        shares: Floats = (counts + 0.5) / (counts.sum() + len(counts) / 2)
        return shares


def begun(first: Sequence[int]) -> Bag:
    """A channel whose first items are known.

    Args:
        first: Number of items in each bin, (K,), none below 0.

    Raises:
        ValueError: There are fewer than two bins or no items.
    """
    if len(first) < 2 or min(first) < 0 or not sum(first):
        raise ValueError("a first bag needs two bins or more, and items")
    counts = tuple(int(count) for count in first)
    none = (0.0,) * len(counts)
    return Bag(first=counts, seen=counts, lately=none, recent=(none,) * len(MEMORIES))


def taken(bag: Bag, bins: Sequence[int], u: Floats) -> Bag:
    """The channel after a look.

    Args:
        bag: Before it.
        bins: Of each new item, in the order in which they came, (n,).
        u: Uniform numbers that know nothing of the items, (n,).

    Returns:
        The same where no item came.

    Raises:
        ValueError: There is no such bin.
    """
    new = np.asarray(bins, dtype=np.int64)
    if not len(new):
        return bag
    if new.min() < 0 or new.max() >= len(bag.first):
        raise ValueError(f"a channel of {len(bag.first)} bins has no bin {new.min()}..{new.max()}")
    p, seen = p_values(np.array(bag.seen, dtype=np.int64), new, u)
    counts = np.bincount(parts(p, len(seen)), minlength=len(seen))
    recent = np.array(bag.recent)
    looks = bag.looks + 1
    before = np.array(bag.log_m) if bag.log_m else np.full(len(MEMORIES), -np.inf)
    log_m = mixed(before, log_factors(counts, recent), weight(looks))
    memories = np.array(MEMORIES)
    came = np.bincount(new, minlength=len(seen))
    return Bag(
        first=bag.first,
        seen=tuple(seen.tolist()),
        looks=looks,
        lately=tuple((LATELY * (np.array(bag.lately) + came)).tolist()),
        squares=LATELY**2 * (bag.squares + len(new)),
        recent=tuple(map(tuple, (memories[:, None] * (recent + counts)).tolist())),
        log_m=tuple(log_m.tolist()),
    )


def p_values(seen: Whole, bins: Whole, u: Floats) -> tuple[Floats, Whole]:
    """The smoothed rank of each item in the bag that grows by each, (n,), and the bag after all.

    Args:
        seen: Items in the bag by bin, (K,).
        bins: Of the new items, (n,).
        u: Uniform numbers, (n,): they break ties.
    """
    size = len(bins)
    came = np.zeros((size + 1, len(seen)), dtype=np.int64)
    came[np.arange(1, size + 1), bins] = 1
    bags = seen + np.cumsum(came, axis=0)
    at = np.arange(size)
    alike = bags[at, bins]
    below = np.cumsum(bags[:-1], axis=1)[at, bins] - alike
    p = (below + u * (alike + 1)) / (seen.sum() + at + 1)
    return p, bags[-1]


def parts(p: Floats, count: int) -> Whole:
    """Which of ``count`` parts of equal width each p-value falls into, (n,)."""
    return np.minimum((p * count).astype(np.int64), count - 1)


def log_factors(counts: npt.ArrayLike, recent: Floats) -> Floats:
    """How much a look multiplies a bet by: logarithms, one a memory.

    The probability of the counts if shares are drawn from a Dirichlet law about what each memory
    knows, against their probability if all parts are alike. Over all counts of as many items its
    mean is exactly 1.

    Args:
        counts: P-values of the look by part, (K,).
        recent: Discounted counts of earlier looks, (memories, K).
    """
    from scipy.special import gammaln

    here = np.asarray(counts, dtype=np.float64)
    prior = recent + _PRIOR
    total = prior.sum(axis=1)
    log_e: Floats = (
        gammaln(total)
        - gammaln(total + here.sum())
        + (gammaln(prior + here) - gammaln(prior)).sum(axis=1)
        + here.sum() * np.log(len(here))
    )
    return log_e


def effect(bag: Bag) -> float:
    """Which share of the last looks' items is in other bins than the first bag's, beyond chance.

    The sum of what bins have too much, less what chance adds to it: both bags are samples, so many
    bins always show an effect. What is added to a bin whose share has moved by d, of a standard
    error s, is ``s (phi(z) - z Phi(-z))`` with ``z = |d| / s``; for d stands what was found, drawn
    in as far as all bins together could be chance (James and Stein).

    It is measured against the first bag, not in the p-values: these forget a change as the bag
    grows, though it lasts. It can only keep evidence from counting, so nothing that is said of
    chance hangs on it.
    """
    from scipy.special import ndtr

    lately, shares = np.array(bag.lately), bag.shares
    total = lately.sum()
    if not total:
        return 0.0
    error = np.sqrt(shares * (1 - shares) * (bag.squares / total**2 + 1 / sum(bag.first)))
    moved = lately / total - shares
    z = np.abs(moved) / error
    z *= max(0.0, 1 - (len(z) - 1) / max((z * z).sum(), 1e-12))
    chance = (error * (np.exp(-z * z / 2) / np.sqrt(2 * np.pi) - z * ndtr(-z))).sum()
    return max(0.0, float(np.maximum(moved, 0.0).sum() - chance))

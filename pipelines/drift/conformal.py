"""Evidence that binned items no longer come as they came: conformal p-values, and bets on them.

Each item is ranked among all items seen before it (the bag, which grows), by the number of its bin
and with ties broken at random. If the items are exchangeable these p-values are independent and
uniform, whatever the size of the first bag (Vovk, Gammerman and Shafer, Algorithmic Learning in a
Random World, 2nd edition, 2022, chapters 2 and 8). A first bag that were taken for the truth
instead would raise a false alarm sooner or later, always.

The p-values fall into bins that hold exactly the shares of the first bag, and a look bets on their
counts with a Dirichlet-multinomial factor, whose mean is 1. Four lengths of memory bet; they see
the same and may be averaged. Channels see different things and may not.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipelines.drift.mixture import Floats, evidence, mixed, weight

Whole = npt.NDArray[np.int64]

MEMORIES = (0.0, 0.5, 0.8, 0.95)
"""How much of what was known before a look the next one still knows."""
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
    """Discounted counts of p-values by bin, a row for each memory, (4, K)."""
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
        return _shares(self.first)


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
    shares = bag.shares
    p, seen = p_values(np.array(bag.seen, dtype=np.int64), new, u)
    counts = np.bincount(where(p, shares), minlength=len(shares)).astype(np.float64)
    recent = np.array(bag.recent)
    looks = bag.looks + 1
    before = np.array(bag.log_m) if bag.log_m else np.full(len(MEMORIES), -np.inf)
    log_m = mixed(before, log_factors(counts, shares, recent), weight(looks))
    memories = np.array(MEMORIES)
    came = np.bincount(new, minlength=len(shares))
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


def where(p: Floats, shares: Floats) -> Whole:
    """The bin of each p-value, (n,): bin k is as wide as its share, so it is hit as often."""
    found = np.searchsorted(np.cumsum(shares), p, side="right")
    return np.minimum(found, len(shares) - 1).astype(np.int64)


def log_factors(counts: Floats, shares: Floats, recent: Floats) -> Floats:
    """How much a look multiplies a bet by: logarithms, one a memory.

    The probability of the counts if shares are drawn from a Dirichlet law about what each memory
    knows, against their probability under the shares themselves. Over all counts of as many items
    its mean is exactly 1.

    Args:
        counts: P-values of the look by bin, (K,).
        shares: Of each bin if nothing has moved, (K,), sum 1.
        recent: Discounted counts of earlier looks, (memories, K).
    """
    from scipy.special import gammaln

    prior = 2 * len(shares) * shares + recent
    total = prior.sum(axis=1)
    log_e: Floats = (
        gammaln(total)
        - gammaln(total + counts.sum())
        + (gammaln(prior + counts) - gammaln(prior)).sum(axis=1)
        - (counts * np.log(shares)).sum()
    )
    return log_e


def effect(bag: Bag) -> float:
    """Which share of the last looks' items is in other bins than the first bag's, beyond chance.

    The sum of what bins have too much, less what it would be on average if nothing had moved:
    ``sqrt(q (1 - q) / (2 pi) (1 / n + 1 / N))`` a bin, for both bags are samples. Without the
    second part many bins always show an effect. It is measured against the first bag, not in the
    p-values: these forget a change as the bag grows, though it lasts. It can only keep evidence
    from counting, so nothing that is said of chance hangs on it.
    """
    lately, shares = np.array(bag.lately), bag.shares
    total = lately.sum()
    if not total:
        return 0.0
    uncertain = bag.squares / total**2 + 1 / sum(bag.first)
    chance = np.sqrt(shares * (1 - shares) / (2 * np.pi) * uncertain).sum()
    return max(0.0, float(np.maximum(lately / total - shares, 0.0).sum() - chance))


def _shares(first: Sequence[int]) -> Floats:
    counts = np.array(first, dtype=np.float64)
    shares: Floats = (counts + 0.5) / (counts.sum() + len(counts) / 2)
    return shares

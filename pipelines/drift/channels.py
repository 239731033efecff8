"""Each channel under a policy: how much its evidence weighs, and whether it counts yet.

Alpha is shared between all channels once, by weight: a channel calls for attention when its own
martingale reaches ``1 / (alpha * weight)``. Martingales of different channels are never averaged:
each is one in what it alone has seen. So the chance that any of them ever calls for it in an
unchanged world is at most alpha, for the life of a version.

A policy may be changed between looks. What has accumulated stays, only the thresholds move. The
chance of a false call is then at most the sum over the channels of the largest ``alpha * weight``
that each ever had, if none was chosen for the evidence that was already to be seen: moving weight
from one channel to another spends on both.
"""

from dataclasses import dataclass
from typing import Literal, get_args

from pipelines.config import GeneratorWatch, WatchKeys, WatchPolicy
from pipelines.drift.bets import Bets, against, bounds
from pipelines.drift.conformal import Bag, effect
from pipelines.drift.records import BETS, BINNED, HIGHEST, MOST_NATS
from pipelines.drift.state import State

Name = Literal["topic", "novelty", "changes", "golden", "override", "memory", "worth", "candidate"]

UNITS = {"changes": "changed documents", "golden": "golden questions"}
"""What the items of a channel are; of worth and candidate documents, of the others questions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """One channel after a look."""

    name: Name
    weight: float
    """Its share of alpha, above 0."""
    threshold: float
    evidence: float
    items: int
    effect: float | None = None
    """Share of items in other bins; mean of the scores, of memory in nats a token."""
    lower: float | None = None
    upper: float | None = None
    limit: float | None = None
    """The mean that scores are held against."""
    missing: str = ""
    """What has to come before it counts."""
    matters: bool = True
    """Whether what moved is large enough to matter."""

    @property
    def is_bounded(self) -> bool:
        """Whether more is known of the mean than that no score is higher."""
        return self.upper is not None and self.upper < HIGHEST.get(self.name, 1.0)

    @property
    def counts(self) -> bool:
        """Whether its evidence may be acted upon."""
        return not self.missing and self.matters

    @property
    def is_evidence(self) -> bool:
        """Whether the threshold is reached."""
        return self.counts and self.evidence >= self.threshold

    @property
    def weighs(self) -> float:
        """Evidence by weight: what all channels can be compared by."""
        return self.weight * self.evidence if self.counts else 0.0


def weights(policy: WatchKeys) -> dict[Name, float]:
    """The share of alpha of each channel; a candidate has half of what worth has without it."""
    shares = {name: policy.shares.get(name, 0.0) for name in get_args(Name)}
    if isinstance(policy, WatchPolicy) and policy.candidate:
        shares["worth"] = shares["candidate"] = policy.worth / 2
    return shares


def limit_of(name: str, policy: WatchKeys) -> float:
    """The mean below which a channel of bets says stale, in its own unit."""
    if isinstance(policy, WatchPolicy):
        return -policy.golden_drop if name == "golden" else policy.min_worth
    if isinstance(policy, GeneratorWatch):
        return -policy.max_override if name == "override" else -policy.max_memory
    raise TypeError(f"no limit of {name}")


def channels(state: State, policy: WatchKeys) -> tuple[Channel, ...]:
    """All channels that have a weight."""
    shares = {name: share for name, share in weights(policy).items() if share > 0}
    return tuple(
        _binned(state, policy, name, share) if name in BINNED else _bet(state, policy, name, share)
        for name, share in shares.items()
    )


def unit(name: str) -> str:
    """What the items of a channel are."""
    return UNITS.get(name, "documents" if name in BETS else "questions")


def _binned(state: State, policy: WatchKeys, name: Name, share: float) -> Channel:
    bag: Bag | None = state.bags.get(name)
    items = bag.items if bag else 0
    moved = effect(bag) if bag else 0.0
    missing = _looks_missing(state, policy)
    if bag is None:
        missing = f"no first {unit(name)} to compare with yet"
    elif items < policy.min_items:
        missing = f"{items} of {policy.min_items} {unit(name)}"
    return Channel(
        name=name,
        weight=share,
        threshold=1 / (policy.alpha * share),
        evidence=bag.evidence if bag else 1.0,
        items=items,
        effect=moved if items else None,
        missing=missing,
        matters=moved >= policy.min_effect,
    )


def _bet(state: State, policy: WatchKeys, name: Name, share: float) -> Channel:
    bets = state.bets.get(name, Bets())
    limit = limit_of(name, policy)
    least = 1 if name == "golden" else policy.min_documents
    threshold = 1 / (policy.alpha * share)
    of_one = MOST_NATS if name == "memory" else 1.0
    lower, upper = bounds(bets, threshold)
    missing = _looks_missing(state, policy)
    if bets.items < least:
        missing = f"{bets.items} of {least} {unit(name)}"
    return Channel(
        name=name,
        weight=share,
        threshold=threshold,
        evidence=against(bets, limit / of_one),
        items=bets.items,
        effect=bets.mean * of_one if bets.items else None,
        lower=lower * of_one if bets.items else None,
        upper=min(upper, HIGHEST.get(name, 1.0)) * of_one if bets.items else None,
        limit=limit,
        missing=missing,
    )


def _looks_missing(state: State, policy: WatchKeys) -> str:
    few = state.looks < policy.min_looks
    return f"{state.looks} of {policy.min_looks} looks" if few else ""

"""The words of a watch: what one look saw, what has accumulated, and what follows from it.

Everything here is counts, scores, uris and hashes: no text of a document, no words of a question.
A look is a pure step: state and observation go in, a new state and a verdict come out, so that
looks that were kept can be gone through again under another policy.
"""

import dataclasses
import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

Level = Literal["fresh", "watch", "stale"]
Binned = Literal["topic", "novelty", "changes"]
Bet = Literal["golden", "override", "memory", "worth", "candidate"]

BINNED: tuple[Binned, ...] = ("topic", "novelty", "changes")
"""Channels whose items fall into bins: conformal evidence."""
BETS: tuple[Bet, ...] = ("golden", "override", "memory", "worth", "candidate")
"""Channels whose items are scores: bounded bets. ``candidate`` shares the weight of ``worth``;
``override`` and ``memory`` are a generator's, the others an embedder's."""
MOST_NATS = 5.0
"""From so many nats a token on a memory counts no more. What a model prefers by chance, for reasons
that have nothing to do with memory, was two or three nats, either way, with a mean of none."""
HIGHEST: dict[str, float] = {"override": 0.0, "memory": 0.0}
"""The highest score of a channel of ``BETS``, where it is not 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposed:
    """A document that a version learned from and that is no longer as it was."""

    uri: str
    domain: str
    examples: int
    severity: float
    """Mean over its examples: 0 as it was, 1 gone."""
    share: float
    """Of the whole exposure: its part of the sum of weight times severity, 0 to 1."""
    what: Literal["changed", "deleted", "not permitted"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposure:
    """How much of what a version learned rests on documents that have changed since."""

    value: float
    """0 to 1: severity of each example, weighted by how often people ask for its document."""
    examples: int
    affected: int
    """Examples with a severity above 0."""
    domains: dict[str, float] = field(default_factory=dict)
    """The same by domain."""
    documents: tuple[Exposed, ...] = ()
    """Those that add most to it, at most 20."""
    withdrawn: tuple[str, ...] = ()
    """Uris that it learned from and that may not be learned from today: stale at once."""
    severities: str = ""
    """A hash of what became of each document, whatever is asked for: the same, and it is no news."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """A bin that holds another share of the items than it used to. For explanations only."""

    channel: Binned
    bin: int
    then: float
    now: float
    documents: tuple[str, ...] = ()
    """Uris that its newest items come from or lead to, at most 5."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A changed document that a generator was asked about. For explanations only."""

    uri: str
    """Of today."""
    domain: str
    facts: int
    """Changed ones that it was asked about, with the passage of today in the prompt."""
    as_before: int
    """Those that it answered with the former value all the same."""
    memory: float | None = None
    """Nats a token by which it prefers former values, more than its base; None: not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What one look saw of one version."""

    look: str
    """Names the look: the run's id. A look counts once."""
    at: datetime
    publication: int
    queries: int = 0
    """Questions since the look before, repeated ones too: the traffic."""
    bags: dict[str, tuple[int, ...]] = field(default_factory=dict)
    """Channels that were calibrated in this look: items of the first bag by bin."""
    bins: dict[str, tuple[int, ...]] = field(default_factory=dict)
    """Channel -> bin of each new item, in the order in which they came."""
    scores: dict[str, tuple[float, ...]] = field(default_factory=dict)
    """Channel of ``BETS`` -> a number in [-1, 1] for each new evaluation. ``golden``: score now
    minus first score; ``worth``: tuned minus base; ``candidate``: tuned minus the candidate. One
    changed document each, in [-1, 0]: ``override``: minus the share of its changed facts that were
    answered as they used to be; ``memory``: minus the nats a token by which former values are
    preferred to those of today, more than by the base, cut at 0 and ``MOST_NATS``, of which
    it is a part."""
    exposure: Exposure | None = None
    """None where nothing that it rests on has changed since the look before."""
    canary: float | None = None
    """The least cosine of a fixed text now and when it was first embedded; None: not looked at."""
    moved: tuple[Moved, ...] = ()
    held: tuple[Held, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether nothing has happened: such a look changes no state and is not kept."""
        seen = (*self.bags.values(), *self.bins.values(), *self.scores.values())
        return not any(seen) and self.exposure is None

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return dataclasses.asdict(self) | {"at": self.at.isoformat()}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "Observation":
        """The inverse of ``to_dict``."""
        found = data["exposure"]
        return cls(
            **data
            | {
                "at": datetime.fromisoformat(data["at"]),
                "bags": {key: tuple(v) for key, v in data["bags"].items()},
                "bins": {key: tuple(v) for key, v in data["bins"].items()},
                "scores": {key: tuple(v) for key, v in data["scores"].items()},
                "exposure": None if found is None else _exposure(found),
                "moved": tuple(
                    Moved(**one | {"documents": tuple(one["documents"])}) for one in data["moved"]
                ),
                # A look that was kept before there were generators has none.
                "held": tuple(Held(**one) for one in data.get("held", ())),
            }
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """One channel after a look."""

    name: str
    evidence: float
    """The martingale: 1 = nothing, and at most once in 1/alpha ever above its threshold by chance."""
    threshold: float
    """What makes it evidence: 1 / (alpha * weight of the channel)."""
    items: int
    """Since the version is watched."""
    effect: float | None = None
    """How much has moved: share of items in other bins; mean of the scores."""
    lower: float | None = None
    upper: float | None = None
    """Anytime-valid bounds of the mean score, of channels that are bets."""
    says: str = ""
    """One sentence: what it means, or what is still missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a look says of a version."""

    level: Level
    reasons: tuple[str, ...]
    """Why it is not fresh, or why nothing can be said yet."""
    signals: tuple[Signal, ...]
    exposure: float
    worth: tuple[float, float, float] | None
    """Mean of tuned minus base on new questions, and its anytime-valid bounds."""
    debt: float | None
    """Expected loss so far; None for an embedder, which has none."""
    cost: float | None
    """Of one retraining; None where no price is known."""
    next: tuple[str, ...]
    """What would have to happen for the next level."""

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "Verdict":
        """The inverse of ``to_dict``."""
        worth = data["worth"]
        return cls(
            **data
            | {
                "reasons": tuple(data["reasons"]),
                "signals": tuple(Signal(**one) for one in data["signals"]),
                "worth": None if worth is None else tuple(worth),
                "next": tuple(data["next"]),
            }
        )


def canonical(data: dict[str, Any]) -> str:
    """JSON that is the same text for the same data."""
    return json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def _exposure(data: dict[str, Any]) -> Exposure:
    documents = tuple(Exposed(**one) for one in data["documents"])
    return Exposure(**data | {"documents": documents, "withdrawn": tuple(data["withdrawn"])})

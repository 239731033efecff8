"""What is known of a version after all looks so far: small, and the same JSON for the same looks.

It holds nothing of a policy but what a policy has decided: the level and why. So looks that were
kept can be gone through again under another policy.
"""

import json
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from pipelines.drift.bets import Bets
from pipelines.drift.conformal import Bag
from pipelines.drift.records import Level, canonical

FORMAT = 1


@dataclass(frozen=True, slots=True)
class State:
    """What has accumulated over the looks at one version of a model."""

    model: str
    version: str
    looks: int = 0
    """In which something had happened."""
    last_look: str = ""
    """A look that comes again changes nothing."""
    queries: int = 0
    bags: dict[str, Bag] = field(default_factory=dict)
    """By channel of binned items; those that have a first bag."""
    bets: dict[str, Bets] = field(default_factory=dict)
    """By channel of scores."""
    exposure: float = 0.0
    examples: int = 0
    """That it was fitted on."""
    affected: int = 0
    """Those of them whose documents have changed."""
    loss_rate: float = 0.0
    """Expected loss of the last look, in the currency of the policy; of a generator."""
    debt: float = 0.0
    """The sum of all of them."""
    level: Level = "fresh"
    calm: int = 0
    """Looks on end that gave no cause to watch, while the level is ``watch``."""
    causes: dict[str, str] = field(default_factory=dict)
    """Cause -> sentence: why it became stale. It stays stale whatever comes."""

    def to_json(self) -> str:
        """The same text for the same state."""
        # As pairs: the keys of an object are sorted, and what was said first stands first.
        causes = list(self.causes.items())
        return canonical(asdict(self) | {"causes": causes, "format": FORMAT})

    @classmethod
    def from_json(cls, text: str) -> "State":
        """The inverse of ``to_json``.

        Raises:
            ValueError: It was written in another format; the kept observations still hold all.
        """
        data = json.loads(text)
        if data.pop("format", None) != FORMAT:
            raise ValueError(f"a state of a watch in another format than {FORMAT}")
        return cls(
            **data
            | {
                "bags": {name: _bag(one) for name, one in data["bags"].items()},
                "bets": {name: _bets(one) for name, one in data["bets"].items()},
                "causes": dict(data["causes"]),
            }
        )


def begin(model: str, version: str) -> State:
    """The state of a version that nobody has looked at."""
    return State(model, version)


def _bag(data: dict[str, Any]) -> Bag:
    found = Bag(**data)
    return replace(
        found,
        first=tuple(found.first),
        seen=tuple(found.seen),
        lately=tuple(found.lately),
        recent=tuple(map(tuple, found.recent)),
        log_m=tuple(found.log_m),
    )


def _bets(data: dict[str, Any]) -> Bets:
    found = Bets(**data)
    return replace(found, log_less=tuple(found.log_less), log_more=tuple(found.log_more))

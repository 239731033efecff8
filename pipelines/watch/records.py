"""What a watch of the models found, and what a replay of it would have said."""

from dataclasses import asdict, dataclass
from typing import Any

from pipelines.drift.records import Observation, Verdict
from pipelines.errors import StaleproofError
from pipelines.knowledge import LookRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """One model after a look."""

    model: str
    version: str | None
    """That serves; None where the base serves, and there is nothing to look at."""
    verdict: Verdict | None
    """Of this look, or of the newest one kept where nothing has happened; None before the first."""
    said: str
    """One sentence: what was looked at, or why nothing was."""
    changed: bool = False
    """Whether the level is another than before, or this is the first look."""
    happened: Observation | None = None
    """What this look saw; None where nothing has happened since the one before."""
    history: tuple[LookRow, ...] = ()
    """The looks at this version that were kept, oldest first, this one included."""

    @property
    def is_stale(self) -> bool:
        """Whether a retraining is called for."""
        return self.verdict is not None and self.verdict.level == "stale"

    def to_dict(self) -> dict[str, Any]:
        """For JSON. Where nothing was ever said the keys are there, and empty."""
        verdict = self.verdict
        worth = None if verdict is None or verdict.worth is None else list(verdict.worth)
        return {
            "model": self.model,
            "version": self.version,
            "verdict": None if verdict is None else verdict.level,
            "reasons": [] if verdict is None else list(verdict.reasons),
            "signals": [] if verdict is None else [asdict(one) for one in verdict.signals],
            "exposure": None if verdict is None else verdict.exposure,
            "worth": worth,
            "debt": None if verdict is None else verdict.debt,
            "cost": None if verdict is None else verdict.cost,
            "next": [] if verdict is None else list(verdict.next),
            "said": self.said,
            "changed": self.changed,
            "looks": len(self.history),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What one watch found, a model each, in the order of the configuration."""

    look: str
    """Names the look: the run's id."""
    models: tuple[Watched, ...]
    error: StaleproofError | None = None
    """Why a model that is not among them could not be looked at; of several the first."""

    @property
    def exit_code(self) -> int:
        """As INTERFACE.md 2 has it: 3 where a model is stale."""
        return 3 if any(one.is_stale for one in self.models) else 0

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {"look": self.look, "models": [one.to_dict() for one in self.models]}


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayRow:
    """What one policy would have said at one look."""

    policy: str
    at: str
    """ISO 8601."""
    look: str
    version: str
    level: str
    evidence: dict[str, float]
    """Channel -> evidence divided by what it needs: at 1 and above it is evidence."""
    exposure: float
    retrain: bool
    """Whether this look would have asked for a retraining."""
    cost: float | None
    """Of that retraining; None where no price is known, or none is asked for."""
    avoided: float
    """Loss avoided: the sum of what later new questions fell short of ``min_worth``, in MRR@10
    times documents; of a generator shares of documents answered as before, beyond ``max_override``.
    Of looks that ask for a retraining; 0 for others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """History gone through again under one or more policies."""

    model: str
    rows: tuple[ReplayRow, ...]
    """By policy, then by time."""
    kept: int
    """Looks that were kept and gone through again; 0: built from publications and questions."""
    said: str
    """What it rests on, in one sentence."""

    def to_dict(self) -> dict[str, Any]:
        """For JSON, with the sums of each policy."""
        names = list(dict.fromkeys(row.policy for row in self.rows))
        return {
            "model": self.model,
            "kept": self.kept,
            "said": self.said,
            "policies": [self._sums(name) for name in names],
            "rows": [asdict(row) for row in self.rows],
        }

    def _sums(self, policy: str) -> dict[str, Any]:
        rows = [row for row in self.rows if row.policy == policy]
        costs = [row.cost for row in rows if row.cost is not None]
        return {
            "policy": policy,
            "looks": len(rows),
            "watch": sum(row.level == "watch" for row in rows),
            "stale": sum(row.level == "stale" for row in rows),
            "retrains": sum(row.retrain for row in rows),
            "cost": sum(costs) if costs else None,
            "avoided": sum(row.avoided for row in rows),
        }

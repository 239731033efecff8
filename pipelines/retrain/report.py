"""What a retraining did, or would do: the records that doors show."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a retraining did."""

    knowledge: str
    model: str
    run: str
    version: str | None
    """The new one; None where nothing changed."""
    former: str | None
    """The newest version before."""
    publication: int
    """Whose passages were learned from."""
    verdict: Mapping[str, Any] | None = None
    """As it is stored with the version."""
    left_out: Mapping[str, int] = field(default_factory=dict)
    """Documents, questions and pairs that may not be learned from, by reason."""
    not_used: tuple[str, ...] = ()
    """Files with uncommitted changes, which this run did not see."""
    without_evidence: int = 0
    """Of a generator: answers that name no document, so that facts are learned by heart."""
    seconds: Mapping[str, float] = field(default_factory=dict)
    """By step, and in total."""

    @property
    def is_refused(self) -> bool:
        """Whether the gate does not let the new version through."""
        return self.verdict is not None and not self.verdict["promote"]

    @property
    def exit_code(self) -> int:
        """3 where a person has to decide about a version that was refused."""
        return 3 if self.is_refused else 0

    @property
    def reason(self) -> str | None:
        """Why there is no new version."""
        return None if self.version else f"nothing changed since {self.former}"

    @property
    def next(self) -> str | None:
        """The command with which it goes on."""
        if self.version is None:
            return None
        if self.is_refused:
            return f"staleproof models show {self.model} {self.version}"
        return f"staleproof promote {self.model} {self.version}"

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        said = self.verdict or {}
        word = None if self.verdict is None else "refused" if self.is_refused else "promote"
        return {
            "knowledge": self.knowledge,
            "model": self.model,
            "run": self.run,
            "version": self.version,
            "former": self.former,
            "reason": self.reason,
            "publication": self.publication,
            "verdict": word,
            "reasons": list(said.get("reasons", ())),
            "judgement": dict(said.get("judgement", {})),
            "metrics": dict(said.get("metrics", {})),
            "left_out": dict(self.left_out),
            "not_used": list(self.not_used),
            "without_evidence": self.without_evidence,
            "seconds": {name: round(took, 3) for name, took in self.seconds.items()},
            "next": self.next,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """What a retraining would do and cost."""

    knowledge: str
    model: str
    publication: int
    documents: int
    """That may be learned from."""
    passages: int
    pairs: int
    """At the most, to learn from."""
    steps: int
    seconds: float
    measured_on: str
    """What the time is known from: a version, or a common machine."""
    memory_bytes: int
    cost: float
    left_out: Mapping[str, int] = field(default_factory=dict)
    not_used: tuple[str, ...] = ()
    without_evidence: int = 0
    """Of a generator: answers that name no document."""

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "knowledge": self.knowledge,
            "model": self.model,
            "publication": self.publication,
            "documents": self.documents,
            "passages": self.passages,
            "pairs": self.pairs,
            "steps": self.steps,
            "estimate": {
                "seconds": round(self.seconds, 1),
                "hours": round(self.seconds / 3600, 2),
                "memory_bytes": self.memory_bytes,
                "cost": round(self.cost, 6),
                "measured_on": self.measured_on,
            },
            "left_out": dict(self.left_out),
            "not_used": list(self.not_used),
            "without_evidence": self.without_evidence,
        }

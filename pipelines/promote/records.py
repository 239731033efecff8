"""What a promotion is asked for, what it asks of the registry, and how it ended."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pipelines import registry
from pipelines.fill import Filled
from pipelines.fill import Ports as FillPorts
from pipelines.promote.trial import Tried, try_elsewhere
from pipelines.registry import Version

VERDICT = "data/training/{model}/verdict.json"
"""In the tree of a version: what the gate said of it."""


@dataclass(frozen=True, slots=True)
class Registry:
    """What a promotion asks of the registry."""

    find_version: Callable[[Path, str, str], Version] = registry.find_version
    read_text: Callable[[Path, Version, str], str] = registry.read_text
    checkout_model: Callable[[Path, Version, Path], Path] = registry.checkout_model
    assign_champion: Callable[[Path, Version], bool] = registry.assign_champion
    champion: Callable[[Path, str], Version | None] = registry.champion
    checkout_path: Callable[[Path, Version, str, Path], Path] = registry.checkout_path


@dataclass(frozen=True, slots=True)
class Ports:
    """Where a promotion meets what a test wants to replace."""

    registry: Registry = field(default_factory=Registry)
    fill: FillPorts = field(default_factory=FillPorts)
    try_out: Callable[[Path, Path], Tried] = try_elsewhere
    """Has a generator answer: what ``trial.prepare`` made, and the folder of its weights."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is to be promoted, who asks for it, and how."""

    model: str
    """The name of an entry of ``[[models]]``."""
    version: str
    actor: str = "unknown"
    override: bool = False
    """Whatever the gate said."""
    reason: str = ""
    """Why; an override needs one."""
    wait_seconds: float = 600.0
    """For a refresh that holds the lock when readers are to be switched."""


@dataclass(frozen=True, slots=True)
class Gate:
    """What the gate said of a version, as it is stored with it."""

    promote: bool
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Promoted:
    """How a promotion ended."""

    model: str
    version: str
    publication: int | None
    """What readers see."""
    promoted: bool
    """Whether this version serves now."""
    reason: str | None = None
    """Why nothing was done."""
    gate: Gate | None
    """None where the version has no verdict."""
    overridden: bool = False
    filled: Filled | None = None
    """Of an embedder."""
    tried: Tried | None = None
    """Of a generator."""
    stage: str | None = None
    """Why the stage tag does not follow yet; the next run mends it."""

    @property
    def exit_code(self) -> int:
        """As INTERFACE.md 2 has it: 3 where a gate or an audit refused it."""
        return 0 if self.promoted else 3

    @property
    def attention(self) -> tuple[str, ...]:
        """What a person should know."""
        said = self.filled.attention if self.filled else ()
        return said if self.stage is None else (*said, self.stage)

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        gate = None
        if self.gate is not None:
            gate = {"promote": self.gate.promote, "reasons": list(self.gate.reasons)}
        return {
            "model": self.model,
            "version": self.version,
            "publication": self.publication,
            "promoted": self.promoted,
            "reason": self.reason,
            "gate": gate,
            "overridden": self.overridden,
            "fill": self.filled.to_dict() if self.filled else None,
            "trial": asdict(self.tried) if self.tried else None,
            "attention": list(self.attention),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Demoted:
    """What a demotion did."""

    model: str
    version: str
    """That no longer serves."""
    serves: str
    """The version that serves now; the name of its base where none does."""
    publication: int
    restores: int | None
    """The publication that had it; None where none had, and the base of a generator serves."""
    withheld: int
    behind: dict[str, int]
    """Documents that the next refresh adds, changes and deletes."""
    seconds: float
    kind: str = "embedder"

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        told = asdict(self) | {"chunks": {"embedded": 0}, "pinned": False}
        return told | {"seconds": round(self.seconds, 3)}

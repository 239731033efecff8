"""What looks at a version leave for later ones: in the store, or, of a replay, nowhere."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from pipelines.knowledge import (
    Evaluation,
    Reference,
    Store,
    evaluated,
    keep_evaluations,
    keep_references,
    references,
)


class Memory(Protocol):
    """Of one version of a model."""

    def references(self, channel: str) -> list[Reference]:
        """What later items are compared with, by position."""
        ...

    def keep_references(self, taken: Sequence[Reference]) -> None:
        """Some more, replacing those of the same key."""
        ...

    def evaluated(self, channel: str | None = None) -> list[Evaluation]:
        """What was scored, oldest first; of one channel or of all."""
        ...

    def keep_evaluations(self, made: Sequence[Evaluation]) -> None:
        """Some more, replacing those of the same key."""
        ...


@dataclass(frozen=True, slots=True)
class Stored:
    """In the side tables of the store."""

    store: Store
    model: str
    version: str

    def references(self, channel: str) -> list[Reference]:
        """As ``Memory`` has it."""
        return references(self.store, self.model, self.version, channel)

    def keep_references(self, taken: Sequence[Reference]) -> None:
        """As ``Memory`` has it."""
        keep_references(self.store, taken)

    def evaluated(self, channel: str | None = None) -> list[Evaluation]:
        """As ``Memory`` has it."""
        return evaluated(self.store, self.model, self.version, channel)

    def keep_evaluations(self, made: Sequence[Evaluation]) -> None:
        """As ``Memory`` has it."""
        keep_evaluations(self.store, made)


@dataclass(slots=True)
class Forgotten:
    """For as long as a replay goes on."""

    taken: dict[str, Reference] = field(default_factory=dict)
    made: dict[str, Evaluation] = field(default_factory=dict)

    def references(self, channel: str) -> list[Reference]:
        """As ``Memory`` has it."""
        found = [one for one in self.taken.values() if one.channel == channel]
        return sorted(found, key=lambda one: one.position)

    def keep_references(self, taken: Sequence[Reference]) -> None:
        """As ``Memory`` has it."""
        self.taken |= {one.id: one for one in taken}

    def evaluated(self, channel: str | None = None) -> list[Evaluation]:
        """As ``Memory`` has it."""
        return [one for one in self.made.values() if channel in (None, one.channel)]

    def keep_evaluations(self, made: Sequence[Evaluation]) -> None:
        """As ``Memory`` has it."""
        self.made |= {one.id: one for one in made}

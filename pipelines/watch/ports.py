"""Where a watch meets what a test wants to replace: the models and the registry."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pipelines import registry
from pipelines.embedding import load_encoder
from pipelines.records import LoadEncoder
from pipelines.registry import Version
from pipelines.training import Snapshot
from pipelines.training.generator.prompts import Message
from pipelines.watch.generator import load_generator


class Generator(Protocol):
    """A version of a generator in memory, and the base below it."""

    def answers(self, prompts: Sequence[Sequence[Message]]) -> list[str]:
        """What the version answers to each prompt."""
        ...

    def losses(
        self, items: Sequence[tuple[Sequence[Message], str, tuple[int, int]]], *, tuned: bool
    ) -> list[float]:
        """Mean loss of the tokens of a part of each answer, in nats: of the version, or of its base.

        Args:
            items: Prompt, answer, and from which character of the answer up to which.
            tuned: The version; else the base.
        """
        ...


LoadGenerator = Callable[[Snapshot, Path], Generator]
"""From the snapshot of a version, with its base where that does not come with a package, and the
folder of its adapter."""


@dataclass(frozen=True, slots=True)
class Ports:
    """The models and the registry."""

    load_encoder: LoadEncoder = load_encoder
    find_version: Callable[[Path, str, str], Version] = registry.find_version
    checkout_path: Callable[[Path, Version, str, Path], Path] = registry.checkout_path
    load_generator: LoadGenerator = load_generator

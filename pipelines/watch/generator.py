"""A version of a generator, loaded to be asked about what has changed."""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipelines.training import Snapshot
from pipelines.training.generator.base import base_folder
from pipelines.training.generator.decode import answers
from pipelines.training.generator.model import Opened, open_generator
from pipelines.training.generator.nats import span_nats
from pipelines.training.generator.prompts import Message

MOST_TOKENS = 96
"""Of an answer: the value stands in its first lines."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A base and the adapter of a version on it."""

    opened: Opened

    def answers(self, prompts: Sequence[Sequence[Message]]) -> list[str]:
        """What the version answers to each prompt."""
        return answers(self.opened, prompts, max_new_tokens=MOST_TOKENS)

    def losses(
        self, items: Sequence[tuple[Sequence[Message], str, tuple[int, int]]], *, tuned: bool
    ) -> list[float]:
        """Mean loss of the tokens of a part of each answer, in nats: of the version, or of its base."""
        with contextlib.nullcontext() if tuned else self.opened.model.disable_adapter():
            return span_nats(self.opened, items)


def load_generator(snapshot: Snapshot, adapter: Path) -> Loaded:
    """Loads a version.

    Args:
        snapshot: What it was made of; its base is the one that this names.
        adapter: The folder of its weights.

    Raises:
        ConfigError: The base cannot be found or had.
        TrainingError: It is another one by now.
    """
    return Loaded(open_generator(base_folder(snapshot), adapter=adapter))

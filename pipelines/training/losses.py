"""What a training says of itself: each step on stdout, all losses in a table."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.training.progress import Steps

if TYPE_CHECKING:
    from transformers import TrainerCallback

DIGITS = 6


def told_steps() -> "TrainerCallback":
    """Says each step of a trainer on stdout."""
    from transformers import TrainerCallback

    class Told(TrainerCallback):
        """Says each step on stdout."""

        def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            del args, control
            self.steps = Steps("train", state.max_steps)

        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
            del args, control
            if logs and "loss" in logs:
                self.steps.done(state.global_step, loss=round(logs["loss"], DIGITS))

    return Told()


def write_losses(path: Path, losses: Sequence[Mapping[str, Any]]) -> None:
    """Write ``step``, ``loss`` and ``learning_rate`` of each logged step as CSV."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["step", "loss", "learning_rate"])
        for row in losses:
            rate = f"{row['learning_rate']:.3e}"
            writer.writerow([row["step"], round(row["loss"], DIGITS), rate])

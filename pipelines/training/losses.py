"""What a training says of itself: each step on stdout, all losses in a table, a few figures."""

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.training.places import Place
from pipelines.training.progress import Steps

if TYPE_CHECKING:
    from transformers import TrainerCallback, TrainerState

DIGITS = 6


def told_steps() -> "TrainerCallback":
    """Says each step of a trainer on stdout."""
    from transformers import TrainerCallback

    class Told(TrainerCallback):
        """Says each step on stdout."""

        def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            del args, control
            self.steps = Steps("train", state.max_steps, begun=state.global_step)

        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
            del args, control
            if logs and "loss" in logs:
                self.steps.done(state.global_step, loss=round(logs["loss"], DIGITS))

    return Told()


def write_trained(place: Place, state: "TrainerState", *, pairs: int, precision: str) -> None:
    """Write ``loss.csv`` and ``train.json``, which are the same for the same training.

    Args:
        place: Where.
        state: Of the trainer at the end.
        pairs: How many pairs or examples were learned.
        precision: What it computed in.
    """
    losses = [row for row in state.log_history if "loss" in row]
    _write_losses(place.folder / "loss.csv", losses)
    figures = {
        "pairs": pairs,
        "steps": state.global_step,
        "loss": round(losses[-1]["loss"], DIGITS),
        "precision": precision,
    }
    text = json.dumps(figures, indent=2, sort_keys=True)
    (place.folder / "train.json").write_text(text + "\n", encoding="utf-8")


def _write_losses(path: Path, losses: Sequence[Mapping[str, Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["step", "loss", "learning_rate"])
        for row in losses:
            rate = f"{row['learning_rate']:.3e}"
            writer.writerow([row["step"], round(row["loss"], DIGITS), rate])

"""Where a training that is ended goes on: checkpoints that outlive the run that wrote them.

``STALEPROOF_CHECKPOINTS`` names the folder; without it nothing is kept, and nothing is gone on from.
A checkpoint is taken up only by a training on the same data set, base, parameters, code and
packages, and is removed when that training is through.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from pipelines.embedding.contents import file_hash
from pipelines.training.params import GeneratorParams
from pipelines.training.places import Place
from pipelines.training.snapshot import Snapshot

if TYPE_CHECKING:
    from transformers import TrainerCallback

VARIABLE = "STALEPROOF_CHECKPOINTS"
_WHOLE = "whole"
_PACKAGES = ("torch", "transformers", "peft", "accelerate")


@dataclass(frozen=True, slots=True)
class Checkpoints:
    """Where the trainer writes."""

    folder: Path
    kept: bool
    """Whether they outlive this process."""

    @property
    def last(self) -> Path | None:
        """The newest one that was written to its end; None: start at the beginning."""
        whole = [one.parent for one in self.folder.glob(f"checkpoint-*/{_WHOLE}")]
        return max(whole, key=lambda one: int(one.name.partition("-")[2]), default=None)


@contextmanager
def checkpoints(place: Place, snapshot: Snapshot, params: GeneratorParams) -> Iterator[Checkpoints]:
    """The folder of one training; removed when the block ends without an error."""
    kept = os.environ.get(VARIABLE)
    if not kept:
        with TemporaryDirectory() as scratch:
            yield Checkpoints(Path(scratch), kept=False)
        return
    of_model = Path(kept) / place.model
    folder = of_model / _key(place, snapshot, params)
    folder.mkdir(parents=True, exist_ok=True)
    # Of other inputs: what they were written for is not trained any more.
    for other in of_model.iterdir():
        if other != folder:
            shutil.rmtree(other, ignore_errors=True)
    yield Checkpoints(folder, kept=True)
    shutil.rmtree(of_model, ignore_errors=True)


def marked_whole() -> "TrainerCallback":
    """Marks each checkpoint that is written, for one that is cut short looks like any other."""
    from transformers import TrainerCallback

    class Marked(TrainerCallback):
        """Marks a checkpoint once all of it is there."""

        def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            del control
            folder = Path(args.output_dir) / f"checkpoint-{state.global_step}"
            # A pickle, which nothing reads when a training goes on.
            (folder / "training_args.bin").unlink(missing_ok=True)
            (folder / _WHOLE).touch()

    return Marked()


def _key(place: Place, snapshot: Snapshot, params: GeneratorParams) -> str:
    """Names all that a training depends on."""
    facts = [
        file_hash(place.dataset / "examples.parquet"),
        snapshot.facts.base.fingerprint,
        snapshot.code,
        params.model_dump(mode="json"),
        {name: version(name) for name in _PACKAGES},
    ]
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:32]

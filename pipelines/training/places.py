"""Where the parts of a training lie below a project's root, by model."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Place:
    """The folder ``data/training/<model>`` of a project or of a work tree of it."""

    root: Path
    """The folder of ``dvc.yaml`` and ``params.yaml``."""
    model: str

    @property
    def folder(self) -> Path:
        """All of it."""
        return self.root / "data" / "training" / self.model

    @property
    def snapshot(self) -> Path:
        """What came from outside; written before the stages start."""
        return self.folder / "snapshot"

    @property
    def dataset(self) -> Path:
        """Of the first stage: pairs, evaluation questions, manifest, calibration sample."""
        return self.folder / "dataset"

    @property
    def weights(self) -> Path:
        """Of the second stage: the model."""
        return self.folder / "weights"

    @property
    def evaluation(self) -> Path:
        """Of the third stage: scores and metrics."""
        return self.folder / "evaluation"

    @property
    def measured(self) -> Path:
        """What differs from run to run (seconds, memory, latency): in git, no output of a stage."""
        return self.folder / "measured"

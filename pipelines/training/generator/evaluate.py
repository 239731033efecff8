"""Third stage of a generator: base, champion and challenger answer the same questions."""

from typing import Any

from pipelines.training.params import GeneratorParams
from pipelines.training.places import Place
from pipelines.training.snapshot import Snapshot

METRIC = "answer"


def run_evaluation(place: Place, snapshot: Snapshot, params: GeneratorParams) -> None:
    """Write ``evaluation/``: a score for each question and model, means, and curves."""
    raise NotImplementedError


def measure(place: Place, snapshot: Snapshot) -> dict[str, Any]:
    """Milliseconds for a token and bytes on disk, by model."""
    raise NotImplementedError

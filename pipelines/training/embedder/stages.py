"""The stages of an embedder, put together from what is shared and what is particular to it."""

from typing import Any

from pipelines.training import dataset, evaluate
from pipelines.training.embedder.model import base_folder
from pipelines.training.embedder.negatives import mine_negatives
from pipelines.training.embedder.rank import latency, rank
from pipelines.training.params import Params
from pipelines.training.places import Place
from pipelines.training.snapshot import Snapshot

METRIC = "reciprocal_rank"


def make_dataset(place: Place, snapshot: Snapshot, params: Params) -> None:
    """First stage: pairs and hard negatives, questions, manifest."""
    dataset.make_dataset(place, snapshot, params, mine_negatives)


def run_evaluation(place: Place, snapshot: Snapshot, params: Params) -> None:
    """Third stage: base, champion and challenger look for the same passages."""
    evaluate.evaluate(place, snapshot, params, (rank, latency), base_folder(snapshot))


def measure(place: Place, snapshot: Snapshot) -> dict[str, Any]:
    """Milliseconds for a question and bytes on disk, by model."""
    models = evaluate.compared_models(place, snapshot, base_folder(snapshot))
    asked = evaluate.read_questions(place.dataset / "questions.parquet")["held_out"]
    return evaluate.speed_and_size(models, asked, latency)

"""Third stage: base, champion and challenger answer the same questions."""

import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.embedding import fingerprint
from pipelines.errors import TrainingError
from pipelines.training.gate import BASE, CHALLENGER, CHAMPION
from pipelines.training.measured import write_measured
from pipelines.training.metrics import DIGITS, scores_table, summary, write_scores
from pipelines.training.params import Params
from pipelines.training.places import Place
from pipelines.training.questions import Asked, not_learned
from pipelines.training.records import ManifestLine, read_lines
from pipelines.training.snapshot import Snapshot

if TYPE_CHECKING:
    import pyarrow as pa

Rank = Callable[
    [Snapshot, Params, Mapping[str, Sequence[Asked]], Mapping[str, Path]], list[dict[str, Any]]
]
Latency = Callable[[Mapping[str, Path], Sequence[str]], dict[str, float]]


def evaluate(
    place: Place, snapshot: Snapshot, params: Params, ways: tuple[Rank, Latency], base: Path
) -> None:
    """Write ``evaluation/``: a score for each question and model, means, and curves.

    Args:
        place: With weights and data set.
        snapshot: What is searched, the general set, and the champion.
        params: How much of it.
        ways: How a model of this kind is asked, and how fast it is.
        base: Weights of the base.

    Raises:
        TrainingError: A question is of what a compared model learned from.
    """
    started = time.monotonic()
    rank, latency = ways
    questions = read_questions(place.dataset / "questions.parquet")
    _refuse_learned(place, snapshot, questions["held_out"])
    models = compared_models(place, snapshot, base)
    scores = scores_table(rank(snapshot, params, questions, models))
    shutil.rmtree(place.evaluation, ignore_errors=True)
    place.evaluation.mkdir(parents=True)
    write_scores(place.evaluation, scores, summary(scores), _recall_curve(scores))
    figures = speed_and_size(models, questions["held_out"], latency)
    figures["seconds"] = round(time.monotonic() - started, 1)
    write_measured(place, "evaluate", figures, weights=fingerprint(place.weights))


def read_questions(path: Path) -> dict[str, list[Asked]]:
    """The questions of ``dataset/questions.parquet``, by set."""
    import pyarrow.parquet as pq

    found: dict[str, list[Asked]] = {"held_out": [], "golden": []}
    for row in pq.read_table(path).to_pylist():
        found[row.pop("set")].append(Asked.from_dict(row))
    return found


def compared_models(place: Place, snapshot: Snapshot, base: Path) -> dict[str, Path]:
    """The folders of base, champion (where a trained version is one) and challenger."""
    champion = snapshot.champion_folder
    between = {} if champion is None else {CHAMPION: champion}
    return {BASE: base, **between, CHALLENGER: place.weights}


def speed_and_size(
    models: Mapping[str, Path], asked: Sequence[Asked], latency: Latency
) -> dict[str, Any]:
    """Milliseconds for a question and bytes on disk, by model."""
    return {
        "latency_ms": latency(models, [question.text for question in asked]),
        "size_bytes": {name: folder_bytes(folder) for name, folder in models.items()},
    }


def folder_bytes(folder: Path) -> int:
    """Of all files in it."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def learned_lines(place: Place, snapshot: Snapshot) -> list[ManifestLine]:
    """What the models that are compared have learned."""
    own = read_lines(place.dataset / "manifest.jsonl", ManifestLine)
    return [*snapshot.champion_manifest(), *own]


def _refuse_learned(place: Place, snapshot: Snapshot, asked: Sequence[Asked]) -> None:
    lines = learned_lines(place, snapshot)
    if not_learned(asked, snapshot, lines, Counter()) != list(asked):
        raise TrainingError(
            f"The questions of {place.model} ask for passages that a compared model learned from; "
            "nothing was evaluated.",
            hint="Make the data set anew: dvc repro --force.",
        )


def _recall_curve(scores: "pa.Table") -> list[tuple[str, str, float]]:
    """The share of held-out questions that are answered among the first k passages."""
    ranks: dict[str, list[float]] = {}
    for row in scores.to_pylist():
        if row["set"] == "held_out":
            ranks.setdefault(row["model"], []).append(row["reciprocal_rank"])
    return [
        (model, f"recall@{k}", _share(rank >= round(1 / k, DIGITS) for rank in some))
        for model, some in ranks.items()
        for k in range(1, 11)
    ]


def _share(found: Iterable[bool]) -> float:
    return round(float(np.mean(list(found))), DIGITS)

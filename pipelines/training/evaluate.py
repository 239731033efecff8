"""Third stage: base, champion and challenger answer the same questions."""

import csv
import json
import shutil
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.embedding import fingerprint
from pipelines.errors import TrainingError
from pipelines.training.gate import BASE, CHALLENGER, CHAMPION, paired
from pipelines.training.measured import write_measured
from pipelines.training.params import Params
from pipelines.training.places import Place
from pipelines.training.questions import Asked, not_learned
from pipelines.training.records import ManifestLine, read_lines
from pipelines.training.snapshot import Snapshot

if TYPE_CHECKING:
    import pyarrow as pa

_DIGITS = 6

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
    scores = _table(rank(snapshot, params, questions, models))
    shutil.rmtree(place.evaluation, ignore_errors=True)
    place.evaluation.mkdir(parents=True)
    _write_scores(place.evaluation, scores)
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
        "size_bytes": {name: _size(folder) for name, folder in models.items()},
    }


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def _refuse_learned(place: Place, snapshot: Snapshot, asked: Sequence[Asked]) -> None:
    lines = [
        *snapshot.champion_manifest(),
        *read_lines(place.dataset / "manifest.jsonl", ManifestLine),
    ]
    if not_learned(asked, snapshot, lines, Counter()) != list(asked):
        raise TrainingError(
            f"The questions of {place.model} ask for passages that a compared model learned from; "
            "nothing was evaluated.",
            hint="Make the data set anew: dvc repro --force.",
        )


def _table(rows: Sequence[Mapping[str, Any]]) -> "pa.Table":
    import pyarrow as pa

    keys = ("set", "model", "kind", "question")
    return pa.Table.from_pylist(sorted(rows, key=lambda row: tuple(row[key] for key in keys)))


def _write_scores(folder: Path, scores: "pa.Table") -> None:
    import pyarrow.parquet as pq

    pq.write_table(scores, folder / "scores.parquet", compression="zstd")
    text = json.dumps(summary(scores), indent=2, sort_keys=True)
    (folder / "metrics.json").write_text(text + "\n", encoding="utf-8")
    with (folder / "recall.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["model", "k", "recall"])
        writer.writerows(_recall_curve(scores))


def summary(scores: "pa.Table", metric: str = "reciprocal_rank") -> dict[str, Any]:
    """Means of each model, and what the challenger gains, by set, domain and kind; for JSON."""
    models = [m for m in (BASE, CHAMPION, CHALLENGER) if m in set(scores["model"].to_pylist())]
    rows = scores.to_pylist()
    told: dict[str, Any] = {"metric": metric}
    for of_set in sorted({row["set"] for row in rows}):
        here = [row for row in rows if row["set"] == of_set]
        told[of_set] = {"models": _means(here, models)} | {
            f"over_{other}": paired(scores, of_set, CHALLENGER, other, metric).interval().to_dict()
            for other in models
            if other != CHALLENGER
        }
    held_out = [row for row in rows if row["set"] == "held_out"]
    for column in ("domain", "kind"):
        told[f"by_{column}"] = {
            name: _means([row for row in held_out if row[column] == name], models)
            for name in sorted({row[column] for row in held_out})
        }
    return told


def _means(rows: Sequence[Mapping[str, Any]], models: Sequence[str]) -> dict[str, Any]:
    """Mean of each measure by model, and the number of questions."""
    measures = [key for key, value in rows[0].items() if isinstance(value, float)]
    of_model = {model: [row for row in rows if row["model"] == model] for model in models}
    return {
        model: {"questions": len(some)}
        | {key: round(float(np.mean([row[key] for row in some])), _DIGITS) for key in measures}
        for model, some in of_model.items()
    }


def _recall_curve(scores: "pa.Table") -> list[tuple[str, int, float]]:
    """The share of held-out questions that are answered among the first k passages."""
    ranks: dict[str, list[float]] = {}
    for row in scores.to_pylist():
        if row["set"] == "held_out":
            ranks.setdefault(row["model"], []).append(row["reciprocal_rank"])
    return [
        (model, k, round(float(np.mean([rank >= round(1 / k, _DIGITS) for rank in some])), _DIGITS))
        for model, some in ranks.items()
        for k in range(1, 11)
    ]

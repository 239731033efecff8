"""What the gate says of a trained model, with the figures that it and the card rest on."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.config import GatePolicy
from pipelines.embedding import fingerprint
from pipelines.errors import TrainingError
from pipelines.training.gate import judge
from pipelines.training.intervals import interval
from pipelines.training.measured import read_measured
from pipelines.training.places import Place

if TYPE_CHECKING:
    import pyarrow as pa

METRICS = {
    "reciprocal_rank": "mrr_10",
    "recall_5": "recall_5",
    "recall_10": "recall_10",
    "ndcg_10": "ndcg_10",
}
"""Columns of the scores, and what people call their means."""
MODELS = ("base", "champion", "challenger")


def judged(place: Place, policy: GatePolicy) -> dict[str, Any]:
    """The verdict on what was trained and evaluated in a work tree, as it is stored.

    Raises:
        TrainingError: The stages did not leave what it takes.
    """
    scores, weights = read_scores(place), fingerprint(place.weights)
    evaluated = read_measured(place, "evaluate", weights=weights)
    if evaluated is None:
        raise TrainingError(
            "The stage evaluate did not say how fast the model is: no version was made.",
            hint="Run it once more; if it happens again: dvc repro --force in a clone.",
        )
    judgement = judge(scores, policy, evaluated["latency_ms"])
    trained = read_measured(place, "train", weights=weights) or {}
    return {
        "promote": judgement.promote,
        "reasons": list(judgement.reasons),
        "judgement": judgement.to_dict(),
        "metrics": means(scores),
        "trained": json.loads((place.folder / "train.json").read_text(encoding="utf-8")),
        "measured": {"train": trained, "evaluate": evaluated},
        "weights": weights,
    }


def read_scores(place: Place) -> "pa.Table":
    """A row a question and model."""
    import pyarrow.parquet as pq

    return pq.read_table(place.evaluation / "scores.parquet")


def means(scores: "pa.Table") -> dict[str, dict[str, dict[str, Any]]]:
    """By set and model the means of all metrics, the interval of the first, and the questions."""
    return {
        name: {model: _summary(mine) for model, mine in by(rows, "model").items()}
        for name, rows in by(scores.to_pylist(), "set").items()
    }


def by(rows: Iterable[Mapping[str, Any]], key: str) -> dict[str, list[Mapping[str, Any]]]:
    """Rows by the value of a column, sorted by it."""
    found: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for row in rows:
        found[row[key]].append(row)
    return dict(sorted(found.items()))


def _summary(rows: list[Mapping[str, Any]]) -> dict[str, Any]:
    ranks = np.array([row["reciprocal_rank"] for row in rows], dtype=np.float64)
    around = interval(ranks, [row["document"] for row in rows])
    return {
        "questions": len(rows),
        **{name: mean_of(rows, column) for column, name in METRICS.items()},
        "mrr_10_interval": [round(around.lower, 6), round(around.upper, 6)],
    }


def mean_of(rows: Iterable[Mapping[str, Any]], column: str) -> float:
    """Of a column, rounded to 6 digits."""
    return round(float(np.mean([row[column] for row in rows])), 6)

"""What the gate says of a trained model, with the figures that it and the card rest on."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
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


def judged(place: Place, policy: GatePolicy) -> dict[str, Any]:
    """The verdict on what was trained and evaluated in a work tree, as it is stored.

    Raises:
        TrainingError: The stages did not leave what it takes.
    """
    import pyarrow.parquet as pq

    scores = pq.read_table(place.evaluation / "scores.parquet")
    weights = fingerprint(place.weights)
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
        "metrics": json.loads(_text(place.evaluation / "metrics.json")),
        "intervals": intervals(scores),
        "trained": json.loads(_text(place.folder / "train.json")),
        "measured": {"train": trained, "evaluate": evaluated},
        "weights": weights,
    }


def _text(file: Path) -> str:
    return file.read_text(encoding="utf-8")


def intervals(scores: "pa.Table") -> dict[str, dict[str, dict[str, Any]]]:
    """By set and model the mean of reciprocal ranks, and how far it may be off."""
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for name, rows in _by(scores.to_pylist(), "set").items():
        found[name] = {}
        for model, mine in _by(rows, "model").items():
            ranks = np.array([row["reciprocal_rank"] for row in mine], dtype=np.float64)
            around = interval(ranks, [row["document"] for row in mine])
            found[name][model] = around.to_dict()
    return found


def _by(rows: Iterable[Mapping[str, Any]], key: str) -> dict[str, list[Mapping[str, Any]]]:
    found: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for row in rows:
        found[row[key]].append(row)
    return dict(sorted(found.items()))

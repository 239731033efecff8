"""What the gate says of a trained model, with the figures that it and the card rest on."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.config import AnyGate
from pipelines.training import Snapshot
from pipelines.training.intervals import interval
from pipelines.training.kinds import kind_of
from pipelines.training.measured import read_measured, write_measured
from pipelines.training.places import Place

if TYPE_CHECKING:
    import pyarrow as pa


def judged(place: Place, snapshot: Snapshot, policy: AnyGate) -> dict[str, Any]:
    """The verdict on what was trained and evaluated in a work tree, as it is stored."""
    import pyarrow.parquet as pq

    scores = pq.read_table(place.evaluation / "scores.parquet")
    kind = kind_of(snapshot)
    weights = kind.fingerprint(place.weights)
    evaluated = read_measured(place, "evaluate", weights=weights) or _measured_again(
        place, snapshot, weights
    )
    judgement = kind.judge(scores, policy, evaluated["latency_ms"])
    trained = read_measured(place, "train", weights=weights) or {}
    return {
        "promote": judgement.promote,
        "reasons": list(judgement.reasons),
        "judgement": judgement.to_dict(),
        "metrics": json.loads(_text(place.evaluation / "metrics.json")),
        "intervals": intervals(scores, kind.metric),
        "trained": json.loads(_text(place.folder / "train.json")),
        "measured": {"train": trained, "evaluate": evaluated},
        "weights": weights,
    }


def _measured_again(place: Place, snapshot: Snapshot, weights: str) -> dict[str, Any]:
    """Speed and size, where DVC took the stage from its cache: a run that was stopped had done it."""
    figures = kind_of(snapshot).measure(place, snapshot)
    write_measured(place, "evaluate", figures, weights=weights)
    return figures


def _text(file: Path) -> str:
    return file.read_text(encoding="utf-8")


def intervals(
    scores: "pa.Table", metric: str = "reciprocal_rank"
) -> dict[str, dict[str, dict[str, Any]]]:
    """By set and model the mean of a measure, and how far it may be off; sets that have it."""
    found: dict[str, dict[str, dict[str, Any]]] = {}
    asked = [row for row in scores.to_pylist() if row[metric] is not None]
    for name, rows in _by(asked, "set").items():
        found[name] = {}
        for model, mine in _by(rows, "model").items():
            ranks = np.array([row[metric] for row in mine], dtype=np.float64)
            around = interval(ranks, [row["document"] for row in mine])
            found[name][model] = around.to_dict()
    return found


def _by(rows: Iterable[Mapping[str, Any]], key: str) -> dict[str, list[Mapping[str, Any]]]:
    found: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for row in rows:
        found[row[key]].append(row)
    return dict(sorted(found.items()))

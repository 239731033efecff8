"""Means and intervals of the scores of an evaluation, for ``metrics.json`` and plots."""

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.training.gate import BASE, CHALLENGER, CHAMPION, paired

if TYPE_CHECKING:
    import pyarrow as pa

DIGITS = 6

Curve = Iterable[tuple[str, str, float]]
"""Of a model and a measure, its value."""


def scores_table(
    rows: Sequence[Mapping[str, Any]], schema: "pa.Schema | None" = None
) -> "pa.Table":
    """Scores in an order of their own: the same scores, the same bytes."""
    import pyarrow as pa

    keys = ("set", "model", "kind", "question")
    ordered = sorted(rows, key=lambda row: tuple(row[key] for key in keys))
    return pa.Table.from_pylist(ordered, schema=schema)


def write_scores(folder: Path, scores: "pa.Table", told: Mapping[str, Any], curve: Curve) -> None:
    """Write ``scores.parquet``, ``metrics.json`` and ``measures.csv``."""
    import pyarrow.parquet as pq

    pq.write_table(scores, folder / "scores.parquet", compression="zstd")
    text = json.dumps(told, indent=2, sort_keys=True)
    (folder / "metrics.json").write_text(text + "\n", encoding="utf-8")
    with (folder / "measures.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["model", "measure", "value"])
        writer.writerows(curve)


def summary(
    scores: "pa.Table",
    metric: str = "reciprocal_rank",
    *,
    of_set: Mapping[str, str] | None = None,
    models: Sequence[str] = (BASE, CHAMPION, CHALLENGER),
) -> dict[str, Any]:
    """Means of each model, and what the challenger gains, by set, domain and kind; for JSON.

    Args:
        scores: A row a question and model.
        metric: The column that decides.
        of_set: Sets in which another one does.
        models: Those that are compared, where a set has them.
    """
    rows = scores.to_pylist()
    told: dict[str, Any] = {"metric": metric}
    for name in sorted({row["set"] for row in rows}):
        here = [row for row in rows if row["set"] == name]
        asked = {row["model"] for row in here}
        known = [model for model in models if model in asked]
        decides = (of_set or {}).get(name, metric)
        told[name] = {"models": _means(here, known)} | {
            f"over_{other}": paired(scores, name, CHALLENGER, other, decides).interval().to_dict()
            for other in known
            if other != CHALLENGER
        }
    held_out = [row for row in rows if row["set"] == "held_out"]
    known = [model for model in models if model in {row["model"] for row in held_out}]
    for column in ("domain", "kind"):
        told[f"by_{column}"] = {
            name: _means([row for row in held_out if row[column] == name], known)
            for name in sorted({row[column] for row in held_out})
        }
    return told


def _means(rows: Sequence[Mapping[str, Any]], models: Sequence[str]) -> dict[str, Any]:
    """Mean of each measure by model, where it says something, and the number of questions."""
    measures = {key for row in rows for key, value in row.items() if isinstance(value, float)}
    found: dict[str, Any] = {}
    for model in models:
        some = [row for row in rows if row["model"] == model]
        found[model] = {"questions": len(some)}
        for key in sorted(measures):
            values = [row[key] for row in some if row[key] is not None]
            if values:
                found[model][key] = round(float(np.mean(values)), DIGITS)
    return found

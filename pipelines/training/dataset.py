"""First stage: what is learned from, what is asked, and what a version says it learned."""

import json
import shutil
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.errors import TrainingError
from pipelines.training.pairs import Pair, make_pairs
from pipelines.training.params import Params
from pipelines.training.places import Place
from pipelines.training.questions import Asked, golden_questions, held_out_questions, not_learned
from pipelines.training.records import write_lines
from pipelines.training.snapshot import Snapshot

if TYPE_CHECKING:
    import pyarrow as pa

LEAST_PAIRS = 16
LEAST_QUESTIONS = 10
LEAST_DOCUMENTS = 3
"""Held out and asked about: with fewer no interval says anything."""
CALIBRATION = 2_000
"""Examples whose text a version keeps, so that later documents can be compared with them."""

Negatives = Callable[[Snapshot, Params, Sequence[Pair]], list[list[str]]]
"""For each pair passages that look right and are not."""


def make_dataset(place: Place, snapshot: Snapshot, params: Params, negatives: Negatives) -> None:
    """Write ``dataset/``: pairs, questions, manifest, calibration sample and counts.

    Raises:
        TrainingError: There are too few documents to learn from, or to evaluate with.
    """
    left_out: Counter[str] = Counter()
    dropped: Counter[str] = Counter()
    pairs = make_pairs(snapshot, params, left_out)
    asked = held_out_questions(snapshot, params, dropped)
    manifests = [*snapshot.champion_manifest(), *(pair.line for pair in pairs)]
    clean = not_learned(asked, snapshot, manifests, dropped)
    _refuse_too_few(snapshot, pairs, clean)
    shutil.rmtree(place.dataset, ignore_errors=True)
    place.dataset.mkdir(parents=True)
    _write_pairs(place.dataset, pairs, negatives(snapshot, params, pairs))
    golden = golden_questions(snapshot, params)
    _write(place.dataset / "questions.parquet", _questions(clean, golden))
    write_lines(place.dataset / "manifest.jsonl", [pair.line for pair in pairs])
    counts = {
        "pairs": dict(sorted(Counter(pair.line.kind for pair in pairs).items())),
        "left_out": counted(left_out),
        "questions": dict(sorted(Counter(question.kind for question in clean).items())),
        "golden": len(golden),
        "dropped": counted(dropped),
        "documents": {
            "learned": len({pair.line.document for pair in pairs if pair.line.document}),
            "held_out": len({question.document for question in clean}),
        },
    }
    write_counts(place, counts)


def write_counts(place: Place, counts: Mapping[str, Any]) -> None:
    """Write ``counts.json``."""
    text = json.dumps(counts, indent=2, sort_keys=True)
    (place.dataset / "counts.json").write_text(text + "\n", encoding="utf-8")


def _refuse_too_few(snapshot: Snapshot, pairs: Sequence[Pair], asked: Sequence[Asked]) -> None:
    documents = len({question.document for question in asked})
    if len(pairs) < LEAST_PAIRS:
        what = f"{len(pairs)} pairs to learn from, at least {LEAST_PAIRS} are needed"
    elif len(asked) < LEAST_QUESTIONS or documents < LEAST_DOCUMENTS:
        what = (
            f"{len(asked)} questions of {documents} held-out documents to evaluate with, at least "
            f"{LEAST_QUESTIONS} of {LEAST_DOCUMENTS} are needed"
        )
    else:
        return
    permitted = snapshot.documents.num_rows
    raise TrainingError(
        f"{snapshot.facts.model} cannot be trained: {permitted} documents may be learned from, "
        f"which give {what}.",
        hint="Permit more documents (train = true), or add pairs or golden questions of your own.",
    )


def _write_pairs(folder: Path, pairs: Sequence[Pair], negatives: Sequence[Sequence[str]]) -> None:
    import pyarrow as pa

    columns = {
        "example": [pair.line.example for pair in pairs],
        "document": [pair.line.document for pair in pairs],
        "kind": [pair.line.kind for pair in pairs],
        "anchor": [pair.anchor for pair in pairs],
        "passage": [pair.passage for pair in pairs],
        "negatives": pa.array([list(some) for some in negatives], pa.list_(pa.string())),
    }
    table = pa.table(columns)
    _write(folder / "pairs.parquet", table)
    hashes = pa.array([pair.line.text_hash for pair in pairs], pa.string())
    sample = table.select(["example", "document", "anchor", "passage"])
    sample = sample.append_column("text_hash", hashes)
    _write(folder / "calibration.parquet", sample.slice(0, CALIBRATION))  # sorted by a hash


def _questions(asked: Sequence[Asked], golden: Sequence[Asked]) -> "pa.Table":
    import pyarrow as pa

    rows = [{"set": "held_out", **asdict(question)} for question in asked]
    rows += [{"set": "golden", **asdict(question)} for question in golden]
    numbers = pa.list_(pa.int32())
    text = pa.string()
    schema = dict.fromkeys(("set", "id", "kind", "text", "domain", "document"), text)
    return pa.Table.from_pylist(
        rows, schema=pa.schema({**schema, "targets": numbers, "left_out": numbers})
    )


def counted(counter: Counter[str]) -> dict[str, int]:
    """What was counted at all, by reason."""
    return {reason: count for reason, count in sorted(counter.items()) if count}


def _write(path: Path, table: "pa.Table") -> None:
    import pyarrow.parquet as pq

    pq.write_table(table, path, compression="zstd")

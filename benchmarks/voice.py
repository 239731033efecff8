"""The demo's generator, from nothing: base, base with worked examples and tuned model, with intervals.

All domains of `data/handbook`, the answers of `data/voice`, parameters and settings of the demo.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.measure import head, row
from benchmarks.retrain import staleproof
from pipelines.config import GeneratorModel, load_config
from pipelines.retrain.snapshot import take_snapshot
from pipelines.training.gate import BASE, CHALLENGER, paired
from pipelines.training.generator import fingerprint, judge
from pipelines.training.generator.gate import WORKED, GeneratorJudgement, proportions
from pipelines.training.measured import read_measured
from pipelines.training.places import Place

MODEL = "handbook-voice"
HERE = Path(__file__).parents[1]
NAMES = {BASE: "base", WORKED: "base, worked examples", CHALLENGER: "tuned"}
STAGES = ("dataset", "train", "evaluate")


def published(root: Path) -> None:
    """A project with the demo's documents and answers, published."""
    for folder in ("handbook", "voice", "expectations", "golden"):
        shutil.copytree(HERE / "data" / folder, root / "data" / folder)
    for file in ("staleproof.toml", "params.yaml"):
        shutil.copy(HERE / file, root)
    staleproof(root, "refresh")


def trained(root: Path) -> tuple[Place, GeneratorModel]:
    """The stages of retraining on what is published, without git; each in a process."""
    config = load_config(root / "staleproof.toml")
    model = config.model(MODEL)
    if not isinstance(model, GeneratorModel):
        raise SystemExit(f"{MODEL} is no generator")
    place = Place(root, MODEL)
    place.folder.mkdir(parents=True, exist_ok=True)
    take_snapshot(config, model, place.snapshot, former=None, now=datetime.now(UTC), run="run")
    staged(root, *STAGES)
    return place, model


def staged(root: Path, *stages: str) -> None:
    """Some stages of a training, each in a process."""
    offline = os.environ | {"HF_HUB_OFFLINE": "1"}
    for stage in stages:
        started = time.perf_counter()
        command = [sys.executable, "-P", "-m", "pipelines.training", stage, MODEL]
        subprocess.run(command, check=True, cwd=root, env=offline, stdout=subprocess.DEVNULL)
        row(f"stage {stage}", f"{time.perf_counter() - started:.0f} s")


def told(place: Place, scores: pa.Table, judgement: GeneratorJudgement) -> None:
    """What each model does right, and what it forgot."""
    for model, shares in proportions(scores).items():
        for name, share in shares.items():
            row(
                f"{NAMES[model]}, {name}",
                f"{share.share:.3f} [{share.lower:.3f}, {share.upper:.3f}]",
                f"n = {share.n}",
            )
    for other in (BASE, WORKED):
        for name in ("format", "exact", "f1", "cited", "answer"):
            gain = paired(scores, "held_out", CHALLENGER, other, name).interval()
            row(f"tuned minus {NAMES[other]}, {name}", interval(gain.to_dict()))
    for name, lost in judgement.forgetting.items():
        row(f"forgotten on {name}, nats a token", interval(lost.to_dict()))
    row("the gate", "promote" if judgement.promote else "refused", "; ".join(judgement.reasons))


def interval(found: dict[str, Any]) -> str:
    """For a person."""
    return f"{found['mean']:+.3f} [{found['lower']:+.3f}, {found['upper']:+.3f}]"


def main(root: Path) -> None:
    """Trains on the demo, and prints the table."""
    head("The demo's generator")
    if not (root / "staleproof.toml").exists():
        published(root)
    place, model = trained(root)
    measured = read_measured(place, "evaluate", weights=fingerprint(place.weights))
    learned = read_measured(place, "train", weights=fingerprint(place.weights))
    if measured is None or learned is None:
        raise SystemExit("the stages wrote no figures of these weights")
    scores = pq.read_table(place.evaluation / "scores.parquet")
    counts = json.loads((place.dataset / "counts.json").read_text("utf-8"))
    row("learned, questions", json.dumps(counts["pairs"]), json.dumps(counts["questions"]))
    told(place, scores, judge(scores, model.gate, measured["latency_ms"]))
    for name in ("latency_ms", "tokens_a_second", "size_bytes"):
        row(name, json.dumps(measured[name]))
    for name, figures in (("training", learned), ("evaluation", measured)):
        peak = figures["peak_memory_bytes"] / 2**20
        row(name, f"{figures['seconds']:.0f} s", memory=peak)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep", type=Path, help="a folder for the project, which stays")
    kept = parser.parse_args().keep
    if kept is None:
        with tempfile.TemporaryDirectory() as scratch:
            main(Path(scratch))
    else:
        kept.mkdir(parents=True, exist_ok=True)
        main(kept)

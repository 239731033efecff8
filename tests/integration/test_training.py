"""The three stages with the real model, on a few dozen passages."""

import csv
import hashlib
import json
import os
import shutil
import subprocess
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml

from pipelines.config import GatePolicy
from pipelines.embedding import fingerprint, load_encoder, locate_model
from pipelines.errors import TrainingError
from pipelines.training import Champion, GeneralPair, Weights, read_snapshot
from pipelines.training.gate import judge
from pipelines.training.measured import read_measured
from pipelines.training.params import Params, read_params
from pipelines.training.places import Place
from pipelines.training.stages import STAGES, run_stage
from tests.snapshots import Page, facts, written

ROOT = Path(__file__).parents[2]
MODEL = "words"
SMALL = {
    "held_out": 0.4,
    "epochs": 1.0,
    "batch_size": 8,
    "mini_batch_size": 8,
    "max_tokens": 16,
    "max_questions": 20,
    "threads": 1,  # tests run beside each other
}
THINGS = ("lathe", "kiln", "loom", "forge", "press", "mill", "crane", "pump", "oven", "saw")
DONE = ("cleaned", "started", "repaired")
WHO = ("guard", "smith", "clerk", "apprentice", "foreman", "carter", "joiner")
WHAT = ("brush", "key", "lantern", "ladder", "bucket", "rope", "hammer", "ledger", "bell")
WHERE = ("behind the gate", "under the stairs", "near the well", "on the roof", "in the yard")


def page(thing: str) -> Page:
    sections = {f"How it is {done}": told(thing, done) for done in DONE}
    return Page(thing, f"The {thing}", sections, domain="hall" if thing < "m" else "yard")


def told(thing: str, done: str) -> str:
    """A passage that shares few sequences of words with any other."""
    digest = hashlib.sha256(f"{thing} {done}".encode()).digest()
    who, where = WHO[digest[0] % len(WHO)], WHERE[digest[1] % len(WHERE)]
    tools = " and a ".join(WHAT[value % len(WHAT)] for value in digest[2:8])
    return f"For the {thing} the {who} takes a {tools} {where}; it is {done} by {digest[9]}."


def project(
    folder: Path, *, champion: bool = False, parts: dict[str, Any] | None = None, **params: object
) -> Place:
    """A snapshot of thirty passages, and parameters for a training of a few seconds."""
    place = Place(folder, MODEL)
    base = locate_model("all-MiniLM-L6-v2", root=folder)
    said = {"base": Weights("all-MiniLM-L6-v2", fingerprint(base)), "model": MODEL}
    place.folder.mkdir(parents=True)
    parts = dict(parts or {})
    if champion:
        (folder / "manifest.jsonl").touch()
        said["champion"] = Champion("v0.0.1", fingerprint(base))
        parts |= {"champion_folder": base, "champion_manifest": folder / "manifest.jsonl"}
    written(place.snapshot, [page(thing) for thing in THINGS], about=facts(**said), **parts)
    text = yaml.safe_dump({"models": {MODEL: SMALL | params}})
    (folder / "params.yaml").write_text(text)
    return place


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """All stages run once, with a champion that is the base."""
    place = project(tmp_path_factory.mktemp("trained"), champion=True)
    for stage in STAGES:
        run_stage(stage, place.root, MODEL)
    return place


def test_weights_are_another_embedder_that_takes_texts_as_long_as_the_base(trained: Place) -> None:
    base = load_encoder("all-MiniLM-L6-v2", root=trained.root)
    tuned = load_encoder(str(trained.weights), root=trained.root)
    assert tuned.fingerprint != base.fingerprint
    assert (tuned.max_tokens, tuned.dimension) == (base.max_tokens, base.dimension)
    assert (tuned.encode_query("Who cleans it?") @ base.encode_query("Who cleans it?")) > 0.9


def test_weights_are_safetensors_and_say_nothing_of_this_machine(trained: Place) -> None:
    files = [file for file in trained.weights.rglob("*") if file.is_file()]
    assert {file.suffix for file in files} <= {".safetensors", ".json", ".txt"}
    for file in files:
        data = file.read_bytes()
        for place in (ROOT, trained.root, Path.home() / ".cache", Path(sys.prefix)):
            assert str(place).encode() not in data, file.name


def test_losses_and_figures_are_written(trained: Place) -> None:
    with (trained.folder / "loss.csv").open() as file:
        rows = list(csv.DictReader(file))
    figures = json.loads((trained.folder / "train.json").read_text())
    assert [int(row["step"]) for row in rows] == list(range(1, figures["steps"] + 1))
    assert float(rows[-1]["loss"]) == figures["loss"]
    assert figures["pairs"] == pq.read_table(trained.dataset / "pairs.parquet").num_rows


def test_each_pair_has_a_passage_of_another_document_to_be_told_from(trained: Place) -> None:
    for row in pq.read_table(trained.dataset / "pairs.parquet").to_pylist():
        (negative,) = row["negatives"]
        assert row["document"] not in negative


def test_all_models_are_asked_the_same_questions(trained: Place) -> None:
    rows = pq.read_table(trained.evaluation / "scores.parquet").to_pylist()
    asked = {
        model: {(row["set"], row["kind"], row["question"]) for row in rows if row["model"] == model}
        for model in ("base", "champion", "challenger")
    }
    assert asked["base"] == asked["champion"] == asked["challenger"]
    assert {name for name, _, _ in asked["base"]} == {"held_out", "general"}
    numbers = ("reciprocal_rank", "recall_5", "recall_10", "ndcg_10")
    of = {(row["model"], row["set"], row["question"]): [row[n] for n in numbers] for row in rows}
    # The champion of this snapshot has the weights of the base.
    assert all(of["base", *key[1:]] == value for key, value in of.items() if key[0] == "champion")


def test_metrics_are_means_of_the_scores(trained: Place) -> None:
    metrics = json.loads((trained.evaluation / "metrics.json").read_text())
    rows = pq.read_table(trained.evaluation / "scores.parquet").to_pylist()
    some = [
        row["reciprocal_rank"]
        for row in rows
        if row["set"] == "held_out" and row["model"] == "challenger"
    ]
    told = metrics["held_out"]["models"]["challenger"]
    assert told["questions"] == len(some)
    assert told["reciprocal_rank"] == pytest.approx(sum(some) / len(some), abs=1e-6)
    assert set(metrics["by_domain"]) <= {"hall", "yard"}
    assert {"over_base", "over_champion"} <= metrics["general"].keys()
    with (trained.evaluation / "measures.csv").open() as file:
        curve = [row for row in csv.DictReader(file) if row["model"] == "challenger"]
    assert float(curve[-1]["value"]) == told["recall_10"]
    assert float(curve[4]["value"]) == told["recall_5"]


def test_gate_can_judge_what_the_stages_wrote(trained: Place) -> None:
    measured = read_measured(trained, "evaluate", weights=fingerprint(trained.weights))
    assert measured is not None
    scores = pq.read_table(trained.evaluation / "scores.parquet")
    judgement = judge(scores, GatePolicy(), measured["latency_ms"])
    assert judgement.champion == "champion"
    assert judgement.latency_ratio > 0
    assert measured["size_bytes"]["challenger"] > 80_000_000


def test_progress_is_a_json_line_a_step(trained: Place, capsys: pytest.CaptureFixture[str]) -> None:
    run_stage("dataset", trained.root, MODEL)
    lines = [json.loads(line)["progress"] for line in capsys.readouterr().out.splitlines()]
    assert lines[-1]["step"] == lines[-1]["steps"]
    assert lines[-1].keys() == {"stage", "step", "steps", "loss", "eta_seconds"}


def test_question_of_what_was_learned_stops_the_evaluation(trained: Place, tmp_path: Path) -> None:
    place = Place(tmp_path, MODEL)
    shutil.copytree(trained.folder, place.folder)
    shutil.copyfile(trained.root / "params.yaml", tmp_path / "params.yaml")
    table = pq.read_table(place.dataset / "questions.parquet")
    target = place_of(table["targets"].to_pylist()[0][0], trained)
    lines = (place.dataset / "manifest.jsonl").read_text().splitlines()
    stolen = json.loads(lines[0]) | {"text_hash": target}
    (place.dataset / "manifest.jsonl").write_text(
        "\n".join([json.dumps(stolen), *lines[1:]]) + "\n"
    )
    with pytest.raises(TrainingError, match="learned from; nothing was evaluated"):
        run_stage("evaluate", tmp_path, MODEL)


def place_of(row: int, trained: Place) -> str:
    """The text hash of a row of the snapshot's passages."""
    return str(read_snapshot(trained.snapshot).passages["text_hash"][row].as_py())


def test_base_that_is_not_the_named_one_is_refused(tmp_path: Path) -> None:
    place = Place(tmp_path, MODEL)
    place.folder.mkdir(parents=True)
    written(place.snapshot, [page(thing) for thing in THINGS])
    (tmp_path / "params.yaml").write_text(yaml.safe_dump({"models": {MODEL: SMALL}}))
    with pytest.raises(TrainingError, match="the snapshot names bbbbbbbbbbbb"):
        run_stage("dataset", tmp_path, MODEL)


def test_parameters_of_the_demo_say_everything() -> None:
    said = yaml.safe_load((ROOT / "params.yaml").read_text())["models"]["handbook-embedder"]
    assert said.keys() == Params.model_fields.keys()
    assert read_params(ROOT, "handbook-embedder").threads == 2


@pytest.mark.slow
def test_model_that_is_trained_far_too_hard_has_forgotten_and_is_refused(tmp_path: Path) -> None:
    lines = files("pipelines.training").joinpath("general.jsonl").read_text("utf-8").splitlines()
    general = [GeneralPair(**json.loads(line)) for line in lines]
    place = project(tmp_path, parts={"general": general}, learning_rate=5e-3, epochs=4.0)
    for stage in STAGES:
        run_stage(stage, tmp_path, MODEL)
    scores = pq.read_table(place.evaluation / "scores.parquet")
    judgement = judge(scores, GatePolicy(), {"base": 1.0, "challenger": 1.0})
    assert judgement.general.upper < -0.02
    assert "on questions of other subjects" in " ".join(judgement.reasons)


@pytest.mark.slow
def test_pipeline_of_this_repository_gives_the_same_bytes_twice(tmp_path: Path) -> None:
    place = project(tmp_path)
    shutil.copyfile(ROOT / "dvc.yaml", tmp_path / "dvc.yaml")
    environment = os.environ | {"DVC_NO_ANALYTICS": "1", "DVC_SITE_CACHE_DIR": str(tmp_path / "c")}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"

    def dvc(*arguments: str) -> None:
        subprocess.run(
            [sys.executable, "-P", "-m", "dvc", *arguments],
            cwd=tmp_path,
            env=environment,
            check=True,
            stdout=subprocess.DEVNULL,
        )

    dvc("init", "--no-scm", "--quiet")
    dvc("repro", "--quiet")
    first = (tmp_path / "dvc.lock").read_bytes()
    weights = (place.weights / "model.safetensors").read_bytes()
    figures = (place.folder / "train.json").read_bytes()
    dvc("repro", "--quiet", "--force")
    assert (place.weights / "model.safetensors").read_bytes() == weights
    assert (place.folder / "train.json").read_bytes() == figures
    assert (tmp_path / "dvc.lock").read_bytes() == first

"""A project in git and DVC with a store, whose model is made by three quick stages, or really."""

import dataclasses
import itertools
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from pipelines.embedding import fingerprint, locate_model
from pipelines.embedding.weights import BUILT_IN
from pipelines.registry import Version, newest_version
from pipelines.retrain import Asked, Report, retrain_model
from tests.fakes import HashEncoder
from tests.project import Project, source
from tests.versioned import Versioned, make_versioned

MODEL = "words"
MODELS = f'[[models]]\nname = "{MODEL}"\ngeneral = "general.jsonl"\n'
PARAMS = "models:\n  {name}:\n    seed: 7\n    learning_rate: {rate}\n    held_out: 0.5\n"
LOSES = 0.9
"""A learning rate with which the quick stages make a model that is worse."""

STAGES = """stages:
  dataset:
    foreach: ${models}
    do:
      cmd: CODE dataset ${key}
      deps: ["data/training/${key}/snapshot"]
      params: ["models.${key}"]
      outs: ["data/training/${key}/dataset"]
  train:
    foreach: ${models}
    do:
      cmd: CODE train ${key}
      deps: ["data/training/${key}/snapshot", "data/training/${key}/dataset"]
      params: ["models.${key}"]
      outs: ["data/training/${key}/weights"]
      metrics: [{"data/training/${key}/train.json": {cache: false}}]
      plots: [{"data/training/${key}/loss.csv": {cache: false}}]
  evaluate:
    foreach: ${models}
    do:
      cmd: CODE evaluate ${key}
      deps: ["data/training/${key}/snapshot", "data/training/${key}/dataset", "data/training/${key}/weights"]
      params: ["models.${key}"]
      outs: ["data/training/${key}/evaluation"]
"""
REAL = "python -P -m pipelines.training"
QUICK = "python -P stage.py"
_STAGE = """
import csv, hashlib, json, os, pathlib, shutil, sys, time
import pyarrow as pa, pyarrow.parquet as pq, yaml
from pipelines.embedding import fingerprint, locate_model
from pipelines.training import read_snapshot
from pipelines.training.evaluate import summary
from pipelines.training.measured import write_measured
from pipelines.training.params import read_params
from pipelines.training.places import Place
stage, model = sys.argv[1:]
place, params = Place(pathlib.Path.cwd(), model), read_params(pathlib.Path.cwd(), model)
snapshot = read_snapshot(place.snapshot)
def write(path, said):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(said if isinstance(said, str) else json.dumps(said))
print(json.dumps({"progress": {"stage": stage, "step": 1, "steps": 2, "loss": 0.5, "eta_seconds": 3}}))
if stage == os.environ.get("FAILS_IN"):
    sys.exit("it is broken")
if stage == os.environ.get("SLEEPS_IN"):
    pathlib.Path(os.environ["SLEEPING"]).write_text(str(os.getpid()))
    time.sleep(600)
if stage == "dataset":
    lines = [{"example": d["document"], "document": d["document"], "uri": d["uri"], "text_hash": "t",
              "content_hash": d["content_hash"], "source_version": "", "domain": d["domain"],
              "labels": d["labels"], "publication": 1, "kind": "heading", "sketch": []}
             for d in snapshot.documents.to_pylist()]
    write(place.dataset / "manifest.jsonl", "".join(json.dumps(line) + chr(10) for line in lines))
    write(place.dataset / "counts.json", {
        "pairs": {"heading": len(lines)}, "left_out": {}, "questions": {"heading": 60}, "golden": 0,
        "dropped": {"too near": 1}, "documents": {"learned": len(lines), "held_out": 30}})
if stage == "train":
    base = locate_model("all-MiniLM-L6-v2", root=place.root)
    for file in base.rglob("*.json"):
        write(place.weights / file.relative_to(base), file.read_text())
    learned = (place.dataset / "manifest.jsonl").read_text() + str(params.seed)
    (place.weights / "model.safetensors").write_bytes(hashlib.sha256(learned.encode()).digest())
    write(place.folder / "train.json", {"pairs": 4, "steps": 2, "loss": 0.5, "precision": "float32"})
    write(place.folder / "loss.csv", "step,loss,learning_rate\\n1,0.7,1e-5\\n2,0.5,1e-5\\n")
    write_measured(place, "train", {"seconds": 2.0, "peak_memory_bytes": 10**9},
                   weights=fingerprint(place.weights))
if stage == "evaluate":
    change = -0.5 if params.learning_rate == 0.9 else 0.5
    names = ["base", "challenger"] + (["champion"] if snapshot.champion_folder else [])
    rows = [{"model": name, "set": kind, "question": f"q{n}", "kind": "heading",
             "domain": "general", "document": f"d{n % 30}",
             **dict.fromkeys(("reciprocal_rank", "recall_5", "recall_10", "ndcg_10"),
                             0.5 + change * (name == "challenger" and kind == "held_out"))}
            for name in names for kind in ("held_out", "general") for n in range(60)]
    place.evaluation.mkdir(parents=True, exist_ok=True)
    scores = pa.Table.from_pylist(rows)
    pq.write_table(scores, place.evaluation / "scores.parquet")
    write(place.evaluation / "metrics.json", summary(scores))
    write_measured(place, "evaluate", {"latency_ms": dict.fromkeys(names, 5.0),
                   "size_bytes": dict.fromkeys(names, 10**6), "seconds": 1.0},
                   weights=fingerprint(place.weights))
"""


def built_in_print() -> str:
    """The fingerprint of the built-in model, which a stand-in's store may claim to be made with."""
    return fingerprint(locate_model(BUILT_IN, root=Path()))


@dataclass
class Trained:
    """The knowledge base, the repository around it, and what a person does in both."""

    project: Project
    repo: Versioned
    events: list[Any] = field(default_factory=list)
    before: dict[str, str] = field(default_factory=dict)
    """Every byte of the user's own before a run."""
    report: Report | None = None
    model: str = MODEL

    def copied(self, folder: Path) -> "Trained":
        """The same in another folder, to go on with."""
        root = folder / "project"
        shutil.copytree(self.repo.root, root, symlinks=True)
        encoder = dataclasses.replace(self.project.encoder, encoded=[])
        project = Project(root, encoder, now=self.project.now, runs=itertools.count(1_000))
        return Trained(project, Versioned(root), model=self.model)

    def retrain(self, run: str = "run-1", **more: Any) -> Report:
        self.project.later()
        return retrain_model(
            self.project.config,
            self.model,
            now=self.project.now,
            run_id=run,
            on_event=self.events.append,
            asked=more.pop("asked", Asked()),
            **more,
        )

    def learning_rate(self, rate: float) -> None:
        """Committed, for a run uses nothing else."""
        self.repo.write("params.yaml", PARAMS.format(name=MODEL, rate=rate))
        self.repo.commit(f"Learn at {rate}")

    @property
    def newest(self) -> Version:
        found = newest_version(self.repo.root, self.model)
        assert found is not None
        return found


def has_ended(pid: int) -> bool:
    """Whether a process does nothing any more; whoever inherits it may be slow to take note."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def make_trained(folder: Path, *, code: str = QUICK, more: str = MODELS) -> Trained:
    """The project, committed, with nothing published yet."""
    repo = make_versioned(folder)
    encoder = HashEncoder(model=BUILT_IN, fingerprint=built_in_print())
    project = Project(repo.root, encoder)
    (repo.root / "docs").mkdir()
    project.configure(source(), more=more)
    repo.write("general.jsonl", '{"question": "Why?", "passage": "Because."}\n')
    repo.write("dvc.yaml", STAGES.replace("CODE", code))
    repo.write("params.yaml", PARAMS.format(name=MODEL, rate=0.1))
    repo.write("stage.py", _STAGE)
    repo.write(".gitignore", "data/dvc-remote/\n/store/\n.staleproof/\n/docs/\n")
    repo.commit("A model")
    return Trained(project, repo)

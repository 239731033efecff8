"""One whole retraining with real weights: snapshot, DVC, training, evaluation, gate, version."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from pipelines.embedding import fingerprint, load_encoder
from pipelines.records import Progress, call
from pipelines.registry import checkout_model, checkout_path, read_text, versions
from tests.planted import ALLOWED, found_in, plant
from tests.trained import MODEL, REAL, make_trained

HANDBOOK = Path(__file__).parents[2] / "data/handbook"
MODELS = f"""
[[models]]
name = "{MODEL}"
domains = ["general"]
general = "general.jsonl"
"""
SMALL = f"""models:
  {MODEL}:
    seed: 7
    threads: 2
    held_out: 0.4
    max_pairs: 32
    hard_negatives: 1
    batch_size: 8
    mini_batch_size: 8
    max_tokens: 24
    max_questions: 16
    max_passages: 24
"""
GENERAL = {
    "Which planet is the largest?": "Jupiter is larger than all other planets together.",
    "Why does bread rise?": "Yeast makes gas, which lifts the dough.",
    "How many strings has a violin?": "A violin has four strings, tuned in fifths.",
}


class StoppedError(Exception):
    """Somebody stopped the run."""


def stops_before_judging(name: str, function: Any, *args: Any, retryable: bool = False) -> Any:
    if name == "judge":
        raise StoppedError
    return call(name, function, *args, retryable=retryable)


@pytest.mark.slow
def test_real_run_learns_from_what_it_may_and_goes_on_where_one_was_stopped(tmp_path: Path) -> None:
    trained = make_trained(tmp_path, code=REAL, more=MODELS)
    project, repo = trained.project, trained.repo
    lines = [json.dumps({"question": q, "passage": p}) + "\n" for q, p in GENERAL.items()]
    repo.write("general.jsonl", "".join(lines))
    repo.write("params.yaml", SMALL)
    repo.commit("Small")
    shutil.copytree(HANDBOOK, repo.root / "docs", dirs_exist_ok=True)
    plant(project, models=MODELS)

    before = repo.print_of_tree()
    with pytest.raises(StoppedError):
        trained.retrain("run-1", step=stops_before_judging)
    assert versions(repo.root, MODEL) == []
    losses = [e for e in trained.events if isinstance(e, Progress) and "loss" in e.note]
    assert losses
    trained.events.clear()
    report = trained.retrain("run-2")
    assert report.version == "v0.0.1"
    assert not [e for e in trained.events if isinstance(e, Progress) and "loss" in e.note]
    assert repo.print_of_tree() == before

    folder = f"data/training/{MODEL}"
    weights = checkout_model(repo.root, trained.newest, tmp_path / "weights")
    assert report.verdict is not None
    assert fingerprint(weights) == report.verdict["weights"] != report.verdict["made_of"]["base"]
    assert load_encoder(str(weights), root=tmp_path).encode(["A passage."]).shape == (1, 384)
    assert found_in(weights) == set()
    for part in ("snapshot", "dataset"):
        got = checkout_path(repo.root, trained.newest, f"{folder}/{part}", tmp_path / part)
        assert found_in(got) == {ALLOWED}
    manifest = (tmp_path / "dataset/manifest.jsonl").read_text().splitlines()
    learned = {json.loads(line)["uri"] for line in manifest}
    assert learned <= {f"docs/{path}" for path in _permitted(repo.root / "docs")}
    card = read_text(repo.root, trained.newest, f"{folder}/card.md")
    assert "Left out: 1 another domain, 1 audit marked it" in card


def _permitted(docs: Path) -> set[str]:
    """The handbook and the planted documents that may be learned from."""
    handbook = {file.relative_to(HANDBOOK).as_posix() for file in HANDBOOK.rglob("*.md")}
    return handbook | {f"good/{number}.md" for number in range(4)} & {
        file.relative_to(docs).as_posix() for file in docs.rglob("*.md")
    }

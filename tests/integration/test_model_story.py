"""What became of a model is read from three places: verdicts, versions, the ledger."""

import json
from pathlib import Path
from typing import Any

from pipelines.knowledge import VerdictRow, record_verdict
from pipelines.models import model_story
from tests.retrained import MODEL, Retrained, retrained
from tests.versioned import Versioned


def told(project: Retrained) -> list[tuple[str, str]]:
    """Version and what happened, newest first."""
    return [(turn.version, turn.what) for turn in model_story(project.config)]


def looked(project: Retrained, word: str) -> None:
    project.later()
    said: dict[str, Any] = {"reasons": ("why",), "look": f"look-{word}", "verdict": word}
    row = VerdictRow(id=word, model=MODEL, version="v0.0.1", at=project.now, **said)
    record_verdict(project.store, row)


def test_verdicts_promotions_and_what_was_taken_back_are_told_newest_first(tmp_path: Path) -> None:
    project = retrained(tmp_path, documents=2)
    assert told(project) == []
    project.promote()
    looked(project, "fresh")
    looked(project, "stale")
    project.promote("v0.0.2")
    project.refresh()
    project.demote()
    assert told(project) == [
        ("v0.0.1", "serves"),
        ("v0.0.2", "serves"),
        ("v0.0.1", "stale"),
        ("v0.0.1", "fresh"),
        ("v0.0.1", "serves"),
    ]
    back, forth, stale, _, _ = model_story(project.config)
    assert (back.publication, forth.publication) == (4, 3)
    assert (stale.run, stale.why) == ("look-stale", "why")
    project.demote()
    assert told(project)[0] == ("v0.0.1", "taken back")


def test_versions_are_told_with_what_the_gate_said(tmp_path: Path) -> None:
    project = retrained(tmp_path, documents=1)
    repo = Versioned(project.root)
    repo.git("init", "--quiet")
    for number, promote in enumerate((True, False), start=1):
        verdict = {"promote": promote, "reasons": ["why"], "run": f"r{number}", "publication": 1}
        repo.write(f"data/training/{MODEL}/verdict.json", json.dumps(verdict))
        repo.commit(f"version {number}")
        repo.git("tag", "--annotate", "--message", "a version", f"{MODEL}@v0.0.{number}")
    assert set(told(project)) == {("v0.0.1", "may be promoted"), ("v0.0.2", "refused")}
    assert {(turn.run, turn.publication) for turn in model_story(project.config)} == {
        ("r1", 1),
        ("r2", 1),
    }

"""A retraining makes a version that says all about itself, or leaves nothing behind."""

import json
from pathlib import Path

import pytest

from pipelines.registry import read_text
from tests.planted import text
from tests.trained import MODEL, Trained, make_trained


@pytest.fixture
def trained(tmp_path: Path) -> Trained:
    made = make_trained(tmp_path)
    for number in range(4):
        made.project.write(f"{number}.md", text(f"animal-{number}"))
    made.project.refresh()
    return made


def test_better_model_is_a_version_that_may_be_promoted(trained: Trained) -> None:
    before = trained.repo.print_of_tree()
    report = trained.retrain()
    assert (report.version, report.former, report.exit_code) == ("v0.0.1", None, 0)
    assert report.next == f"staleproof promote {MODEL} v0.0.1"
    said = report.to_dict()
    assert said["verdict"] == "promote"
    assert said["metrics"]["held_out"]["challenger"]["mrr_10"] == 1.0
    stored = json.loads(
        read_text(trained.repo.root, trained.newest, f"data/training/{MODEL}/verdict.json")
    )
    assert (stored["promote"], stored["reasons"]) == (True, [])
    assert trained.repo.print_of_tree() == before

"""What a policy would have said: kept looks, or history, gone through again; nothing is written."""

from pathlib import Path

import numpy as np
import pytest

from pipelines.config.fine_tuned import WatchPolicy
from pipelines.knowledge import looks, verdicts
from pipelines.watch import Ports, Replay, replay
from tests.observed import Observed, unit
from tests.retrained import MODEL


@pytest.fixture
def model(tmp_path: Path) -> Observed:
    (tmp_path / "docs").mkdir()
    project = Observed(tmp_path)
    project.configured()
    for number in range(10):
        project.write(
            f"{number}.md", f"# Page {number}\n\nPage {number} tells of thing {number}.\n"
        )
    project.refresh()
    project.served()
    return project


def gone_through(model: Observed, **policies: WatchPolicy) -> Replay:
    ports = Ports(model.load_watched, model.registry.find_version, model.checkout)
    return replay(model.config, MODEL, policies, now=model.now, ports=ports)


def history(model: Observed, *, looked: bool) -> None:
    if looked:
        model.watch()
    for number in range(3):
        model.remove(f"{number}.md")
        model.refresh()
        if looked:
            model.watch()
        else:
            model.later(days=1)


def test_kept_looks_under_two_policies(model: Observed) -> None:
    history(model, looked=True)
    kept = [row.verdict["level"] for row in model.kept]
    said = gone_through(
        model, in_force=WatchPolicy(), tolerant=WatchPolicy(watch_exposure=0.25)
    ).to_dict()
    levels = {
        name: [row["level"] for row in said["rows"] if row["policy"] == name]
        for name in ("in_force", "tolerant")
    }
    assert levels["in_force"] == kept == ["fresh", "watch", "watch", "watch"]
    assert levels["tolerant"] == ["fresh", "fresh", "fresh", "watch"]
    assert [one["watch"] for one in said["policies"]] == [3, 1]
    assert (said["model"], said["kept"]) == (MODEL, 4)


def test_a_version_asks_once_for_a_retraining_and_it_has_its_price(model: Observed) -> None:
    model.watch()
    model.write("0.md", "---\ntrain: false\n---\n# Page 0\n\nNot to be learned.\n")
    model.refresh()
    model.watch()
    model.write("1.md", "---\ntrain: false\n---\n# Page 1\n\nNot to be learned.\n")
    model.refresh()
    model.watch()
    said = gone_through(model, dear=WatchPolicy(retrain_cost=7)).to_dict()
    assert [row["retrain"] for row in said["rows"]] == [False, True, False]
    assert said["policies"][0]["retrains"] == 1
    assert said["policies"][0]["cost"] == 7


def test_history_without_looks_is_made_up_and_nothing_is_written(model: Observed) -> None:
    model.configured(policy="calibration = 100")
    questions = unit(np.random.default_rng(1), np.eye(16)[0], 0.3, 150)
    model.ask(questions)
    history(model, looked=False)
    before = {name: model.store.table(name).version for name in model.store.names()}
    said = gone_through(model, in_force=WatchPolicy(calibration=100)).to_dict()
    assert said["kept"] == 0
    assert "made up" in said["said"]
    exposed = [row["exposure"] for row in said["rows"]]
    assert exposed[0] == 0
    assert exposed == sorted(exposed)
    assert exposed[-1] == pytest.approx(0.3)
    assert [row["level"] for row in said["rows"]][-1] == "watch"
    assert {name: model.store.table(name).version for name in model.store.names()} == before
    assert looks(model.store, MODEL) == []
    assert verdicts(model.store, MODEL) == []
    assert model.loaded == []


def test_model_that_never_served_has_no_history(tmp_path: Path) -> None:
    project = Observed(tmp_path)
    (tmp_path / "docs").mkdir()
    project.configured()
    project.write("a.md", "# A\n\nWords.\n")
    project.refresh()
    said = gone_through(project, in_force=WatchPolicy())
    assert said.rows == ()
    assert "No version of it has served" in said.said

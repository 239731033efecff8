"""How far a stage is, as it says it and as it is read, also where it goes on from a stopped run."""

import json

import pytest

from pipelines.retrain.progress import begun_at, progress_of
from pipelines.training.progress import Steps


def said(capsys: pytest.CaptureFixture[str], steps: Steps, step: int) -> str:
    steps.done(step)
    return capsys.readouterr().out


def test_line_is_read_as_it_was_said(capsys: pytest.CaptureFixture[str]) -> None:
    line = said(capsys, Steps("train", 8), 2)
    found = progress_of(line)
    assert found is not None
    assert (found.phase, found.done, found.total) == ("train", 2, 8)
    assert begun_at(line) == 0


def test_time_that_is_left_goes_by_the_steps_of_this_run(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = Steps("train", 10, begun=6, _started=100.0)
    monkeypatch.setattr("pipelines.training.progress.time.monotonic", lambda: 120.0)
    line = said(capsys, steps, 8)
    assert json.loads(line)["progress"]["eta_seconds"] == 20.0
    assert begun_at(line) == 6
    assert json.loads(said(capsys, steps, 6))["progress"]["eta_seconds"] is None


@pytest.mark.parametrize(
    "line", ["", "loss 3", '{"progress"', '{"progress": 3}', '{"progress": {"begun": "a"}}']
)
def test_other_lines_tell_nothing(line: str) -> None:
    assert progress_of(line) is None
    assert begun_at(line) == 0

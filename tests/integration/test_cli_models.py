"""Versions of models by the command line: listed, looked at, let in, taken back."""

import json
import subprocess
from pathlib import Path

import pytest

from flows.decisions import decide_on
from pipelines import promote
from pipelines.errors import ConfigError, FillFailed, UnknownName
from pipelines.fill import Answered, Asked
from tests.command_line import Cli, assert_shape, keys
from tests.fakes import HashEncoder
from tests.project import source
from tests.retrained import BAD, MODEL, Retrained, retrained

INTERVAL = keys("mean lower upper")
PROMOTED = keys("model version publication promoted reason gate overridden fill attention")


@pytest.fixture
def tuned(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Cli:
    """A project whose versions are stand-ins, published by the base."""
    project = retrained(tmp_path, documents=3)

    def ports(_: object) -> promote.Ports:
        return promote.Ports(project.registry.port(), project.fill_ports())

    monkeypatch.setattr("flows.cli.models._ports", ports)
    return Cli(project, capsys)


def project_of(cli: Cli) -> Retrained:
    assert isinstance(cli.project, Retrained)
    return cli.project


def test_two_embedders_are_compared_by_golden_questions(tuned: Cli) -> None:
    golden = tuned.project.root / "data/golden/questions.jsonl"
    golden.parent.mkdir(parents=True)
    questions = ({"id": n, "question": f"w{n}p1", "uri": f"docs/{n}.md"} for n in "12")
    lines = (json.dumps(question) + "\n" for question in questions)
    golden.write_text("".join(lines))
    folder = f"data/models/{MODEL}/v0.0.1"
    said = tuned.json("models", "compare", "stand-in", folder)
    assert_shape(said, keys("models publication questions passages published mrr found difference"))
    assert_shape(said["difference"], INTERVAL)
    shown = tuned("models", "compare", "stand-in", folder)
    assert "stand-in: MRR" in shown
    assert "Second minus first:" in shown


def test_model_without_a_version_is_listed_and_says_how_to_train(tuned: Cli) -> None:
    subprocess.run(["git", "init", "--quiet"], cwd=tuned.project.root, check=True)
    assert [one["version"] for one in tuned.json("models")["models"]] == [None]
    shown = tuned("models")
    assert MODEL in shown
    assert "To train one: staleproof retrain MODEL" in shown
    tuned.project.configure(source())
    assert tuned.json("models") == {"models": []}
    assert "names no model" in tuned("models")


@pytest.mark.parametrize(
    "command",
    [
        "retrain tunde --plan",
        "retrain tunde",
        "promote tunde v0.0.1",
        "demote tunde",
        "models show tunde",
        "models diff tunde v0.0.1 v0.0.2",
        "reproduce tunde v0.0.1",
    ],
)
def test_unknown_model_is_the_users_mistake(tuned: Cli, command: str) -> None:
    subprocess.run(["git", "init", "--quiet"], cwd=tuned.project.root, check=True)
    error = tuned.json(*command.split(), code=2)["error"]
    assert error["type"] == "UnknownName"
    assert error["hint"] == f"Did you mean {MODEL}? Known models: {MODEL}."


@pytest.mark.parametrize("command", ["retrain tuned --plan", "retrain tuned", "models"])
def test_project_that_is_not_in_git_says_what_to_do(tuned: Cli, command: str) -> None:
    error = tuned.json(*command.split(), code=2)["error"]
    assert error["type"] == "NotVersioned"
    assert "git init" in error["hint"]


def test_version_that_the_gate_refuses_stays_out(tuned: Cli) -> None:
    project_of(tuned).registry.verdicts["v0.0.1"] = BAD
    said = tuned.json("promote", MODEL, "v0.0.1", code=3)
    assert_shape(said, PROMOTED)
    assert (said["promoted"], said["gate"]["promote"]) == (False, False)
    shown = tuned("promote", MODEL, "v0.0.1", code=3)
    assert "the gate refused it: it loses in finance; it forgets" in shown
    assert f'staleproof promote {MODEL} v0.0.1 --override --reason "..."' in shown
    assert tuned.err == "", "what is refused is not estimated"


def test_override_needs_a_reason(tuned: Cli) -> None:
    project_of(tuned).registry.verdicts["v0.0.1"] = BAD
    error = tuned.json("promote", MODEL, "v0.0.1", "--override", code=2)["error"]
    assert "--reason" in error["hint"]
    shown = tuned("promote", MODEL, "v0.0.1", "--override", "--reason", "finance is retired")
    assert f"{MODEL} v0.0.1 serves, against the gate, in publication #2." in shown
    assert "To embed: 9 passages" in tuned.err


def test_promotion_says_before_what_it_takes_and_after_what_it_did(tuned: Cli) -> None:
    assert "To embed: 9 passages" in tuned("promote", MODEL, "v0.0.1", "--plan")
    shown = tuned("promote", MODEL, "v0.0.1")
    assert "To embed: 9 passages" in tuned.err
    assert "9 passages embedded, 0 reused" in shown
    assert f"To take it back: staleproof demote {MODEL}" in shown
    assert f"{MODEL} v0.0.1 serves already" in tuned("promote", MODEL, "v0.0.1")


def test_promotion_tells_how_golden_questions_fare(tuned: Cli) -> None:
    golden = tuned.project.root / "data/golden/questions.jsonl"
    golden.parent.mkdir(parents=True)
    line = '{"id": "q1", "question": "Document 1 part 1 w1p1", "uri": "docs/1.md"}\n'
    golden.write_text(line)
    shown = tuned("promote", MODEL, "v0.0.1")
    assert "Golden questions that find their document: 100%, before 100% (of 1)." in shown


def test_script_gets_one_object_and_no_estimate(tuned: Cli) -> None:
    said = tuned.json("promote", MODEL, "v0.0.1")
    assert_shape(said, PROMOTED)
    assert said["fill"]["embedded"] == 9
    assert tuned.err == ""


def test_demotion_says_who_serves_and_what_is_behind(tuned: Cli) -> None:
    tuned("promote", MODEL, "v0.0.1")
    tuned.project.write("new.md", "# New\n\nSomething new.\n")
    tuned("refresh")
    shown = tuned("demote", MODEL)
    assert f"{MODEL} v0.0.1 no longer serves; stand-in does" in shown
    assert "It is behind: 1 added documents. The next refresh catches up." in shown
    error = tuned.json("demote", MODEL, code=2)["error"]
    assert "No version of tuned serves" in error["message"]


def test_demotion_by_the_form_of_decide_is_the_same(tuned: Cli) -> None:
    tuned("promote", MODEL, "v0.0.1")
    project = project_of(tuned)
    config, signed = project.config, project.signed()
    with pytest.raises(ConfigError) as told:
        decide_on(config, "demote", "", reason="", signed=signed)
    assert told.value.hint == f"Models: {MODEL}."
    with pytest.raises(UnknownName, match='no model "tunde"'):
        decide_on(config, "demote", "tunde", reason="", signed=signed)
    done = decide_on(config, "demote", MODEL, reason="it is worse", signed=signed)
    assert (done.said, done.needs_refresh) == ("stand-in serves again, in publication #3.", True)
    assert project.last.kind == "demotion"


def test_fill_moves_to_the_embedder_of_the_configuration(tuned: Cli) -> None:
    project = project_of(tuned)
    project.encoders["other"] = HashEncoder(model="other", fingerprint="07" * 32, salt="other")
    project.configure(source(), more='[embedder]\nmodel = "other"')
    assert "To embed: 9 passages" in tuned("fill", "--plan")
    assert tuned.json("fill", "--plan")["passages"] == 9
    shown = tuned("fill")
    assert "To embed: 9 passages" in tuned.err
    assert "9 passages embedded, 0 reused" in shown
    assert project.last.model == "other"
    again = tuned.json("fill")
    assert (again["switched"], again["reason"]) == (False, "it serves already")


def test_fill_that_was_left_is_given_up(tuned: Cli) -> None:
    def fails(asked: Asked) -> Answered:
        raise FillFailed(f"{asked.model} cannot be loaded.")

    project_of(tuned).answer = fails  # type: ignore[method-assign]
    error = tuned.json("promote", MODEL, "v0.0.1", code=1)["error"]
    assert error["type"] == "FillFailed"
    assert "9 embedded passages removed" in tuned("fill", "--abort")
    assert tuned.json("fill", "--abort") == {"aborted": True, "removed": 0}


def test_fill_is_refused_where_a_version_serves(tuned: Cli) -> None:
    tuned("promote", MODEL, "v0.0.1")
    error = tuned.json("fill", code=2)["error"]
    assert f"staleproof demote {MODEL}" in error["hint"]

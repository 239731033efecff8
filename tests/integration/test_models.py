"""What is told of versions: list, one in full, what two differ in, which of two finds more."""

import json
from pathlib import Path
from typing import Any

import pytest

from pipelines.decide import withhold
from pipelines.errors import ConfigError, UnknownName
from pipelines.knowledge import VerdictRow, record_verdict
from pipelines.models import compare_models, diff_models, list_models, show_model
from pipelines.models.diff import changes, documents
from tests.command_line import Cli, assert_shape, keys
from tests.fakes import HashEncoder
from tests.planted import text
from tests.project import Project
from tests.serving import let_in
from tests.trained import LOSES, MODEL, Trained, make_trained

pytestmark = pytest.mark.slow  # whole retrainings: `make test` has a minute for all of them


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """Two versions: the second one from other documents and parameters, and refused."""
    made = make_trained(tmp_path_factory.mktemp("models"))
    for name in ("ape", "bat", "cat"):
        made.project.write(f"{name}.md", text(name))
    made.project.refresh()
    made.retrain("run-1")
    made.project.write("ape.md", text("other-ape"))
    made.project.rename("bat.md", "wings/bat.md")
    made.project.remove("cat.md")
    made.project.write("dog.md", text("dog"))
    made.project.refresh()
    made.learning_rate(LOSES)
    made.retrain("run-2")
    return made


def test_versions_are_listed_newest_first_with_gate_and_look(trained: Trained) -> None:
    project = trained.project
    said = VerdictRow(id="1", model=MODEL, version="v0.0.1", at=project.now, verdict="watch")
    record_verdict(project.store, said)
    looks = show_model(project.config, MODEL, "v0.0.1")["looks"]
    assert [look["verdict"] for look in looks] == ["watch"]
    assert show_model(project.config, MODEL, "v0.0.2")["looks"] == []
    second, first = list_models(project.config)["models"]
    assert (second["version"], second["gate"], second["verdict"]) == ("v0.0.2", "refused", None)
    assert (first["version"], first["gate"], first["verdict"]) == ("v0.0.1", "promote", "watch")
    assert (first["publication"], second["publication"]) == (1, 2)
    assert first["stage"] is second["stage"] is None
    assert first["data_set"] != second["data_set"]
    means = first["metrics"]["held_out"]["models"]["challenger"]
    assert means["reciprocal_rank"] == 1.0


def test_one_version_is_shown_with_card_and_parameters(trained: Trained) -> None:
    shown = show_model(trained.project.config, MODEL, "v0.0.2")
    assert shown["card"].startswith(f"# {MODEL}\n")
    assert shown["parameters"]["learning_rate"] == LOSES
    assert shown["judgement"]["promote"] is False
    assert show_model(trained.project.config, MODEL)["version"] == "v0.0.2", "the newest"
    with pytest.raises(UnknownName, match=r"v0\.0\.9"):
        show_model(trained.project.config, MODEL, "v0.0.9")


def test_two_versions_differ_in_documents_parameters_and_numbers(trained: Trained) -> None:
    said = diff_models(trained.project.config, MODEL, "v0.0.1", "v0.0.2")
    assert said["documents"] == {
        "added": ["docs/dog.md"],
        "removed": ["docs/cat.md"],
        "changed": ["docs/ape.md"],
        "moved": {"docs/bat.md": "docs/wings/bat.md"},
        "unchanged": 1,
    }
    assert said["parameters"] == {"learning_rate": [0.1, LOSES]}
    assert said["gate"] == {"v0.0.1": True, "v0.0.2": False}
    assert said["publications"] == [1, 2]


def test_what_is_the_same_is_no_difference() -> None:
    assert changes({"a": 1, "b": 2}, {"a": 1, "b": 3, "c": 4}) == {"b": [2, 3], "c": [None, 4]}
    assert documents({"1": ("a", "h")}, {"1": ("a", "h")})["unchanged"] == 1


@pytest.fixture
def asked(project: Project) -> Project:
    """Ten documents, and a golden question for each of them that holds its words."""
    golden: list[dict[str, Any]] = []
    for number in range(10):
        project.write(f"{number}.md", f"# Word{number}\n\nThe word{number} stands here alone.\n")
        golden.append(
            {"id": f"q{number}", "question": f"word{number} stands", "uri": f"docs/{number}.md"}
        )
    folder = project.root / "data/golden"
    folder.mkdir(parents=True)
    lines = [json.dumps(line) + "\n" for line in golden]
    (folder / "questions.jsonl").write_text("".join(lines))
    project.refresh()
    return project


class Blind(HashEncoder):
    """Tells no two texts apart."""

    def _vector(self, text: str) -> Any:
        del text
        return super()._vector("same")


def encoder_of(name: str, *, root: Path, batch_size: int = 32) -> HashEncoder:
    del root, batch_size
    return Blind(dimension=64) if name == "blind" else HashEncoder(dimension=64)


def compared(project: Project, first: str, second: str) -> dict[str, Any]:
    return compare_models(
        project.config, first, second, now=project.now, run_id="run-c", load_encoder=encoder_of
    )


def test_embedder_that_finds_more_is_better_by_an_interval(asked: Project) -> None:
    said = compared(asked, "blind", "seeing")
    assert said["mrr"][1] == 1.0
    assert said["mrr"][0] < 0.5
    assert said["difference"]["lower"] > 0
    assert [row["ranks"][1] for row in said["questions"]] == [1] * 10
    assert (said["passages"], said["published"]) == (10, 10)


def test_embedder_compared_with_itself_is_equal(asked: Project) -> None:
    assert compared(asked, "seeing", "seeing")["difference"]["mean"] == 0


def test_questions_of_documents_that_are_withheld_are_not_asked(asked: Project) -> None:
    withhold(asked.config, "docs/3.md", reason="wrong", signed=asked.signed())
    said = compared(asked, "seeing", "seeing")
    assert len(said["questions"]) == 9
    assert said["passages"] == 9


def test_without_golden_questions_nothing_is_compared(project: Project) -> None:
    project.write("a.md", "alpha")
    project.refresh()
    with pytest.raises(ConfigError, match="no golden questions"):
        compared(project, "seeing", "blind")


def test_one_golden_question_is_too_few_to_compare_by(asked: Project) -> None:
    golden = asked.root / "data/golden/questions.jsonl"
    golden.write_text(golden.read_text().splitlines()[0] + "\n")
    with pytest.raises(ConfigError, match="1 name a document of #1; to compare takes 2"):
        compared(asked, "seeing", "blind")


VERSION = keys("model version stage verdict gate metrics data_set documents publication created_at")
SHAPES: dict[str, Any] = {
    "models": {"models": [VERSION]},
    f"models show {MODEL}": {
        **VERSION,
        **keys("commit base_commit parameters judgement samples looks card"),
    },
    f"models diff {MODEL} v0.0.1 v0.0.2": {
        **keys("model from to parameters made_of publications metrics gate"),
        "documents": keys("added removed changed moved unchanged"),
    },
    f"retrain {MODEL} --plan": {
        **keys("knowledge model publication documents passages pairs steps left_out not_used"),
        **keys("without_evidence"),
        "estimate": keys("seconds hours memory_bytes cost measured_on"),
    },
}


@pytest.fixture(scope="module")
def served(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """The same, and the first version serves, and is to be watched."""
    made = trained.copied(tmp_path_factory.mktemp("served"))
    let_in(made, "v0.0.1")
    at = made.project.now
    said = VerdictRow(id="2", model=MODEL, version="v0.0.1", at=at, verdict="watch")
    record_verdict(made.project.store, said)
    return made


@pytest.fixture
def cli(served: Trained, capsys: pytest.CaptureFixture[str]) -> Cli:
    return Cli(served.project, capsys)


@pytest.mark.parametrize("command", SHAPES)
def test_json_has_the_keys_of_the_interface(cli: Cli, command: str) -> None:
    assert_shape(cli.json(*command.split()), SHAPES[command])


def test_list_marks_the_version_that_serves(cli: Cli) -> None:
    assert [one["stage"] for one in cli.json("models")["models"]] == [None, "champion"]
    rows = {line.split("v0.0.")[1][0]: line for line in cli("models").splitlines() if "v0" in line}
    assert rows["1"].startswith("*")
    assert "promote" in rows["1"]
    assert rows["2"].startswith(" ")
    assert "refused" in rows["2"]


def test_version_is_shown_with_the_command_that_goes_on(cli: Cli) -> None:
    shown = cli("models", "show", MODEL)
    assert f"To take it back: staleproof demote {MODEL}" in shown
    assert "watch since" in shown
    shown = cli("models", "show", MODEL, "v0.0.2")
    assert f'staleproof promote {MODEL} v0.0.2 --override --reason "..."' in shown


def test_two_versions_are_shown_with_what_differs(cli: Cli) -> None:
    shown = cli("models", "diff", MODEL, "v0.0.1", "v0.0.2")
    assert "learning_rate" in shown
    assert "~ docs/ape.md" in shown
    assert "Documents: 1 added, 1 changed, 1 removed, 1 moved, 1 unchanged." in shown


def test_plan_says_time_memory_and_money_and_trains_nothing(cli: Cli) -> None:
    before = cli.json("models")
    shown = cli("retrain", MODEL, "--plan")
    assert "3 documents" in shown
    assert "GiB" in shown
    assert f"To do it: staleproof retrain {MODEL}" in shown
    assert cli.json("models") == before

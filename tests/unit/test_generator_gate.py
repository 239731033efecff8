"""The gate of a generator lets in what answers better, in the form, faithfully, and forgot nothing."""

import json

import pytest

from pipelines.config import GeneratorGate
from pipelines.training.generator.gate import GeneratorJudgement, judge, proportion
from tests.generator_scores import LATENCY, scores

NATS = pytest.approx(0.1, abs=0.03)


def said(judgement: GeneratorJudgement) -> str:
    """The one reason why it is refused."""
    assert not judgement.promote
    assert len(judgement.reasons) == 1, judgement.reasons
    return judgement.reasons[0]


def test_better_model_is_promoted_over_the_base_with_worked_examples() -> None:
    judgement = judge(scores(), GeneratorGate(), LATENCY)
    assert judgement.promote, judgement.reasons
    assert judgement.champion == "worked"
    assert judgement.gain.lower > 0
    assert judgement.proportions["format"].n == 60
    assert judgement.proportions["abstention"].share == 0.9
    assert judgement.others["base"]["fact"].share == 0.5
    assert judgement.forgetting["sentences"].mean == NATS
    assert judgement.latency_ratio == round(44 / 42, 3)


def test_champion_is_what_must_be_beaten_once_there_is_one() -> None:
    table = scores("champion", serves=1.0)
    judgement = judge(table, GeneratorGate(), LATENCY)
    assert judgement.champion == "champion"
    assert "over the champion" in said(judgement)
    assert "over the base with worked examples" in judgement.notes[0]


def test_form_is_held_against_the_lower_end_of_its_interval() -> None:
    # 56 of 60 are .93, but surely no more than .84 of all.
    judgement = judge(scores(held_out=56 / 60), GeneratorGate(), LATENCY)
    assert "93% of 60 answers have the form" in said(judgement)
    assert judge(scores(held_out=56 / 60), GeneratorGate(min_format=0.8), LATENCY).promote


def test_model_that_does_not_follow_a_changed_passage_is_refused() -> None:
    judgement = judge(scores(changed=0.7), GeneratorGate(), LATENCY)
    assert "follow a passage that was changed" in said(judgement)
    assert judgement.proportions["faithfulness"].share == 0.7


@pytest.mark.parametrize(
    ("of_set", "key"), [("sentences", "max_forgetting"), ("chat", "max_chat_forgetting")]
)
def test_forgetting_is_refused_on_sentences_and_in_chat(of_set: str, key: str) -> None:
    judgement = judge(scores(**{of_set: 0.8}), GeneratorGate(), LATENCY)
    assert f"{key} is" in said(judgement)
    assert judge(scores(**{of_set: 0.8}), GeneratorGate(**{key: 0.9}), LATENCY).promote


def test_loss_in_one_domain_is_refused_though_the_mean_gains() -> None:
    loses = scores(by_domain={"hr": 1.0, "legal": 0.3}, serves=0.6)
    policy = GeneratorGate(min_format=0)
    judgement = judge(loses, policy, LATENCY)
    assert [reason for reason in judgement.reasons if reason.startswith("in legal ")]
    assert set(judgement.domains) == {"hr", "legal"}


def test_slower_model_is_refused() -> None:
    judgement = judge(scores(), GeneratorGate(), LATENCY | {"challenger": 70.0})
    assert "1.67 times as long; max_latency" in said(judgement)


def test_where_no_version_serves_and_worked_examples_were_not_timed_the_base_is_the_measure() -> (
    None
):
    judgement = judge(scores(), GeneratorGate(), {"base": 40.0, "challenger": 44.0})
    assert judgement.latency_ratio == 1.1


@pytest.mark.parametrize(
    ("gone", "reason"),
    [
        ("changed", "no question tells how many answers follow a passage"),
        ("sentences", "too few sentences"),
        ("chat", "too few general answers"),
    ],
)
def test_limit_that_nothing_was_asked_for_is_not_kept(gone: str, reason: str) -> None:
    assert reason in said(judge(scores(without=(gone,)), GeneratorGate(), LATENCY))


def test_who_switches_faithfulness_off_is_told_that_it_was_not_judged() -> None:
    judgement = judge(scores(without=("changed",)), GeneratorGate(min_faithfulness=0), LATENCY)
    assert judgement.promote
    assert judgement.notes == ("faithfulness was not judged: no question asks for it",)


def test_one_sentence_tells_nothing_of_what_was_forgotten() -> None:
    # Differences of nats have no bound that an interval of one could be given.
    table = scores()
    several = [row["set"] != "sentences" or row["question"] == "q000" for row in table.to_pylist()]
    assert "too few sentences" in said(judge(table.filter(several), GeneratorGate(), LATENCY))


def test_all_right_is_not_certain() -> None:
    # 40 of 40, Clopper and Pearson: 0.025 ** (1 / 40).
    assert proportion([1.0] * 40).lower == pytest.approx(0.025 ** (1 / 40), abs=1e-6)
    assert proportion([1.0] * 40).upper == 1
    assert proportion([0.0, 1.0]).lower == pytest.approx(0.012579, abs=1e-6)
    with pytest.raises(ValueError, match="right"):
        proportion([0.5])


def test_judgement_can_be_kept_as_json() -> None:
    kept = json.loads(json.dumps(judge(scores(), GeneratorGate(), LATENCY).to_dict()))
    assert kept["proportions"]["format"].keys() == {"share", "lower", "upper", "n"}
    assert kept["forgetting"]["chat"]["upper"] < 0.5
    assert kept["metric"] == "answer"

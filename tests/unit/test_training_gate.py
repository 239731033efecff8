from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest

from pipelines.config import GatePolicy
from pipelines.training.gate import judge

LATENCY = {"base": 10.0, "champion": 10.0, "challenger": 10.0}
DOCUMENTS, QUESTIONS, GENERAL = 40, 4, 120


def scores(
    held_out: dict[str, npt.NDArray[np.float64]],
    general: dict[str, npt.NDArray[np.float64]],
    domains: Sequence[str] = ("hr",),
) -> pa.Table:
    """Reciprocal ranks by model; held-out questions come four a document, domains in turn."""
    rows = []
    for of_set, values in (("held_out", held_out), ("general", general)):
        for model, ranks in values.items():
            for number, rank in enumerate(ranks):
                document = number // QUESTIONS if of_set == "held_out" else number
                rows.append(
                    {
                        "model": model,
                        "set": of_set,
                        "question": f"q{number}",
                        "kind": "heading",
                        "domain": domains[document % len(domains)],
                        "document": f"d{document}",
                        "reciprocal_rank": float(rank),
                    }
                )
    return pa.Table.from_pylist(rows)


def simulated(
    seed: int, *, gain: float = 0.0, forgets: float = 0.0, domains: Sequence[str] = ("hr",)
) -> pa.Table:
    """Two models whose answers differ by chance, by document and by question, and by ``gain``."""
    random = np.random.default_rng(seed)
    n = DOCUMENTS * QUESTIONS
    champion = random.beta(2, 1, n)
    noise = np.repeat(random.normal(0, 0.05, DOCUMENTS), QUESTIONS) + random.normal(0, 0.1, n)
    general = random.beta(8, 1, GENERAL)
    other = general + random.normal(-forgets, 0.02, GENERAL)
    return scores(
        {"base": champion - 0.1, "champion": champion, "challenger": champion + gain + noise},
        {"base": general, "champion": general, "challenger": other},
        domains,
    )


def test_equal_models_are_promoted_no_more_often_than_chance_allows() -> None:
    promoted = sum(judge(simulated(seed), GatePolicy(), LATENCY).promote for seed in range(200))
    assert promoted <= 200 * 0.025 + 3 * (200 * 0.025 * 0.975) ** 0.5


def test_better_model_is_promoted() -> None:
    judgement = judge(simulated(1, gain=0.06), GatePolicy(), LATENCY)
    assert judgement.promote, judgement.reasons
    assert judgement.gain.lower > 0
    assert (judgement.gain.questions, judgement.gain.documents) == (160, 40)


def test_the_very_same_model_is_refused() -> None:
    ranks, general = np.full(160, 0.5), np.ones(GENERAL)
    same = scores({"base": ranks, "challenger": ranks}, {"base": general, "challenger": general})
    judgement = judge(same, GatePolicy(), LATENCY)
    assert not judgement.promote
    assert judgement.champion == "base"
    assert "min_gain" in judgement.reasons[0]


def test_model_that_gains_and_forgets_is_refused() -> None:
    judgement = judge(simulated(1, gain=0.06, forgets=0.1), GatePolicy(), LATENCY)
    assert [reason for reason in judgement.reasons if "max_forgetting" in reason]
    assert len(judgement.reasons) == 1


def test_forgetting_is_counted_from_the_base_and_not_from_a_champion_that_forgot_too() -> None:
    random = np.random.default_rng(3)
    ranks, general = random.beta(2, 1, 160), np.ones(GENERAL)
    table = scores(
        {"base": ranks, "champion": ranks, "challenger": ranks + 0.1},
        {"base": general, "champion": general - 0.1, "challenger": general - 0.1},
    )
    assert "max_forgetting" in judge(table, GatePolicy(), LATENCY).reasons[0]


def losing_hr(seed: int, domains: Sequence[str]) -> pa.Table:
    table = simulated(seed, gain=0.15, domains=domains)
    rows = table.to_pylist()
    for row in rows:
        if row["domain"] == "hr" and row["set"] == "held_out" and row["model"] == "challenger":
            row["reciprocal_rank"] -= 0.35
    return pa.Table.from_pylist(rows)


def test_model_that_gains_on_average_and_loses_a_domain_is_refused() -> None:
    judgement = judge(losing_hr(2, ["hr", "legal", "support", "finance"]), GatePolicy(), LATENCY)
    assert judgement.gain.lower > 0
    assert [reason for reason in judgement.reasons if reason.startswith("in hr ")]
    assert len(judgement.reasons) == 1
    assert judgement.domains["legal"].lower > 0


def test_small_domains_are_judged_together_and_named() -> None:
    policy = GatePolicy(min_questions=50)
    judgement = judge(losing_hr(2, ["hr", "legal", "support", "finance"]), policy, LATENCY)
    assert set(judgement.domains) == {"other domains"}
    assert judgement.notes[0].startswith("judged together: finance (40 questions), hr")
    few = judge(losing_hr(2, ["hr", *["support"] * 9]), policy, LATENCY)
    assert set(few.domains) == {"support"}
    assert few.notes == ("too few questions to be judged by domain: hr (16 questions)",)


def test_slower_model_is_refused() -> None:
    slow = LATENCY | {"challenger": 15.1}
    judgement = judge(simulated(1, gain=0.06), GatePolicy(), slow)
    assert "1.51 times as long" in judgement.reasons[0]


def test_gain_below_what_is_asked_is_refused() -> None:
    judgement = judge(simulated(1, gain=0.06), GatePolicy(min_gain=0.06), LATENCY)
    assert "min_gain 0.06" in judgement.reasons[0]


def test_models_that_were_asked_other_questions_are_not_compared() -> None:
    table = simulated(1).slice(DOCUMENTS * QUESTIONS + 1)  # of the champion one is missing
    with pytest.raises(ValueError, match="same questions"):
        judge(table, GatePolicy(), LATENCY)


def test_judgement_can_be_kept_as_json() -> None:
    said = judge(simulated(1, gain=0.06), GatePolicy(), LATENCY).to_dict()
    assert said["gain"]["lower"] == round(said["gain"]["lower"], 6)
    assert said["policy"]["max_latency"] == 1.5

"""Fresh, watch or stale: each row of the rule, and what it takes to go back."""

from dataclasses import replace
from typing import Any

import pytest

from pipelines.config import GeneratorWatch, WatchPolicy
from pipelines.drift import Held, Observation, State, Verdict, begin, look, weights
from pipelines.drift.look import noise
from tests.looks import bag, bets, exposure, nothing_new, seen

POLICY = WatchPolicy()
WATCHED = replace(begin("support", "v1"), looks=9)
"""So often looked at that statistics count."""

# Thresholds at alpha 0.05: topic and changes 200, novelty and golden 100, worth 50.
MOVED = {"topic": bag(evidence=1e4, moved=0.2)}
HALF = {"novelty": bag(evidence=30, moved=0.2)}
"""0.2 * 30 = 6: not evidence, and more than 5."""
WORSE = {"golden": bets(below=-0.02)}
WORTHLESS = {"worth": bets(below=0.0, mean=-0.1)}
# Of a generator: override and memory 67. Scores of memory are fifths of a nat.
OVERRIDES = {"override": bets(below=-0.1, mean=-0.7)}
REMEMBERS = {"memory": bets(below=-0.3, mean=-0.9)}


def judged(
    state: State, observation: Observation | None = None, **policy: Any
) -> tuple[State, Verdict]:
    number = state.looks + 1
    at, cost = observation or nothing_new(number), policy.pop("cost", None)
    kind = GeneratorWatch if policy.pop("kind", "embedder") == "generator" else WatchPolicy
    return look(state, at, kind(**policy), cost=cost)


@pytest.mark.parametrize(
    ("known", "observation", "policy", "level", "says"),
    [
        pytest.param({}, None, {}, "fresh", "not enough seen yet", id="nothing known"),
        pytest.param(
            {}, seen(exposure=exposure(0.02, affected=7)), {}, "watch",
            "7 of 100 examples rest on documents that have changed: exposure 0.02, "
            "watched from 0.02 on", id="exposure",
        ),
        pytest.param({}, seen(exposure=exposure(0.019)), {}, "fresh", "", id="little exposure"),
        pytest.param({}, seen(exposure=exposure(1.0)), {}, "watch", "exposure 1", id="all changed"),
        pytest.param({}, None, {"watch_exposure": 0}, "fresh", "", id="no exposure, watched from 0"),
        pytest.param(
            {}, seen(exposure=exposure(0.001, withdrawn=("docs/a.md",))), {}, "stale",
            "it learned from a document that may not be learned from today: docs/a.md",
            id="withdrawn",
        ),
        pytest.param(
            {"bags": MOVED}, None, {}, "watch",
            "questions are surely about other things than at first, about 18% of them "
            "(evidence 10,000, threshold 200, 1000 questions)", id="other questions",
        ),
        pytest.param({"bags": HALF}, None, {}, "watch", "questions are perhaps unlike those at first", id="a quarter"),
        pytest.param(
            {"bags": {"novelty": bag(evidence=24, moved=0.2)}}, None, {}, "fresh", "", id="less"
        ),
        pytest.param(
            {"bags": {"topic": bag(evidence=1e4, moved=0.2, items=199)}}, None, {}, "fresh",
            "topic 199 of 200 questions", id="few items",
        ),
        pytest.param(
            {"bags": {"changes": bag(evidence=1e4, moved=0.2, items=199)}}, None, {}, "fresh",
            "changes 199 of 200 changed documents", id="few changes",
        ),
        pytest.param(
            {"bags": {"topic": bag(evidence=1e9, moved=0.02)}}, None, {}, "fresh", "", id="trifle"
        ),
        pytest.param({"bags": MOVED}, None, {"topic": 0.0, "worth": 0.5}, "fresh", "", id="off"),
        pytest.param({"bags": MOVED, "looks": 0}, None, {}, "fresh", "1 of 2 looks", id="1st look"),
        pytest.param({"bets": WORSE, "looks": 0}, None, {}, "fresh", "1 of 2 looks", id="1st bet"),
        pytest.param(
            {"bets": WORSE}, None, {}, "stale",
            "golden questions surely lose more than 0.02 MRR@10: +0.000 on average, less than -0.02", id="golden",
        ),
        pytest.param({"bets": WORSE}, None, {"golden_drop": 0.05}, "fresh", "", id="may lose more"),
        pytest.param(
            {"bets": WORTHLESS}, None, {}, "stale",
            "on new questions it surely gains less than 0.02 MRR@10 over its base: -0.100 on average, "
            "less than +0.00 (evidence 10,000, threshold 50, 100 documents)", id="worth",
        ),
        pytest.param(
            {"bets": {"worth": bets(below=0.0, items=19)}}, None, {}, "fresh",
            "worth 19 of 20 documents", id="few documents",
        ),
        pytest.param({"bets": WORTHLESS}, None, {"min_worth": -0.1}, "fresh", "", id="asks less"),
        pytest.param(
            {"bets": {"worth": bets(below=0.0, evidence=49)}}, None, {}, "watch",
            "perhaps gains less than 0.02 MRR@10 over its base: +0.000 on average (ev", id="worth, a quarter",
        ),
        pytest.param(
            {"bets": {"worth": bets(below=0.0, evidence=51)}}, None, {"candidate": "new"}, "watch",
            "threshold 100", id="half of worth",
        ),
        pytest.param(
            {"bets": {"candidate": bets(below=0.0)}}, None, {"candidate": "new"}, "stale",
            "over candidate new", id="candidate",
        ),
        pytest.param({"bets": {"candidate": bets(below=0.0)}}, None, {}, "fresh", "", id="no cand."),
        pytest.param(
            {"bets": {"worth": bets(below=0.0, evidence=40)}}, None, {"alpha": 0.2}, "stale",
            "threshold 12", id="more alpha",
        ),
    ],
)  # fmt: skip
def test_level(
    known: dict[str, Any],
    observation: Observation | None,
    policy: dict[str, Any],
    level: str,
    says: str,
) -> None:
    state, verdict = judged(replace(WATCHED, **known), observation, **policy)
    assert verdict.level == state.level == level
    assert says in "; ".join(verdict.reasons)
    assert verdict.reasons or level == "fresh"
    assert verdict.next


def test_many_withdrawn_documents_are_counted_and_five_are_named() -> None:
    uris = tuple(f"docs/{n}.md" for n in range(12))
    _, verdict = judged(WATCHED, seen(exposure=exposure(0.0, withdrawn=uris)))
    [reason] = verdict.reasons
    assert reason.startswith("it learned from 12 documents")
    assert reason.endswith("docs/3.md, docs/4.md and 7 more")


def test_stale_stays_stale_and_keeps_its_reason_and_numbers() -> None:
    state, before = judged(replace(WATCHED, bets=WORSE))
    for _ in range(5):
        state = replace(state, bets={"golden": bets(below=-0.5, mean=0.2)})
        state, verdict = judged(state)
        assert verdict.level == "stale"
        assert verdict.reasons == before.reasons
    assert verdict.next == ("fresh: when another version serves; nothing else clears it",)


def test_a_second_cause_is_said_beside_the_first() -> None:
    state, _ = judged(replace(WATCHED, bets=WORSE))
    gone = seen(state.looks + 1, exposure=exposure(0.5, withdrawn=("docs/a.md",)))
    _, verdict = judged(state, gone)
    assert [reason.split(":")[0] for reason in verdict.reasons] == [
        "golden questions surely lose more than 0.02 MRR@10",
        "it learned from a document that may not be learned from today",
        "1 of 100 examples rest on documents that have changed",
    ]


def test_watch_ends_after_three_calm_looks_on_end() -> None:
    state, _ = judged(replace(WATCHED, bags=HALF))
    levels = []
    # 2.4, 2.6 (not calm, and nothing to watch either), then 2.4 for good
    for evidence in (12, 12, 13, 12, 12, 12, 12):
        state = replace(state, bags={"novelty": bag(evidence=evidence, moved=0.2)})
        state, verdict = judged(state)
        levels.append((verdict.level, state.calm))
    assert [level for level, _ in levels] == ["watch"] * 5 + ["fresh"] * 2
    assert [calm for _, calm in levels] == [1, 2, 0, 1, 2, 0, 0]


def test_while_it_calms_down_the_reason_says_so() -> None:
    state, _ = judged(replace(WATCHED, bags=HALF))
    _, verdict = judged(replace(state, bags={}))
    assert verdict.level == "watch"
    assert verdict.reasons == ("nothing more to watch for 1 of 3 looks on end",)
    assert verdict.next[-1] == "fresh: nothing more to watch, for 2 looks on end"


def test_exposure_that_goes_back_is_calm_too() -> None:
    state, verdict = judged(WATCHED, seen(10, exposure=exposure(0.3)))
    levels = [verdict.level]
    for _ in range(3):
        state, verdict = judged(state)
        levels.append(verdict.level)
    assert levels == ["watch", "watch", "watch", "fresh"]


def test_an_exposure_that_was_seen_stands_until_another_is() -> None:
    state, _ = judged(WATCHED, seen(10, exposure=exposure(0.3)))
    for number in range(11, 15):
        golden = seen(number, scores={"golden": (0.0,)})
        state, verdict = judged(state, golden)
        assert (verdict.level, verdict.exposure) == ("watch", 0.3)


def test_what_comes_next_is_said_with_numbers() -> None:
    known = {"bets": {"worth": bets(below=0.05, evidence=60), "golden": bets(items=1)}}
    _, fresh = judged(replace(WATCHED, **known))
    assert fresh.next == (
        "watch: exposure of 0.02 or more, it is 0",
        "watch: evidence of 12 in worth, it is 1",
        "stale: worth surely below 0.02: upper bound now +0.05, evidence 1 of 50",
        "stale: golden questions surely below -0.02: no upper bound yet, evidence 1 of 100",
        "stale: a document that it learned from may no longer be learned from",
    )
    _, watch = judged(replace(WATCHED, bags=HALF))
    assert watch.next[-1] == "fresh: evidence of novelty below 12, for 3 looks on end"


def test_signals_are_the_channels_with_a_weight() -> None:
    known = {"bags": MOVED, "bets": WORTHLESS}
    _, verdict = judged(replace(WATCHED, **known), novelty=0.0, golden=0.4)
    found = {one.name: one for one in verdict.signals}
    assert list(found) == ["topic", "changes", "golden", "worth"]
    topic, worth = found["topic"], found["worth"]
    assert (topic.threshold, topic.items) == (pytest.approx(200), 1000)
    assert topic.effect == pytest.approx(0.18, abs=0.01)
    assert (worth.lower, worth.upper, worth.effect) == (-1.0, 0.0, pytest.approx(-0.1))
    assert verdict.worth == (pytest.approx(-0.1), -1.0, 0.0)
    assert found["golden"].says == "does not count yet: 0 of 1 golden questions"


def test_alpha_is_spent_once_with_a_candidate_too() -> None:
    for policy in (POLICY, WatchPolicy(candidate="new")):
        assert sum(weights(policy).values()) == pytest.approx(1)
    assert weights(WatchPolicy(candidate="new"))["candidate"] == 0.2
    assert sum(weights(GeneratorWatch()).values()) == pytest.approx(1)


def test_an_embedder_has_no_debt() -> None:
    harm = seen(10, exposure=exposure(0.01), queries=1000)
    state, verdict = judged(WATCHED, harm, cost=20.0, retrain_cost=5.0)
    assert (verdict.level, verdict.debt, verdict.cost) == ("fresh", None, 25.0)
    assert state.debt == 0


@pytest.mark.parametrize(
    ("known", "policy", "level", "says"),
    [
        pytest.param(
            OVERRIDES, {}, "stale",
            "more than 0.1 of the changed facts are surely answered as they used to be: -0.700 on "
            "average, less than -0.10 (evidence 10,000, threshold 67, 100 documents)", id="override",
        ),
        pytest.param(
            REMEMBERS, {}, "stale",
            "it surely prefers former values by more than 1.5 nats a token over its base: -4.500 on "
            "average, less than -1.50 (evidence 10,000, threshold 67, 100 documents)", id="memory",
        ),
        pytest.param(OVERRIDES, {"max_override": 0.2}, "fresh", "", id="may override more"),
        pytest.param(REMEMBERS, {"max_memory": 1.6}, "fresh", "", id="may remember more"),
        pytest.param(
            {"override": bets(below=-0.1, items=9)}, {"min_documents": 10}, "fresh",
            "override 9 of 10 documents", id="few documents",
        ),
        pytest.param(
            {"override": bets(below=-0.1, evidence=66)}, {}, "watch",
            "perhaps answered as they used to be", id="a quarter",
        ),
        pytest.param({"override": bets(below=-0.1, evidence=16)}, {}, "fresh", "", id="less"),
        pytest.param(WORSE | WORTHLESS, {}, "fresh", "", id="an embedder's channels"),
    ],
)  # fmt: skip
def test_level_of_a_generator(
    known: dict[str, Any], policy: dict[str, Any], level: str, says: str
) -> None:
    state, verdict = judged(replace(WATCHED, bets=known), kind="generator", **policy)
    assert verdict.level == state.level == level
    assert says in "; ".join(verdict.reasons)
    assert [one.name for one in verdict.signals] == [
        "topic", "novelty", "changes", "override", "memory",
    ]  # fmt: skip


def test_documents_of_the_look_that_convicts_are_named() -> None:
    held = (
        Held(uri="docs/a.md", domain="hr", facts=3, as_before=2, memory=0.1),
        Held(uri="docs/b.md", domain="hr", facts=1, as_before=0, memory=4.0),
        Held(uri="docs/c.md", domain="hr", facts=1, as_before=0),
    )
    known = replace(WATCHED, bets=OVERRIDES | REMEMBERS)
    _, verdict = judged(known, seen(10, exposure=exposure(0.1), held=held), kind="generator")
    assert [reason.rpartition(": ")[2] for reason in verdict.reasons[:2]] == [
        "docs/a.md",
        "docs/b.md",
    ]


def test_what_changed_is_watched_by_how_much_of_it_a_generator_answers_as_before() -> None:
    changed = seen(10, exposure=exposure(0.3, affected=30))
    _, unasked = judged(WATCHED, changed, kind="generator")
    assert unasked.level == "watch"
    assert unasked.reasons[0].startswith("30 of 100 examples rest on documents that have changed")
    follows = replace(WATCHED, bets={"override": bets(items=40, mean=-0.05)})
    _, fresh = judged(follows, changed, kind="generator")
    assert (fresh.level, fresh.exposure) == ("fresh", 0.3)
    assert fresh.next[0] == "watch: exposure of 0.02 or more to what it holds on to, it is 0.015"
    holds = replace(WATCHED, bets={"override": bets(items=40, mean=-0.5)})
    _, watch = judged(holds, changed, kind="generator")
    assert watch.level == "watch"
    assert "exposure 0.3, 50% of what was asked answered as before" in watch.reasons[0]


def test_a_generator_is_stale_once_its_expected_loss_is_the_cost_of_a_retraining() -> None:
    costs = {"wrong_answer_cost": 2.0, "retrain_cost": 20.0, "kind": "generator", "cost": 40.0}
    state, levels = WATCHED, []
    for number in range(10, 14):
        harm = seen(number, exposure=exposure(0.01), queries=1000)
        state, verdict = judged(state, harm, **costs)
        levels.append((verdict.level, verdict.debt))
    assert levels == [("fresh", 20.0), ("fresh", 40.0), ("stale", 60.0), ("stale", 80.0)]
    assert verdict.reasons == ("expected loss 60.00 has reached the cost of a retraining, 60.00",)


def test_answers_that_follow_a_changed_passage_cost_nothing() -> None:
    costs = {"wrong_answer_cost": 2.0, "kind": "generator", "cost": 1e6}
    harm = seen(10, exposure=exposure(0.01), queries=1000)
    for share in (0.0, 0.25):
        known = replace(WATCHED, bets={"override": bets(items=40, mean=-share)})
        state, _ = judged(known, harm, **costs)
        assert state.debt == pytest.approx(2.0 * 1000 * 0.01 * share)


def test_a_generator_that_is_asked_other_things_is_stale_a_look_earlier() -> None:
    costs = {"wrong_answer_cost": 2.0, "kind": "generator", "cost": 60.0}
    state, levels = replace(WATCHED, bags=MOVED), []
    for number in range(10, 12):
        harm = seen(number, exposure=exposure(0.01), queries=1000)
        state, verdict = judged(state, harm, **costs)
        levels.append(verdict.level)
    assert levels == ["watch", "stale"]


def test_without_a_price_a_generator_owes_nothing_that_it_could_reach() -> None:
    harm = seen(10, exposure=exposure(0.01), queries=10**9)
    _, verdict = judged(WATCHED, harm, kind="generator", wrong_answer_cost=9.0)
    assert (verdict.level, verdict.cost) == ("fresh", None)


@pytest.mark.parametrize(
    ("observation", "message"),
    [
        (seen(bins={"topic": (0,)}), "topic has items, but no first bag"),
        (seen(bags={"golden": (1, 2)}), "no such channel: golden"),
        (seen(scores={"topic": (0.5,)}), "no such channel: topic"),
        (seen(bags={"topic": (1,)}), "first bag"),
    ],
)
def test_what_cannot_have_been_seen_is_refused(observation: Observation, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        look(begin("support", "v1"), observation, POLICY)


def test_a_channel_is_calibrated_once() -> None:
    state, _ = look(begin("support", "v1"), seen(1, bags={"topic": (3, 4)}), POLICY)
    with pytest.raises(ValueError, match="topic has a first bag already"):
        look(state, seen(2, bags={"topic": (3, 4)}), POLICY)


def test_another_policy_moves_thresholds_and_takes_nothing_back() -> None:
    known = replace(WATCHED, bets={"worth": bets(below=0.0, evidence=40)})
    state, strict = judged(known)
    _, loose = judged(state, alpha=0.2)
    assert (strict.level, loose.level) == ("watch", "stale")
    again, _ = judged(state)
    assert again.bets == known.bets


def test_a_state_of_another_format_is_refused() -> None:
    text = begin("support", "v1").to_json().replace('"format":1', '"format":2')
    with pytest.raises(ValueError, match="another format"):
        State.from_json(text)


def test_ties_are_broken_by_other_numbers_in_each_look_channel_version_and_model() -> None:
    state = begin("support", "v1")
    drawn = [
        noise(state, "run-1", "topic", 3),
        noise(state, "run-2", "topic", 3),
        noise(state, "run-1", "novelty", 3),
        noise(replace(state, version="v2"), "run-1", "topic", 3),
        noise(replace(state, model="other"), "run-1", "topic", 3),
    ]
    assert len({some.tobytes() for some in drawn}) == len(drawn)
    assert noise(state, "run-1", "topic", 3).tobytes() == drawn[0].tobytes()

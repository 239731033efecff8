"""Whatever is looked at, in whatever order: what a watch promises of its state and its verdict."""

from dataclasses import replace
from typing import Any

import hypothesis.strategies as st
import numpy as np
from hypothesis import given, settings

from pipelines.config import AnyWatch, GeneratorWatch, WatchPolicy
from pipelines.drift import BETS, BINNED, Observation, State, Verdict, begin, canonical, look
from pipelines.drift.bets import GRID, Bets, against, bounds, scored
from pipelines.drift.records import HIGHEST
from tests.looks import exposure, seen

BINS = 4
SCORES = st.lists(st.floats(-1, 1), min_size=1, max_size=6).map(tuple)
CHANNELS = {
    name: st.lists(st.floats(-1, HIGHEST.get(name, 1.0)), min_size=1, max_size=6).map(tuple)
    for name in BETS
}
ITEMS = st.lists(st.integers(0, BINS - 1), min_size=1, max_size=6).map(tuple)
BAGS = st.lists(st.integers(0, 9), min_size=BINS, max_size=BINS).filter(any).map(tuple)
EXPOSURES = st.builds(
    exposure,
    st.floats(0, 1),
    affected=st.integers(0, 100),
    withdrawn=st.sampled_from([(), (), (), ("docs/a.md",)]),
)
POLICIES = st.sampled_from(
    [
        WatchPolicy(),
        WatchPolicy(alpha=0.5, min_looks=1, min_items=1, min_documents=1, min_effect=0),
        WatchPolicy(topic=0, novelty=0, changes=0, golden=0, worth=1, candidate="new"),
        WatchPolicy(alpha=0.9, min_items=1, watch_exposure=0, min_worth=0.3, golden_drop=0),
        GeneratorWatch(),
        GeneratorWatch(alpha=0.5, min_looks=1, min_items=1, min_documents=1, min_effect=0),
        GeneratorWatch(topic=0, novelty=0, changes=0, override=0.5, memory=0.5, max_override=0),
        GeneratorWatch(alpha=0.9, min_documents=1, max_memory=0, wrong_answer_cost=1),
    ]
)


@st.composite
def histories(draw: st.DrawFn) -> list[Observation]:
    """Looks of which some see nothing; a channel has items once it has a first bag."""
    begun: set[str] = set()
    history = []
    for number in range(draw(st.integers(1, 6))):
        bags = draw(st.dictionaries(st.sampled_from(BINNED), BAGS))
        more: dict[str, Any] = {"bags": {k: v for k, v in bags.items() if k not in begun}}
        begun |= bags.keys()
        if begun:
            more["bins"] = draw(st.dictionaries(st.sampled_from(sorted(begun)), ITEMS))
        more["scores"] = draw(st.fixed_dictionaries({}, optional=CHANNELS))
        more["exposure"] = draw(st.none() | EXPOSURES)
        history.append(seen(number, queries=draw(st.integers(0, 50)), **more))
    return history


def judged(state: State, seen: Observation, policy: AnyWatch) -> tuple[State, Verdict]:
    return look(state, seen, policy)


def after(history: list[Observation], policy: AnyWatch) -> list[tuple[State, Verdict]]:
    state, steps = begin("support", "v1"), []
    for one in history:
        state, verdict = judged(state, one, policy)
        steps.append((state, verdict))
    return steps


@settings(max_examples=30)
@given(history=histories(), policy=POLICIES)
def test_a_look_that_comes_again_changes_nothing(
    history: list[Observation], policy: AnyWatch
) -> None:
    state = begin("support", "v1")
    for one in history:
        state, verdict = judged(state, one, policy)
        again, same = judged(state, one, policy)
        if not one.is_empty:
            assert (again, same) == (state, verdict)
        assert again.to_json() == state.to_json()


@settings(max_examples=30)
@given(history=histories(), policy=POLICIES, queries=st.integers(0, 10**6))
def test_a_look_that_sees_nothing_leaves_the_state_as_it_is_to_the_byte(
    history: list[Observation], policy: AnyWatch, queries: int
) -> None:
    state, verdict = after(history, policy)[-1]
    empty = seen(99, queries=queries, bins={"topic": ()}, scores={"worth": ()})
    unchanged, same = judged(state, empty, policy)
    assert unchanged.to_json() == state.to_json()
    assert same == verdict


@settings(max_examples=30)
@given(history=histories(), policy=POLICIES)
def test_looks_that_were_kept_as_text_give_the_same_again(
    history: list[Observation], policy: AnyWatch
) -> None:
    state = begin("support", "v1")
    for one, (expected, verdict) in zip(history, after(history, policy), strict=True):
        kept = Observation.from_dict(one.to_dict())
        state, found = judged(State.from_json(state.to_json()), kept, policy)
        assert state == expected
        assert canonical(found.to_dict()) == canonical(verdict.to_dict())


@settings(max_examples=30)
@given(history=histories(), one=POLICIES, other=POLICIES)
def test_what_accumulates_knows_no_policy(
    history: list[Observation], one: AnyWatch, other: AnyWatch
) -> None:
    first, second = after(history, one)[-1][0], after(history, other)[-1][0]
    assert (first.bags, first.bets) == (second.bags, second.bets)
    assert (first.looks, first.queries, first.exposure) == (
        second.looks,
        second.queries,
        second.exposure,
    )


@settings(max_examples=30)
@given(history=histories(), policy=POLICIES)
def test_levels_follow_from_causes_and_stale_is_for_ever(
    history: list[Observation], policy: AnyWatch
) -> None:
    was: Verdict | None = None
    for one, (state, verdict) in zip(history, after(history, policy), strict=True):
        assert (verdict.level == "stale") == bool(state.causes)
        assert verdict.reasons or verdict.level == "fresh"
        assert verdict.next
        if one.exposure and one.exposure.withdrawn:
            assert verdict.level == "stale"
        elif verdict.level == "stale" and was and was.level != "stale":
            counted = {s.name for s in verdict.signals if s.evidence >= s.threshold}
            assert counted & set(BETS)
        if was and was.level == "stale":
            assert verdict.level == "stale"
            assert verdict.reasons[0].split(" (")[0] == was.reasons[0].split(" (")[0]
        was = verdict


@settings(max_examples=30)
@given(history=histories())
def test_shifts_and_exposure_alone_never_make_an_embedder_stale(
    history: list[Observation],
) -> None:
    eager = WatchPolicy(alpha=0.99, min_looks=1, min_items=1, min_effect=0, watch_exposure=0)
    shifts = [
        replace(one, scores={}, exposure=one.exposure and replace(one.exposure, withdrawn=()))
        for one in history
    ]
    assert {verdict.level for _, verdict in after(shifts, eager)} <= {"fresh", "watch"}


@settings(max_examples=30)
@given(history=histories(), policy=POLICIES)
def test_channels_do_not_touch_each_other(history: list[Observation], policy: AnyWatch) -> None:
    whole = after(history, policy)[-1][0]
    for name in BINNED:
        alone = [
            replace(
                one,
                bags={k: v for k, v in one.bags.items() if k == name},
                bins={k: v for k, v in one.bins.items() if k == name},
                scores={},
            )
            for one in history
        ]
        assert after(alone, policy)[-1][0].bags.get(name) == whole.bags.get(name)


@given(
    looks=st.lists(SCORES, min_size=1, max_size=5),
    limit=st.floats(-1, 1),
    threshold=st.sampled_from([1.01, 2.0, 20.0]),
)
def test_evidence_against_a_mean_and_the_upper_bound_are_one_statement(
    looks: list[tuple[float, ...]], limit: float, threshold: float
) -> None:
    bets = Bets()
    for scores in looks:
        bets = scored(bets, scores)
    lower, upper = bounds(bets, threshold)
    on_grid = GRID[limit + 1e-12 >= GRID][-1]
    if upper < 1:
        assert (against(bets, limit) >= threshold) == (upper <= on_grid)
    found = [against(bets, float(m)) for m in GRID]
    assert found == sorted(found)
    assert lower >= -1


@given(
    looks=st.lists(SCORES, min_size=1, max_size=4),
    repeats=st.integers(1, 50),
)
def test_many_scores_keep_every_number_finite(looks: list[tuple[float, ...]], repeats: int) -> None:
    bets = Bets()
    for scores in looks:
        bets = scored(bets, scores * repeats)
    assert np.isfinite(bets.log_less).all()
    assert np.isfinite(bets.log_more).all()
    assert np.isfinite([against(bets, float(m)) for m in GRID]).all()

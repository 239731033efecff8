"""Looking often is free of false alarms, and what is really there is found: by simulation."""

from collections.abc import Callable
from dataclasses import replace
from math import sqrt

import numpy as np
import pytest

from pipelines.drift.bets import Bets, against, scored
from pipelines.drift.conformal import begun, taken

ALPHA = 0.2
STREAMS = 150
LOOKS = 40
ALLOWED = ALPHA + 3 * sqrt(ALPHA * (1 - ALPHA) / STREAMS)

Rng = np.random.Generator


def first_alarm(evidence: Callable[[], float], looks: int = LOOKS) -> int | None:
    """The first look at which the threshold is reached."""
    return next((look for look in range(looks) if evidence() >= 1 / ALPHA), None)


def binned(rng: Rng, first: int, share: Callable[[int], np.ndarray], items: int = 40) -> int | None:
    bag, number = begun(rng.multinomial(first, share(-1)).tolist()), -1

    def evidence() -> float:
        nonlocal bag, number
        number += 1
        bins = rng.choice(len(bag.first), items, p=share(number))
        bag = taken(bag, bins.tolist(), rng.random(items))
        return bag.evidence

    return first_alarm(evidence)


def bet(rng: Rng, draw: Callable[[int], np.ndarray], limit: float, most: float = 1.0) -> int | None:
    bets, number = Bets(), -1

    def evidence() -> float:
        nonlocal bets, number
        number += 1
        bets = scored(bets, draw(number).tolist(), most=most)
        return against(bets, limit)

    return first_alarm(evidence)


@pytest.mark.parametrize("first", [30, 500])
def test_an_unchanged_world_seldom_alarms_however_small_the_first_bag(first: int) -> None:
    rng = np.random.default_rng(first)
    alarms = 0
    for _ in range(STREAMS):
        share = rng.dirichlet(np.full(8, 2.0))
        alarms += binned(rng, first, lambda _, share=share: share) is not None
    assert alarms / STREAMS <= ALLOWED


def test_the_same_bets_against_a_first_bag_taken_for_the_truth_raise_the_alarm() -> None:
    # Why the bag has to grow: 60 items are no law.
    rng = np.random.default_rng(1)
    alarms = 0
    for _ in range(20):
        share = rng.dirichlet(np.full(8, 2.0))
        bag = begun(rng.multinomial(60, share).tolist())
        for _ in range(LOOKS):
            bins = rng.choice(8, 40, p=share)
            bag = replace(taken(bag, bins.tolist(), rng.random(40)), seen=bag.first)
            if bag.evidence >= 1 / ALPHA:
                alarms += 1
                break
    assert alarms >= 15


def test_a_shift_is_found_soon_after_it_came() -> None:
    rng = np.random.default_rng(2)
    before = np.full(8, 1 / 8)
    after = 0.6 * before + np.array([0.4, *[0.0] * 7])
    found = [binned(rng, 500, lambda n: after if n >= 10 else before) for _ in range(30)]
    assert sum(look is not None and 10 <= look <= 15 for look in found) >= 27


@pytest.mark.parametrize("spread", [0.02, 0.5])
def test_a_model_that_is_worth_just_enough_is_seldom_called_stale(spread: float) -> None:
    rng = np.random.default_rng(3)

    def draw(_: int) -> np.ndarray:
        return 0.1 + rng.choice([-spread, spread], 5)

    alarms = sum(bet(rng, draw, 0.1) is not None for _ in range(STREAMS))
    assert alarms / STREAMS <= ALLOWED


def test_rare_losses_that_make_up_for_many_small_gains_are_no_loss() -> None:
    # The mean is 0, but most looks see only gains: the hardest null for a bet on the mean.
    rng = np.random.default_rng(4)

    def draw(_: int) -> np.ndarray:
        return np.where(rng.random(5) < 0.95, -0.05, 0.95)

    alarms = sum(bet(rng, draw, 0.0) is not None for _ in range(STREAMS))
    assert alarms / STREAMS <= ALLOWED


@pytest.mark.parametrize("sizes", [(1.0,), (0.2, 1.0)])
def test_a_generator_that_overrides_as_often_as_it_may_is_seldom_called_stale(
    sizes: tuple[float, ...],
) -> None:
    rng = np.random.default_rng(8)
    share = 0.1 / np.mean(sizes)

    def draw(_: int) -> np.ndarray:
        return -np.where(rng.random(5) < share, rng.choice(sizes, 5), 0.0)

    alarms = sum(bet(rng, draw, -0.1, 0.0) is not None for _ in range(STREAMS))
    assert alarms / STREAMS <= ALLOWED


def test_a_generator_that_overrides_often_is_found_in_a_few_documents() -> None:
    rng = np.random.default_rng(9)

    def draw(_: int) -> np.ndarray:
        return -np.where(rng.random(5) < 0.7, 1.0, 0.0)

    found = [bet(rng, draw, -0.1, 0.0) for _ in range(30)]
    assert all(look is not None and look <= 3 for look in found)


def test_a_model_that_is_worth_less_is_found() -> None:
    rng = np.random.default_rng(5)

    def draw(_: int) -> np.ndarray:
        return np.clip(rng.normal(-0.1, 0.2, 5), -1, 1)

    found = [bet(rng, draw, 0.0) for _ in range(30)]
    assert all(look is not None and look <= 30 for look in found)


def test_a_model_that_loses_its_worth_late_is_found_by_bets_that_began_late() -> None:
    rng = np.random.default_rng(6)

    def draw(look: int) -> np.ndarray:
        return np.clip(rng.normal(0.1 if look < 8 else -0.4, 0.2, 5), -1, 1)

    found = [bet(rng, draw, 0.0) for _ in range(30)]
    assert sum(look is not None and 8 <= look <= 30 for look in found) >= 27

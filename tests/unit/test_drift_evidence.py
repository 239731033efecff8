"""What bets and conformal p-values promise, worked out in full for small cases."""

import itertools
from math import exp, factorial, prod

import numpy as np
import pytest

from pipelines.drift.bets import GRID, Bets, against, bounds, scored
from pipelines.drift.conformal import (
    MEMORIES,
    begun,
    effect,
    log_factors,
    p_values,
    parts,
    taken,
)
from pipelines.drift.mixture import evidence, mixed, weight

ZERO = int(np.flatnonzero(GRID == 0)[0])


def compositions(total: int, places: int) -> list[tuple[int, ...]]:
    return [c for c in itertools.product(range(total + 1), repeat=places) if sum(c) == total]


@pytest.mark.parametrize("known", [(0.0, 0.0, 0.0), (3.5, 0.25, 11.0)])
def test_a_look_multiplies_a_bet_by_one_on_average(known: tuple[float, ...]) -> None:
    places, items = 3, 6
    recent = np.array([known] * len(MEMORIES))
    mean = np.zeros(len(MEMORIES))
    for counts in compositions(items, places):
        ways = factorial(items) / prod(map(factorial, counts))
        mean += ways / places**items * np.exp(log_factors(counts, recent))
    assert mean == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize("numbered", list(itertools.permutations(range(3))))
def test_over_all_first_bags_and_items_the_martingale_stays_at_one(
    numbered: tuple[int, ...],
) -> None:
    # Items of three bins, whose shares nobody knows; two in the first bag, then looks of two and
    # of one. However the bins are numbered.
    share = np.array([0.6, 0.3, 0.1])
    mean = [0.0, 0.0]
    for items in itertools.product(range(3), repeat=5):
        chance = prod(share[list(items)])
        came = np.array([numbered[item] for item in items])
        first = np.bincount(came[:2], minlength=3)
        where = part_chances(first, came[2:])
        for hit in itertools.product(range(3), repeat=3):
            likely = chance * prod(where[i][part] for i, part in enumerate(hit))
            if likely:
                one, two = martingale([hit[:2], hit[2:]])
                mean[0] += likely * one
                mean[1] += likely * two
    assert mean == pytest.approx([1.0, 1.0], abs=1e-12)


def part_chances(first: np.ndarray, came: np.ndarray) -> np.ndarray:
    """How likely the p-value of each item is in each part, over all ways to break ties."""
    low, _ = p_values(first, came, np.zeros(len(came)))
    high, _ = p_values(first, came, np.ones(len(came)))
    edges = np.linspace(0, 1, 4)
    inside = np.minimum(high[:, None], edges[1:]) - np.maximum(low[:, None], edges[:-1])
    return np.maximum(inside, 0) / (high - low)[:, None]


def martingale(looks: list[tuple[int, ...]]) -> list[float]:
    log_m, recent = np.full(len(MEMORIES), -np.inf), np.zeros((len(MEMORIES), 3))
    values = []
    for number, hit in enumerate(looks, 1):
        counts = np.bincount(hit, minlength=3)
        log_m = mixed(log_m, log_factors(counts, recent), weight(number))
        recent = np.array(MEMORIES)[:, None] * (recent + counts)
        values.append(float(evidence(log_m, number).mean()))
    return values


def test_a_channel_is_that_martingale() -> None:
    bag = begun([4, 2, 1])
    u = np.array([0.1, 0.7, 0.4, 0.9])
    came = np.array([2, 0, 2, 1])
    p, _ = p_values(np.array(bag.first), came, u)
    hit = parts(p, 3).tolist()
    after = taken(taken(bag, came[:3].tolist(), u[:3]), came[3:].tolist(), u[3:])
    assert after.evidence == pytest.approx(martingale([tuple(hit[:3]), tuple(hit[3:])])[-1])
    assert after.seen == (5, 3, 3)
    assert after.items == 4
    assert after.looks == 2


def test_p_values_rank_an_item_among_all_before_it() -> None:
    p, after = p_values(np.array([1, 2, 1]), np.array([0, 2, 1]), np.array([0.5, 0.0, 1.0]))
    # 1st: below 0, alike 1 + itself, of 5. 2nd: below 4 of 6. 3rd: below 2, alike 2 + itself, of 7.
    assert p.tolist() == [0.5 * 2 / 5, 4 / 6, (2 + 3) / 7]
    assert after.tolist() == [2, 3, 2]


def test_bets_that_all_begin_with_one_are_the_e_detector() -> None:
    log_m, log_e = np.log([0.5, 7.0]), np.log([3.0, 0.2])
    assert np.exp(mixed(log_m, log_e, 1.0)) == pytest.approx([(0.5 + 1) * 3.0, (7 + 1) * 0.2])


def test_the_weights_of_all_starts_sum_to_one_with_what_has_not_begun() -> None:
    assert sum(weight(n) for n in range(1, 1000)) + 1 / 1000 == pytest.approx(1)
    log_m = np.full(1, -np.inf)
    for number in range(1, 50):
        log_m = mixed(log_m, np.zeros(1), weight(number))
        assert evidence(log_m, number) == pytest.approx(1)


@pytest.mark.parametrize(("worse", "better"), [(0.3, 0.3), (0.05, 0.05), (0.2, 0.5), (0.0, 1.0)])
def test_a_bet_wins_nothing_on_average_where_the_mean_is_not_below(
    worse: float, better: float
) -> None:
    chances = {-1.0: worse, 0.0: 1 - worse - better, 1.0: better}
    wealth = found = 0.0
    for scores in itertools.product(chances, repeat=5):
        likely = prod(chances[score] for score in scores)
        bets = scored(scored(scored(Bets(), scores[:1]), scores[1:4]), scores[4:])
        wealth += likely * float(evidence(np.array(bets.log_less), 3)[ZERO])
        found += likely * against(bets, 0.0)
    assert wealth <= 1 + 1e-12
    assert found <= wealth
    if worse == better:
        assert wealth == pytest.approx(1)


@pytest.mark.parametrize("share", [0.25, 0.1])
def test_a_bet_that_knows_the_highest_score_wins_nothing_on_average_either(share: float) -> None:
    chances = {-1.0: share, 0.0: 1 - share}
    at = int(np.flatnonzero(np.isclose(GRID, -0.25))[0])
    wealth = 0.0
    for scores in itertools.product(chances, repeat=6):
        likely = prod(chances[score] for score in scores)
        bets = scored(scored(Bets(), scores[:2], most=0.0), scores[2:], most=0.0)
        wealth += likely * float(evidence(np.array(bets.log_less), 2)[at])
    assert wealth <= 1 + 1e-12
    if share == 0.25:
        assert wealth == pytest.approx(1)


def test_where_no_score_is_above_0_few_are_enough() -> None:
    few = [-1.0, 0.0, -1.0, -1.0, -0.5, -1.0, 0.0, -1.0, -1.0, -0.5, -1.0, -1.0]
    assert against(scored(Bets(), few), -0.1) < 10
    assert against(scored(Bets(), few, most=0.0), -0.1) > 100


def test_bets_are_the_formula_of_one_score_after_another() -> None:
    eps = 0.02
    drops = [0.4, 0.0, 1.0, -0.2, 0.3]
    looks = [drops[:2], drops[2:]]
    bets = Bets()
    past: list[float] = []
    m = 0.0
    for number, some in enumerate(looks, 1):
        factor = 1.0
        for x in some:
            mu = sum(p - eps for p in past) / (len(past) + 1)
            v = (1 + sum((p - eps - mu) ** 2 for p in past)) / (len(past) + 1)
            factor *= 1 + min(max(mu / v, 0.0), 1 / (2 * (1 + eps))) * (x - eps)
            past.append(x)
        m = (m + weight(number)) * factor
        bets = scored(bets, [-x for x in some])
    at = int(np.searchsorted(GRID, -eps))
    assert exp(bets.log_less[at]) == pytest.approx(m)


def test_the_mean_of_many_scores_is_pinned_from_both_sides() -> None:
    rng = np.random.default_rng(5)
    bets = Bets()
    for _ in range(60):
        bets = scored(bets, np.clip(rng.normal(0.12, 0.2, 20), -1, 1).tolist())
    lower, upper = bounds(bets, 50.0)
    assert bets.mean == pytest.approx(0.12, abs=0.02)
    assert 0.06 <= lower < 0.12 < upper <= 0.18
    assert against(bets, 0.2) > 1e6
    assert against(bets, 0.1) < 1


def test_without_scores_nothing_is_known() -> None:
    assert bounds(Bets(), 20.0) == (-1.0, 1.0)
    assert against(Bets(), 0.0) == 1.0
    assert scored(Bets(), []) == Bets()


def test_bounds_of_negated_scores_are_the_negated_bounds() -> None:
    scores = [0.5, 0.75, 0.25, 1.0, -0.5] * 12
    bets, mirrored = scored(Bets(), scores), scored(Bets(), [-one for one in scores])
    lower, upper = bounds(bets, 10.0)
    assert bounds(mirrored, 10.0) == (-upper, -lower)
    assert -1 < lower < upper < 1


def test_a_limit_between_two_points_is_held_to_the_lower_one() -> None:
    bets = scored(Bets(), [-0.5] * 30)
    assert against(bets, 0.0149) == against(bets, 0.01) < against(bets, 0.02)
    assert against(bets, -0.42) == against(bets, -0.45)
    assert against(bets, 1.0) >= against(bets, 0.99)


@pytest.mark.parametrize("score", [1.01, -2.0, float("nan")])
def test_a_score_that_cannot_be_is_refused(score: float) -> None:
    with pytest.raises(ValueError, match="lie in"):
        scored(Bets(), [0.0, score])
    with pytest.raises(ValueError, match=r"lie in \[-1, 0\]"):
        scored(Bets(), [0.01], most=0.0)


@pytest.mark.parametrize("bin_", [-1, 3])
def test_a_bin_that_there_is_not_is_refused(bin_: int) -> None:
    with pytest.raises(ValueError, match="no bin"):
        taken(begun([1, 1, 1]), [0, bin_], np.array([0.5, 0.5]))


@pytest.mark.parametrize("first", [[], [5], [0, 0], [3, -1]])
def test_a_first_bag_that_says_nothing_is_refused(first: list[int]) -> None:
    with pytest.raises(ValueError, match="first bag"):
        begun(first)


def test_without_items_a_channel_stays_as_it_is() -> None:
    bag = begun([3, 4])
    assert taken(bag, [], np.empty(0)) is bag
    assert bag.evidence == 1.0
    assert effect(bag) == 0.0


def test_effect_is_the_share_that_moved_less_what_chance_adds() -> None:
    rng = np.random.default_rng(3)
    share = np.full(24, 1 / 24)
    moved = np.where(np.arange(24) < 3, 0.8 * share + 0.2 / 3, 0.8 * share)
    quiet, shifted = [], []
    for _ in range(40):
        bag = begun(rng.multinomial(2000, share).tolist())
        u = np.full(500, 0.5)
        quiet.append(effect(taken(bag, rng.choice(24, 500, p=share).tolist(), u)))
        shifted.append(effect(taken(bag, rng.choice(24, 500, p=moved).tolist(), u)))
    assert np.mean(quiet) < 0.03  # without the correction 0.10
    assert np.mean(shifted) == pytest.approx(0.2 * 21 / 24, abs=0.03)


def test_effect_lasts_as_long_as_the_change_though_the_bag_grows() -> None:
    rng = np.random.default_rng(3)
    bag = begun([100] * 10)
    seen = []
    for look in range(40):
        share = [0.37, *[0.07] * 9] if look < 30 else [0.1] * 10
        bag = taken(bag, rng.choice(10, 200, p=share).tolist(), rng.random(200))
        seen.append(effect(bag))
    assert all(0.2 < one < 0.35 for one in seen[9:30])
    assert seen[-1] < 0.05

"""Which bin an item falls into."""

import numpy as np
import pytest

from pipelines.drift import (
    ADDED,
    DELETED,
    Changes,
    Novelty,
    Topics,
    fit_changes,
    fit_novelty,
    fit_topics,
)

EYE = np.eye(12, dtype=np.float32)


def around(centres: np.ndarray, count: int, *, seed: int = 0, wide: float = 0.1) -> np.ndarray:
    """Vectors of length 1, one centre after the other."""
    rng = np.random.default_rng(seed)
    found = np.repeat(centres, count, axis=0)
    found = found + wide * rng.normal(size=found.shape)
    return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32)


def test_topics_find_the_clusters_and_name_new_items_by_them() -> None:
    fit = around(EYE[:9], 25)
    topics = fit_topics(fit, seed=1)
    assert topics.count == 9
    assert np.linalg.norm(topics.centres, axis=1) == pytest.approx(np.ones(9), abs=1e-6)
    found = topics.bins(around(EYE[:9], 4, seed=7)).reshape(9, 4)
    assert (found == found[:, :1]).all()
    assert sorted(found[:, 0]) == list(range(9))


@pytest.mark.parametrize(("items", "count"), [(20, 8), (250, 10), (2000, 48)])
def test_there_is_a_topic_for_every_25_items_within_limits(items: int, count: int) -> None:
    assert fit_topics(around(EYE, items)[:items], seed=0).count == count


def test_items_that_are_all_alike_are_one_topic() -> None:
    topics = fit_topics(np.repeat(EYE[:1], 30, axis=0), seed=0)
    assert topics.count == 1
    assert topics.bins(EYE).tolist() == [0] * 12


def test_the_same_seed_finds_the_same_centres() -> None:
    fit = around(EYE, 60, wide=0.5)
    first, again, other = (fit_topics(fit, seed=seed).centres for seed in (3, 3, 4))
    assert first.tobytes() == again.tobytes()
    assert first.tobytes() != other.tobytes()


def test_novelty_bins_are_equally_full_and_the_strange_are_in_bin_0() -> None:
    fit, new = around(EYE[:6], 100), around(EYE[:6], 200, seed=9)
    novelty = fit_novelty(fit)
    assert novelty.count == 16
    full = np.bincount(novelty.bins(new), minlength=16) / len(new)
    assert full == pytest.approx(np.full(16, 1 / 16), abs=0.03)
    assert set(novelty.bins(around(EYE[6:], 20, seed=9)).tolist()) == {0}
    assert set(novelty.bins(fit).tolist()) == {15}


def test_changes_are_binned_by_topic_and_size_and_additions_and_deletions_apart() -> None:
    fit = around(EYE[:2], 40)
    sizes = np.tile(np.linspace(0.0, 0.8, 40), 2)
    changes = fit_changes(fit, sizes, seed=0)
    assert changes.topics.count == 3  # 80 / 25
    assert changes.count == 3 * 4 + 2
    vectors = np.repeat(fit[:1], 6, axis=0)
    found = changes.bins(vectors, [0.0, 0.25, 0.45, 2.0, ADDED, DELETED])
    topic = int(changes.topics.bins(fit[:1])[0])
    assert found.tolist() == [topic * 4, topic * 4 + 1, topic * 4 + 2, topic * 4 + 3, 12, 13]


def test_additions_and_deletions_do_not_fit_topics_or_sizes() -> None:
    fit = around(EYE[:4], 20)
    sizes = np.concatenate((np.full(40, ADDED), np.full(20, DELETED), np.linspace(0.1, 0.5, 20)))
    changes = fit_changes(fit, sizes, seed=0)
    alone = fit_changes(fit[60:], sizes[60:], seed=0)
    assert changes.edges.tolist() == alone.edges.tolist()
    assert changes.topics.centres.tobytes() == alone.topics.centres.tobytes()


def test_where_nothing_was_edited_yet_edits_are_news() -> None:
    changes = fit_changes(around(EYE[:2], 20), np.full(40, ADDED), seed=0)
    assert changes.count == 3
    assert changes.bins(EYE[:3], [0.4, ADDED, DELETED]).tolist() == [0, 1, 2]


def test_no_items_are_in_no_bins() -> None:
    none = np.empty((0, 12), dtype=np.float32)
    novelty = Novelty(EYE, np.array([0.5]))
    changes = Changes(Topics(EYE[:2]), np.array([0.5]))
    assert Topics(EYE).bins(none).shape == novelty.bins(none).shape == (0,)
    assert changes.bins(none, []).shape == (0,)


def test_nothing_is_fitted_on_nothing() -> None:
    none = np.empty((0, 12), dtype=np.float32)
    with pytest.raises(ValueError, match="none"):
        fit_topics(none, seed=0)
    with pytest.raises(ValueError, match="two items"):
        fit_novelty(EYE[:1])
    with pytest.raises(ValueError, match="none"):
        fit_changes(none, [], seed=0)

import numpy as np
import pytest
from sklearn.metrics import ndcg_score

from pipelines.training.embedder.negatives import nearest
from pipelines.training.embedder.rank import measures


@pytest.mark.parametrize("seed", range(20))
def test_ndcg_is_what_scikit_learn_says(seed: int) -> None:
    random = np.random.default_rng(seed)
    relevant = random.random(30) < 0.3
    cosines = random.random(30)
    first = np.argsort(-cosines)[:10]
    found = measures(relevant[first], int(relevant.sum()))
    assert found["ndcg_10"] == pytest.approx(ndcg_score([relevant], [cosines], k=10), abs=1e-6)


def test_any_one_passage_answers() -> None:
    hits = np.zeros(10, dtype=bool)
    hits[[2, 6]] = True
    found = measures(hits, 12)
    assert (found["reciprocal_rank"], found["recall_5"], found["recall_10"]) == (0.333333, 1, 1)


def test_question_that_is_not_answered_scores_nothing() -> None:
    assert set(measures(np.zeros(10, dtype=bool), 1).values()) == {0.0}


def test_answer_on_the_sixth_place_is_not_among_five() -> None:
    hits = np.arange(10) == 5
    assert (measures(hits, 1)["recall_5"], measures(hits, 1)["recall_10"]) == (0.0, 1.0)


def test_negative_is_near_but_no_nearer_than_what_may_be_right() -> None:
    cosines = np.array([[0.80, 0.79, 0.70, 0.10, 0.75]])
    # 0 is right, 1 so near that it may be right, 2 of the same document.
    found = nearest(cosines, np.array([0]), [[0, 2]], 3)
    assert found.tolist() == [[4, 3, 1]]
    assert nearest(cosines, np.array([0]), [[0, 2]], 0).shape == (1, 0)

import numpy as np
import pytest

from pipelines.training.intervals import interval


def test_interval_covers_the_truth_as_often_as_it_says() -> None:
    random = np.random.default_rng(0)
    missed = 0
    for _ in range(300):
        shared = np.repeat(random.normal(0, 0.1, 6), 5)
        found = interval(shared + random.normal(0, 0.05, 30), [f"d{n // 5}" for n in range(30)])
        missed += not found.lower <= 0 <= found.upper
    # 5 % and three standard deviations; without the widening it is 16 %.
    assert missed <= 300 * 0.05 + 3 * (300 * 0.05 * 0.95) ** 0.5


def test_questions_of_one_document_do_not_count_as_many() -> None:
    differences = np.repeat([0.3, -0.1, 0.2, 0.0, 0.1], 20)
    together = interval(differences, [f"d{n // 20}" for n in range(100)])
    apart = interval(differences, [f"d{n}" for n in range(100)])
    assert together.upper - together.lower > 3 * (apart.upper - apart.lower)
    assert together.mean == apart.mean == pytest.approx(0.1)


def test_same_input_gives_the_same_interval() -> None:
    differences = np.linspace(-0.1, 0.3, 30)
    documents = [f"d{n % 7}" for n in range(30)]
    assert interval(differences, documents) == interval(differences, documents)


def test_questions_of_a_single_document_are_drawn_one_by_one() -> None:
    found = interval(np.linspace(-0.1, 0.3, 30), ["d"] * 30)
    assert -0.1 < found.lower < 0.1 < found.upper < 0.3


def test_no_difference_is_no_difference() -> None:
    found = interval(np.zeros(10), [f"d{n}" for n in range(10)])
    assert (found.lower, found.mean, found.upper) == (0, 0, 0)


def test_neither_order_of_questions_nor_names_of_documents_change_an_interval() -> None:
    random = np.random.default_rng(5)
    differences = random.normal(0.05, 0.3, 40)
    for documents in ([f"d{n // 4}" for n in range(40)], ["one"] * 40):
        found = interval(differences, documents)
        order = random.permutation(40)
        renamed = [f"z{documents[n][::-1]}" for n in order]
        assert interval(differences[order], renamed) == found
        assert found.documents == len(set(documents))


def test_interval_is_rounded_once_so_that_all_who_show_it_show_the_same() -> None:
    found = interval(np.array([0.0594999996] * 4), list("abcd"))
    assert found.to_dict()["mean"] == found.mean == 0.0595


def test_one_question_says_nothing() -> None:
    found = interval(np.array([0.5]), ["d"])
    assert (found.lower, found.mean, found.upper) == (-1, 0.5, 1)


@pytest.mark.parametrize("differences", [[], [0.1, float("nan"), 0.2]])
def test_nothing_and_what_is_no_number_have_no_interval(differences: list[float]) -> None:
    with pytest.raises(ValueError, match="an interval needs"):
        interval(np.array(differences), ["d"] * len(differences))

"""What becomes an item of a look: a question a day, a document by what changed in it."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from pipelines.drift import ADDED, DELETED
from pipelines.knowledge import AskedQuery
from pipelines.watch.changes import mark
from pipelines.watch.queries import drawn, first_days, once_a_day

START = datetime(2026, 3, 1, 8, tzinfo=UTC)
EAST, NORTH = np.eye(2, dtype=np.float32)


def asked(number: int, *, day: int = 0, same: bool = False) -> AskedQuery:
    vector = np.array([1 if same else number, 1], dtype=np.float32)
    return AskedQuery(f"q{number}", START + timedelta(days=day, minutes=number), vector, None)


def test_the_same_question_counts_once_a_day() -> None:
    some = [asked(n, day=n // 3, same=True) for n in range(6)]
    assert [one.id for one in once_a_day(some)] == ["q0", "q3"]
    assert len(once_a_day([asked(n) for n in range(6)])) == 6


def test_whole_days_are_compared_with_and_later_ones_are_new() -> None:
    some = [asked(n, day=n // 10) for n in range(40)]
    first, later = first_days(some, 15)
    assert len(first) == 15
    assert {one.at.day for one in first} == {1, 2}
    assert [one.id for one in later] == [f"q{n}" for n in range(20, 40)]
    assert first == sorted(first, key=lambda one: one.at)


def test_too_few_questions_are_none_to_compare_with() -> None:
    assert first_days([asked(n) for n in range(9)], 10) == ([], [])
    assert first_days([], 1) == ([], [])


def test_what_is_drawn_hangs_on_the_questions_alone() -> None:
    some = [asked(n) for n in range(50)]
    assert drawn(some, 10) == [one for one in drawn(some, 20) if one in drawn(some, 10)]
    assert drawn(some, 99) == some


@pytest.mark.parametrize(
    ("old", "new", "size", "vector"),
    [
        ({}, {"a": EAST}, ADDED, EAST),
        ({"a": EAST}, {}, DELETED, EAST),
        ({"a": EAST}, {"b": NORTH}, 1.0, NORTH),
        ({"a": EAST}, {"b": -EAST}, 2.0, -EAST),
        ({"a": EAST, "b": NORTH}, {"a": EAST, "c": NORTH}, 0.0, NORTH),
        ({"a": EAST}, {"a": EAST, "b": NORTH}, 1.0, NORTH),  # added to it: against the rest
        ({"a": EAST, "b": NORTH}, {"a": EAST}, 1.0, NORTH),
    ],
)
def test_a_document_is_marked_by_what_is_new_in_it(
    old: dict[str, np.ndarray], new: dict[str, np.ndarray], size: float, vector: np.ndarray
) -> None:
    found = mark("docs/a.md", old, new)
    assert found is not None
    assert found.size == pytest.approx(size)
    np.testing.assert_allclose(found.vector, vector, atol=1e-6)
    assert found.stored.shape == (3,)


def test_a_document_with_the_same_passages_is_not_marked() -> None:
    assert mark("docs/a.md", {"a": EAST}, {"a": EAST}) is None


def test_passages_that_point_apart_have_a_direction_all_the_same() -> None:
    found = mark("docs/a.md", {}, {"a": EAST, "b": -EAST})
    assert found is not None
    assert np.linalg.norm(found.vector) == pytest.approx(1)

"""What a fact says today: passages then and now, word by word."""

import string

import hypothesis.strategies as st
import pytest
from hypothesis import assume, given

from pipelines.training.generator.scores import holds
from pipelines.watch.facts import Fact, now, told

OLD = """## Carrying leave over

You may carry up to **five unused days** into the next leave year. Carried days must be used by
31 March; after that date they lapse. Whoever works in Utrecht has 29 days."""


@pytest.mark.parametrize(
    ("fact", "was", "is_now", "fresh"),
    [
        pytest.param("by 31 March", "31 March", "30 April", "by 30 April", id="two words"),
        pytest.param("29", "29 days", "30 days", "30", id="a number alone"),
        pytest.param("up to five unused days", "five", "six", "up to six unused days", id="a word"),
        pytest.param("29 days", "has 29 days", "has €1,050.50 a year", "€1,050.50 a year", id="end"),
        pytest.param("29", "Utrecht has 29 days", "Porto gets 31 days", "31", id="around it too"),
        pytest.param(
            "29", "Whoever works in Utrecht has 29 days.", "In Utrecht it is 31.", "31",
            id="a number in a sentence written anew",
        ),
        pytest.param(
            "by 31 March", "must be used by\n31 March; after that date they lapse",
            "lapse at the end of the year", "", id="gone",
        ),
    ],
)  # fmt: skip
def test_what_stands_where_the_fact_stood(fact: str, was: str, is_now: str, fresh: str) -> None:
    today = OLD.replace(was, is_now)
    assert today != OLD
    assert now(fact, OLD, [today]) == (fresh, today)


@pytest.mark.parametrize("fact", ["five unused days", "29", "by 31 March", "FIVE unused   days"])
def test_a_fact_that_stands_is_no_change_whatever_else_does(fact: str) -> None:
    today = OLD.replace("lapse", "are lost").replace("## Carrying", "# On carrying")
    assert now(fact, OLD, [today]) is None
    assert now(fact, OLD, ["Another passage.", today]) is None


def test_a_fact_that_was_never_there_is_no_change() -> None:
    assert now("thirty days", OLD, ["Something else."]) is None
    assert now("", OLD, [OLD]) is None
    assert now("29", OLD, []) is None


def test_the_passage_is_the_one_with_the_words_around_the_fact() -> None:
    start, _, end = OLD.partition("Carried days")
    rest = f"Carried days{end}".replace("31 March", "30 April")
    found = now("by 31 March", OLD, [start, "31 March is a holiday by law.", rest])
    assert found == ("by 30 April", rest)


def test_a_fact_that_moved_into_another_passage_still_stands() -> None:
    moved = "A table of the days a year: Leeds 28, Utrecht 29, Porto 27."
    rest = OLD.replace("Whoever works in Utrecht has 29 days.", "The table below says how many.")
    assert now("29", OLD, [rest, moved]) is None


@pytest.mark.parametrize(
    ("fact", "was", "is_now"),
    [
        ("29 days", "29 days", "twenty-nine days"),
        ("up to five unused days", "five", "5"),
        ("29", "has 29", "has Twenty nine"),
    ],
)
def test_a_number_in_words_is_no_change(fact: str, was: str, is_now: str) -> None:
    today = OLD.replace(was, is_now)
    assert today != OLD
    assert now(fact, OLD, [today]) is None


def test_a_value_that_stands_twice_and_changed_once_still_stands() -> None:
    passage = "Leeds has 28 days and Utrecht has 29 days."
    assert now("29", passage, ["Leeds has 29 days and Utrecht has 30 days."]) is None


@pytest.mark.parametrize(
    ("former", "fresh", "parts"),
    [
        ("by 31 March", "by 30 April", ("31 March", "30 April")),
        ("five unused days", "six unused days", ("five", "six")),
        ("29", "30", ("29", "30")),
        ("€1,050 a year", "€980 a year", ("1,050", "980")),
        ("two days", "two and a half days", ("two days", "two and a half days")),
        ("five days", "a week", ("five days", "a week")),
    ],
)
def test_the_words_that_tell_two_values_apart(
    former: str, fresh: str, parts: tuple[str, str]
) -> None:
    answer = f"In short: {former}.\nBecause: it is so.\nSee: [1]"
    both = told(answer, former, fresh)
    assert both is not None
    assert both[0].text == answer
    assert both[1].text == answer.replace(former, fresh)
    assert tuple(one.text[slice(*one.span)] for one in both) == parts


def test_the_number_of_a_citation_is_not_the_fact() -> None:
    both = told("See [2]: it is 2.", "2", "3")
    assert both is not None
    assert both[1].text == "See [2]: it is 3."
    assert told("See [2].", "2", "3") is None


def test_an_answer_without_the_fact_tells_nothing() -> None:
    assert told("In short: ask.", "29 days", "30 days") is None


WORDS = st.lists(
    st.text(string.ascii_lowercase, min_size=3, max_size=8), min_size=13, max_size=40, unique=True
)
VALUES = st.integers(1, 9999)
FORMS = st.sampled_from(["{}", "{} days", "€{} a month", "within {} weeks"])


@given(words=WORDS, form=FORMS, values=st.tuples(VALUES, VALUES), data=st.data())
def test_a_value_put_in_the_place_of_another_is_found(
    words: list[str], form: str, values: tuple[int, int], data: st.DataObject
) -> None:
    former, fresh = map(form.format, values)
    at = data.draw(st.integers(0, len(words)))
    then = " ".join([*words[:at], former, *words[at:]])
    today = " ".join([*words[:at], fresh, *words[at:]])
    assume(not holds(today, former))
    assert now(former, then, [" ".join(reversed(words)), today]) == (fresh, today)


@given(
    words=WORDS, form=FORMS, value=VALUES, other=st.lists(st.sampled_from("abcdefg"), max_size=30)
)
def test_whatever_is_said_today_stands_there_and_is_not_what_was_said(
    words: list[str], form: str, value: int, other: list[str]
) -> None:
    former = form.format(value)
    then = " ".join([*words[:7], former, *words[7:]])
    today = [" ".join(words[:9]), " ".join(other), " ".join([*words[3:], *other])]
    found = now(former, then, today)
    assert found is not None
    fresh, passage = found
    assert passage in today
    assert not holds(fresh, former)
    assert fresh == "" or holds(passage, fresh)
    if fresh:
        both = told(f"In short: {former}.", former, fresh)
        assert both is not None
        assert all(one.text[slice(*one.span)].strip() for one in both)


def test_a_fact_keeps_its_name_whatever_it_says_by_now() -> None:
    one, other = (
        Fact(example="e", question="q", answer="a", former="29", fresh=fresh, passage="p")
        for fresh in ("30", "31")
    )
    assert one.key == other.key

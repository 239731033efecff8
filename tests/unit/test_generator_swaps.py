import pytest

from pipelines.training.generator.scores import holds
from pipelines.training.generator.swaps import other_value, put_in_place, stands_in


@pytest.mark.parametrize(
    ("fact", "numbers"),
    [
        ("by 31 March", 1),
        ("09:30", 2),
        ("£2,500 a month", 2),
        ("10 days", 1),
        ("K1", 1),
        ("within 48 hours", 1),
    ],
)
def test_numbers_change_and_nothing_else(fact: str, numbers: int) -> None:
    for key in "abcdef":
        value = other_value(fact, key)
        assert value is not None
        assert value != fact
        assert len(value) == len(fact)
        differing = [(old, new) for old, new in zip(fact, value, strict=True) if old != new]
        assert 1 <= len(differing) <= numbers
        assert all(old.isdigit() and new in "123456789" for old, new in differing)


def test_days_and_times_stay_days_and_times() -> None:
    dates = {other_value(f"{day:02} March", key) for day in range(1, 32) for key in "abc"}
    assert all(1 <= int(date.split()[0]) <= 31 for date in dates if date)
    times = {other_value(f"{hour:02}:30", key) for hour in range(24) for key in "abc"}
    assert all(0 <= int(time.split(":")[0]) <= 23 for time in times if time)


@pytest.mark.parametrize("fact", ["", "two working days", "0", "٣ days"])
def test_a_fact_without_a_number_is_not_swapped(fact: str) -> None:
    assert other_value(fact, "k") is None


def test_value_takes_the_place_of_the_former_one_in_its_own_spelling() -> None:
    text = "Up to 24  Months, not 124 months; 24\nmonths are 24.5 or 24 weeks."
    assert put_in_place(text, "24 months", "21 months") == (
        "Up to 21  Months, not 124 months; 21\nmonths are 24.5 or 24 weeks."
    )


@pytest.mark.parametrize(
    ("text", "fact", "stands"),
    [
        ("It is 29 days.", "29 days", True),
        ("It is 29.", "29", True),
        ("It is 29.5.", "29", False),
        ("It is 1,290.", "290", False),
        ("It is 129.", "29", False),
        ("It is 29th.", "29", False),
        ("| Leeds | €185 |", "€185", True),
        ("anything", "", False),
        ("c++ (v2)?", "c++ (v2)", True),
    ],
)
def test_fact_stands_whole_or_not_at_all(text: str, fact: str, stands: bool) -> None:
    assert stands_in(text, fact) is stands


def test_the_number_of_a_citation_stays() -> None:
    assert put_in_place("In short: 2.\nSee: [2]", "2", "1") == "In short: 1.\nSee: [2]"
    assert put_in_place("[2 days] or [2]", "2 days", "1 days") == "[1 days] or [2]"
    assert not stands_in("See: [2]", "2")


def test_former_value_is_gone_where_it_was_swapped() -> None:
    value = other_value("2,500 crowns", "k")
    assert value is not None
    text = put_in_place("You pay 2,500 crowns, I said 2,500 crowns.", "2,500 crowns", value)
    assert holds(text, value)
    assert not holds(text, "2,500 crowns")

"""What is expected, and what was found, in words that a person reads."""

import math
from collections.abc import Callable, Mapping
from typing import Any

LONGEST = 200
"""Characters of a value, and of anything said about it."""

_SUBJECTS = {
    "expect_column_values_to_be_between": "{}",
    "expect_column_value_lengths_to_be_between": "length of {}",
    "expect_column_max_to_be_between": "greatest {}",
    "expect_column_mean_to_be_between": "mean of {}",
    "expect_column_median_to_be_between": "median of {}",
    "expect_column_min_to_be_between": "least {}",
    "expect_column_stdev_to_be_between": "standard deviation of {}",
    "expect_column_sum_to_be_between": "sum of {}",
    "expect_column_proportion_of_non_null_values_to_be_between": "share of rows with {}",
    "expect_column_proportion_of_unique_values_to_be_between": "share of different {}",
    "expect_column_unique_value_count_to_be_between": "number of different {}",
    "expect_table_row_count_to_be_between": "number of rows",
}
"""What lies between two bounds, by type."""


def number(value: float) -> str:
    """A number as people write it, five digits of it where it has a fraction."""
    if isinstance(value, int):
        return str(value)
    if math.isfinite(value) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return f"{value:.5g}"


def shown(value: object) -> str:
    """A value in words, without what could not be printed, and never long."""
    value = value.item() if hasattr(value, "item") else value
    if value is None or value != value:  # noqa: PLR0124 (NaN)
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return number(value)
    if isinstance(value, list | tuple | set | frozenset):
        return bounded(", ".join(shown(one) for one in list(value)[:LONGEST]))
    return bounded(str(value))


def bounded(text: str) -> str:
    """At most ``LONGEST`` characters on one line."""
    if len(text) > LONGEST:
        text = text[: LONGEST - 1] + "…"
    return "".join(c if c.isprintable() else "?" for c in text)


def expected(kind: str, kwargs: Mapping[str, Any]) -> str:
    """An expectation in words: ``mojibake_share at most 0.01``.

    Args:
        kind: Its type, as Great Expectations calls it.
        kwargs: Its arguments, whatever they hold: they need not have been checked.
    """
    say = _between if kind in _SUBJECTS else _SAYINGS.get(kind, _plainly)
    mostly = kwargs.get("mostly", 1)
    share = f", in {shown(mostly * 100)} % of the rows" if _is_share(mostly) else ""
    return bounded(say(kind, kwargs)) + share


def _is_share(mostly: object) -> bool:
    return isinstance(mostly, int | float) and mostly < 1


def _between(kind: str, kwargs: Mapping[str, Any]) -> str:
    subject = _SUBJECTS[kind].format(kwargs.get("column"))
    least, most = kwargs.get("min_value"), kwargs.get("max_value")
    above, below = kwargs.get("strict_min"), kwargs.get("strict_max")
    if least is not None and most is not None:
        if least == most:
            return f"{subject} exactly {shown(least)}"
        if not (above or below):
            return f"{subject} between {shown(least)} and {shown(most)}"
    bounds = [
        f"{word} {shown(bound)}"
        for word, bound in (
            ("above" if above else "at least", least),
            ("below" if below else "at most", most),
        )
        if bound is not None
    ]
    return f"{subject} {' and '.join(bounds)}"


def _column(words: str, argument: str = "") -> Callable[[str, Mapping[str, Any]], str]:
    """Says ``words`` about the column, with an argument where they have a second gap."""

    def say(kind: str, kwargs: Mapping[str, Any]) -> str:
        del kind
        return words.format(shown(kwargs.get("column")), shown(kwargs.get(argument)))

    return say


def _in_set(kind: str, kwargs: Mapping[str, Any]) -> str:
    values = kwargs.get("value_set")
    several = isinstance(values, list) and len(values) > 1
    if kind.endswith("not_be_in_set"):
        return f"{kwargs.get('column')} {'none of' if several else 'not'} {shown(values)}"
    return f"{kwargs.get('column')} {'one of ' if several else ''}{shown(values)}"


def _plainly(kind: str, kwargs: Mapping[str, Any]) -> str:
    """Type and arguments as they are, without what all have in common."""
    rest = ", ".join(f"{key} {shown(value)}" for key, value in kwargs.items() if key != "mostly")
    return f"{kind.removeprefix('expect_').replace('_', ' ')}: {rest}"


_SAYINGS: dict[str, Callable[[str, Mapping[str, Any]], str]] = {
    "expect_column_values_to_be_in_set": _in_set,
    "expect_column_values_to_not_be_in_set": _in_set,
    "expect_column_values_to_be_null": _column("nothing in {}"),
    "expect_column_values_to_not_be_null": _column("something in {}"),
    "expect_column_values_to_be_unique": _column("{} there once only"),
    "expect_column_values_to_match_regex": _column("{} matches {}", "regex"),
    "expect_column_values_to_not_match_regex": _column("{} does not match {}", "regex"),
    "expect_column_value_lengths_to_equal": _column("length of {} exactly {}", "value"),
    "expect_table_row_count_to_equal": _column("number of rows exactly {1}", "value"),
}
"""How to say a type, where it is neither of bounds nor rare."""

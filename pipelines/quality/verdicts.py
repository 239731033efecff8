"""From what Great Expectations says about a table to verdicts, in words without the text of any."""

from collections.abc import Mapping, Sequence
from typing import Any

from pipelines.errors import AuditFailed
from pipelines.quality.columns import KEYS
from pipelines.quality.kinds import columns_of
from pipelines.quality.records import Expectation, Grain, Suite, Verdict
from pipelines.quality.suites import place
from pipelines.quality.words import bounded, shown

Table = Mapping[str, list[Any]]
"""What was judged: plain values by column, None for null."""

_ROWS = {
    Grain.DOCUMENTS: ("document", "documents"),
    Grain.CHUNKS: ("passage", "passages"),
    Grain.PUBLICATION: ("source", "sources"),
}
_THEIR_WORDS = frozenset({"title", "owner"})
"""Columns that hold a document's own words, which no verdict repeats."""
_TO_BE_NULL = "expect_column_values_to_be_null"
_COUNTS_NULLS = "expect_column_proportion_of_non_null_values_to_be_between"


def verdict_on(suite: Suite, one: Expectation, result: Any, table: Table) -> Verdict:
    """What became of an expectation.

    Args:
        suite: The expectation is of it.
        one: The expectation.
        result: Great Expectations' result for it; None where there is none.
        table: What was judged.

    Raises:
        AuditFailed: There is no result, or it is that something was raised.
    """
    if result is None:
        raise not_checked(suite, one.name, "it was given no result")
    raised = _raised(result.exception_info)
    if raised:
        raise not_checked(suite, one.name, _why(raised, one, table))
    keys = table[KEYS[suite.grain]]
    failed: dict[str, str] = {}
    if one.by_row:
        rows = _rows(suite, one, result)
        passed = bool(result.success)
        observed = _observed(one, rows, table, _counted(suite.grain, len(keys)))
        failed = {str(keys[row]): _value_at(one, row, table) for row in rows if not passed}
    else:
        passed, observed = _as_a_whole(one, result, table)
    return Verdict(
        suite.grain, one.name, one.severity, one.expected, passed, len(keys), observed, failed
    )


def nothing_to_judge(suite: Suite, one: Expectation) -> Verdict:
    """The verdict on a table without rows."""
    observed = _counted(suite.grain, 0)
    return Verdict(suite.grain, one.name, one.severity, one.expected, True, 0, observed)


def not_checked(suite: Suite, name: str, why: str) -> AuditFailed:
    """The error that says of an expectation that nothing is known."""
    mend = (
        "A file of your own in place of the built-in suite can do without it; please report it."
        if suite.path is None
        else "Mend or remove the expectation."
    )
    return AuditFailed(
        f"{place(suite, name)} could not be checked: {why}. Nothing is published unchecked;"
        " readers go on with the newest publication.",
        hint=mend,
    )


def _rows(suite: Suite, one: Expectation, result: Any) -> list[int]:
    """Which rows fail, all of them."""
    rows = result.result.get("unexpected_index_list")
    if rows is None or len(rows) != result.result.get("unexpected_count"):
        raise not_checked(suite, one.name, "the rows that fail were not all named")
    return list(rows)


def _counted(grain: Grain, count: int) -> str:
    return f"{count} {_ROWS[grain][count != 1]}"


def _observed(one: Expectation, rows: Sequence[int], table: Table, counted: str) -> str:
    """How many fail, with an example; where none does, what was judged."""
    if rows:
        example = _value_at(one, rows[0], table)
        telling = example not in {"true", "false", "nothing"}
        return f"{len(rows)} of {counted}" + (f", e.g. {example}" if telling else "")
    there = _there(one, table)
    if not there and one.type != _TO_BE_NULL:
        return f"{counted}, none has a value"
    if not there or not all(_is_number(value) for value in there):
        return counted
    least, most = shown(min(there)), shown(max(there))
    return f"{counted}, {least}" + ("" if least == most else f" to {most}")


def _there(one: Expectation, table: Table) -> list[Any]:
    """What is not null in the columns of an expectation."""
    values = (value for name in columns_of(one.type, one.kwargs) for value in table[name])
    return [value for value in values if value is not None and value == value]  # noqa: PLR0124


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _value_at(one: Expectation, row: int, table: Table) -> str:
    """What a row has in the columns of an expectation, in words."""
    names = columns_of(one.type, one.kwargs)
    if len(names) == 1:
        return _told(names[0], table[names[0]][row])
    return bounded(", ".join(f"{name} {_told(name, table[name][row])}" for name in names))


def _told(column: str, value: object) -> str:
    if column in _THEIR_WORDS and isinstance(value, str):
        return f"a text of {_characters(value)}"
    return shown(value)


def _characters(text: str) -> str:
    return "1 character" if len(text) == 1 else f"{len(text)} characters"


def _as_a_whole(one: Expectation, result: Any, table: Table) -> tuple[bool, str]:
    """Whether an expectation of a whole column holds, and what was there."""
    names = columns_of(one.type, one.kwargs)
    if names and one.type != _COUNTS_NULLS and not _there(one, table):
        return True, "none has a value"
    value = result.result.get("observed_value")
    if isinstance(value, dict):
        value = value.get("values", value)
    if value is None:
        off = (("unexpected_count", "not expected"), ("missing_count", "missing"))
        counts = [f"{n} {word}" for key, word in off if (n := result.result.get(key))]
        return bool(result.success), ", ".join(counts) or "none amiss"
    if _THEIR_WORDS.intersection(names) and not _is_number(value):
        return bool(result.success), "not shown"
    return bool(result.success), shown(value)


def _raised(info: Mapping[str, Any]) -> list[str]:
    """What was raised for an expectation, or for a metric that it needs."""
    each = [info] if "raised_exception" in info else info.values()
    return [str(one["exception_message"]) for one in each if one["raised_exception"]]


def _why(raised: Sequence[str], one: Expectation, table: Table) -> str:
    """The reason, as far as it quotes no text: an exception may hold what it stumbled over."""
    names = columns_of(one.type, one.kwargs)
    where = f"column {', '.join(names)}" if names else "the table"
    if any(isinstance(value, str) for value in _there(one, table)):
        return f"{one.type} cannot judge {where}, which holds text"
    return f"{one.type} on {where}: {bounded(raised[0])}"

"""What may be wrong in an entry of a suite, as far as it can be told without running it."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from pipelines.config import nearest
from pipelines.quality.columns import COLUMNS
from pipelines.quality.kinds import AS_A_WHOLE, BY_ROW, NOT_HERE, column_arguments, columns_of
from pipelines.quality.records import Grain, Severity
from pipelines.quality.words import shown

_KEYS = ("type", "kwargs", "severity", "meta", "notes", "description", "id")
_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
_MAX_NAME = 80

_BOUNDS = ("min_value", "max_value")
_ROWS = {Grain.DOCUMENTS: "document", Grain.CHUNKS: "passage", Grain.PUBLICATION: "source"}

_NOT_ARGUMENTS = {
    # Great Expectations would run a condition as code.
    "row_condition": "conditions are not supported; a null in the column is not judged",
    "condition_parser": "conditions are not supported; a null in the column is not judged",
    # Great Expectations would let these pass, over what the entry or the audit says.
    "severity": "belongs beside kwargs",
    "meta": "belongs beside kwargs",
    "notes": "belongs beside kwargs",
    "description": "belongs beside kwargs",
    "id": "belongs beside kwargs",
    "result_format": "the audit decides",
    "catch_exceptions": "the audit decides",
    "rendered_content": "the audit decides",
    "batch_id": "the audit decides",
    "windows": "not supported",
    "library_metadata": "not supported",
}
_JUDGES_HALF = {
    "expect_column_pair": "either_value_is_missing",
    "expect_compound": "any_value_is_missing",
    "expect_multicolumn": "any_value_is_missing",
    "expect_select": "any_value_is_missing",
}
"""Types of several columns, by how they begin -> the ``ignore_row_if`` that judges no null."""


def problems_of(entries: Sequence[Any], grain: Grain) -> Iterator[str]:
    """Every problem of the entries of a suite, each with the number and name of its entry."""
    names = Counter(_name(entry) for entry in entries)
    for position, entry in enumerate(entries, 1):
        name = _name(entry)
        where = f"expectation {position}" + (f" ({shown(name)})" if name else "")
        found = list(_shape(entry)) or list(_content(entry, grain))
        if name and names[name] > 1:
            found.append("meta.name: there is another of that name")
        yield from (f"{where}: {problem}" for problem in found)


def _name(entry: Any) -> str | None:
    meta = entry.get("meta") if isinstance(entry, dict) else None
    name = meta.get("name") if isinstance(meta, dict) else None
    return name if isinstance(name, str) else None


def _shape(entry: Any) -> Iterator[str]:
    """Whether it has its parts, each of the right type."""
    if not isinstance(entry, dict):
        yield "must be an object with the keys type, kwargs, severity and meta"
        return
    yield from _unknown(entry.keys() - set(_KEYS), _KEYS, "unknown key")
    if not isinstance(entry.get("type"), str):
        yield "type: must name an expectation"
    if not isinstance(entry.get("kwargs"), dict):
        yield "kwargs: must be an object"
    if not isinstance(entry.get("meta"), dict):
        yield 'meta: must be an object with a "name"'


def _content(entry: dict[str, Any], grain: Grain) -> Iterator[str]:
    yield from _naming(entry)
    yield from _type(entry["type"])
    yield from _severity(entry, grain)
    yield from _columns(entry["type"], entry["kwargs"], grain)
    yield from _arguments(entry["type"], entry["kwargs"])


def _naming(entry: dict[str, Any]) -> Iterator[str]:
    name = _name(entry)
    if name is None:
        yield "meta.name: missing; it is what quarantine and reports show"
    elif not _NAME.fullmatch(name) or len(name) > _MAX_NAME:
        yield f"meta.name: must be snake_case, at most {_MAX_NAME} characters"


def _type(kind: str) -> Iterator[str]:
    if kind in NOT_HERE:
        yield f"type {kind}: cannot be used here: {NOT_HERE[kind]}"
    else:
        yield from _unknown({kind} - BY_ROW - AS_A_WHOLE, BY_ROW | AS_A_WHOLE, "unknown type")


def _severity(entry: dict[str, Any], grain: Grain) -> Iterator[str]:
    allowed = [severity.value for severity in Severity]
    severity = entry.get("severity")
    if severity is None:
        yield f"severity: missing; must be {' or '.join(allowed)}"
    elif severity not in allowed:
        yield f"severity {shown(severity)}: must be {' or '.join(allowed)}"
    elif severity == Severity.CRITICAL and entry["type"] in AS_A_WHOLE:
        row = _ROWS[grain]
        yield (
            f"severity critical: {entry['type']} judges all of them together and cannot say which"
            f" {row} fails; make it a warning, or use one of expect_column_values_..."
        )


def _columns(kind: str, kwargs: dict[str, Any], grain: Grain) -> Iterator[str]:
    missing = [key for key in column_arguments(kind) if key not in kwargs]
    if missing and kind in BY_ROW | AS_A_WHOLE:
        yield f"kwargs: {' and '.join(missing)} missing"
    known = COLUMNS[grain]
    for column in columns_of(kind, kwargs):
        if not isinstance(column, str):
            yield "kwargs: a column must be given by its name"
        else:
            yield from _unknown({column} - known.keys(), known, f"{grain} have no column")


def _arguments(kind: str, kwargs: dict[str, Any]) -> Iterator[str]:
    yield from (f"kwargs.{key}: {why}" for key, why in _NOT_ARGUMENTS.items() if key in kwargs)
    if any(isinstance(v, dict) and "$PARAMETER" in v for v in kwargs.values()):
        yield "kwargs: $PARAMETER: nobody would fill it in; write the value"
    yield from _bounds(kwargs)
    yield from _patterns(kwargs)
    for begins, wanted in _JUDGES_HALF.items():
        if kind.startswith(begins) and kwargs.get("ignore_row_if") != wanted:
            yield f'kwargs.ignore_row_if: must be "{wanted}", for a null is never judged'


def _bounds(kwargs: dict[str, Any]) -> Iterator[str]:
    given = [kwargs[key] for key in _BOUNDS if kwargs.get(key) is not None]
    if any(isinstance(bound, bool) or not isinstance(bound, int | float) for bound in given):
        yield "kwargs: min_value and max_value must be numbers"
    elif len(given) == 2 and given[0] > given[1]:
        yield f"kwargs: min_value {shown(given[0])} is above max_value {shown(given[1])}"


def _patterns(kwargs: dict[str, Any]) -> Iterator[str]:
    listed = kwargs.get("regex_list")
    for pattern in [kwargs.get("regex"), *(listed if isinstance(listed, list) else [])]:
        try:
            re.compile(pattern or "")
        except (re.error, TypeError) as error:
            yield f"kwargs: regex {shown(pattern)}: {error}"


def _unknown(found: Iterable[str], known: Iterable[str], what: str) -> Iterator[str]:
    known = sorted(known)
    for name in sorted(found):
        near = nearest(name, known)
        yield f"{what} {shown(name)}" + (f"; did you mean {near}?" if near else "")

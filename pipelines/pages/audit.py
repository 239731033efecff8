"""One audit as one page: what was expected, what was there, and how it went before."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pipelines.pages.html import moment, number, rendered
from pipelines.pages.sparkline import Sparkline, sparkline
from pipelines.quality.columns import PUBLICATION


def audit_page(data: Mapping[str, Any]) -> str:
    """A page of HTML that asks nothing of any server: styles inside, no scripts, no fonts.

    Args:
        data: As ``AuditReport.to_dict`` gives it; with ``scope`` = "changes" where no more than
            what a publication changed was checked.
    """
    verdicts = failing_first(data["verdicts"])
    return rendered(
        "audit.html",
        data=data,
        changes_only=is_of_changes(data),
        sentence=outcome(data),
        at=moment(datetime.fromisoformat(data["at"])),
        verdicts=verdicts,
        failing=[v for v in verdicts if v["rows"]],
        sources=[_source(name, data) for name in sorted(data["measures"])],
    )


def failing_first(verdicts: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """What failed critically, what failed as a warning, then the rest, each in its order."""
    return sorted(verdicts, key=lambda v: (v["passed"], v["severity"] != "critical"))


def each_once(verdicts: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Passages are judged before and after they are written; of two verdicts the one that fails."""
    found: dict[tuple[str, str, str], Mapping[str, Any]] = {}
    for verdict in verdicts:
        key = (verdict["grain"], verdict["expectation"], verdict["severity"])
        if key not in found or not verdict["passed"]:
            found[key] = verdict
    return list(found.values())


def outcome(data: Mapping[str, Any]) -> str:
    """What came of an audit, in one sentence; takes what ``audit_page`` takes."""
    failed = [v for v in data["verdicts"] if not v["passed"]]
    critical = _expectations(v for v in failed if v["severity"] == "critical")
    warned = _expectations(v for v in failed if v["severity"] != "critical")
    of_all = f"of {_expectations(data['verdicts'])} expectations"
    also = f", {warned} failed as a warning" if warned else ""
    if data["ok"] and critical:
        return f"Passed: what failed {critical} {of_all} critically is in quarantine{also}."
    if data["ok"] and warned:
        return f"Passed: {warned} {of_all} failed, as a warning."
    if data["ok"]:
        return f"Passed: all {_expectations(data['verdicts'])} expectations hold."
    if is_of_changes(data):
        return f"Let through: {critical} {of_all} failed critically{also}."
    return f"Refused: {critical} {of_all} failed critically{also}."


def is_of_changes(data: Mapping[str, Any]) -> bool:
    """Whether no more was checked than what a publication changed, before it was published."""
    return data.get("scope") == "changes"


def _expectations(verdicts: Iterable[Mapping[str, Any]]) -> int:
    return len({(v["grain"], v["expectation"]) for v in verdicts})


@dataclass(frozen=True, slots=True)
class _Measure:
    """One number of a source, now and over the last publications."""

    name: str
    what: str
    now: str
    line: Sparkline


@dataclass(frozen=True, slots=True)
class _Source:
    name: str
    measures: tuple[_Measure, ...]
    silent: tuple[str, ...]
    """Measures that had no value, now or before."""


def _source(name: str, data: Mapping[str, Any]) -> _Source:
    now = data["measures"][name]
    before = [h for h in data["history"] if h["number"] < data["publication"]]
    series = {
        column: [*(h["measures"].get(name, {}).get(column) for h in before), now[column]]
        for column in _in_order(now)
    }
    numbers = [*(h["number"] for h in before), data["publication"]]
    measures = tuple(
        _Measure(
            column,
            PUBLICATION.get(column, "").partition(", or null")[0],
            number(values[-1]),
            sparkline(values, numbers),
        )
        for column, values in series.items()
        if any(value is not None for value in values)
    )
    shown = {measure.name for measure in measures}
    return _Source(name, measures, tuple(column for column in series if column not in shown))


def _in_order(columns: Mapping[str, Any]) -> list[str]:
    """Known columns as the suite's description has them, then the others."""
    return [c for c in PUBLICATION if c in columns] + [c for c in columns if c not in PUBLICATION]

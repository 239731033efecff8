"""One audit as one page: what was expected, what was there, and how it went before."""

import base64
import functools
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.pages.sparkline import Sparkline, sparkline
from pipelines.quality.columns import PUBLICATION

if TYPE_CHECKING:
    from jinja2 import Template

HERE = Path(__file__).parent


def audit_page(data: Mapping[str, Any]) -> str:
    """A page of HTML that asks nothing of any server: styles inside, no scripts, no fonts.

    Args:
        data: As ``AuditReport.to_dict`` gives it; with ``scope`` = "changes" where no more than
            what a publication changed was checked.
    """
    css = (HERE / "page.css").read_text("utf-8")
    verdicts = failing_first(data["verdicts"])
    return _template().render(
        css=css,
        policy=_policy(css),
        data=data,
        changes_only=is_of_changes(data),
        sentence=outcome(data),
        at=_moment(data["at"]),
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


def number(value: float | None) -> str:
    """A number as people read it; a dash for None."""
    if value is None:
        return "-"
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"


def _moment(at: str) -> str:
    return f"{datetime.fromisoformat(at).astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _policy(css: str) -> str:
    """Nothing may be loaded, sent or run; these very styles may be applied."""
    digest = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


@functools.cache
def _template() -> "Template":
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_printable,
    )
    return environment.get_template("audit.html")


def _printable(value: Any) -> Any:
    """Names come from other people: what cannot be seen in them is spelled out."""
    if not isinstance(value, str) or hasattr(value, "__html__"):
        return value
    return "".join(c if c.isprintable() else _spelled(c) for c in value)


def _spelled(char: str) -> str:
    return char.encode("unicode_escape", "surrogatepass").decode("ascii")

"""Verdicts of several batches as one, and in words."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from pipelines.quality.records import Verdict

SHOWN = 20
"""Failing rows that a report names."""


def merged(before: Sequence[Verdict], more: Iterable[Verdict]) -> tuple[Verdict, ...]:
    """The verdicts of two sets of batches, one for each expectation and severity, in order."""
    whole = {(v.grain, v.expectation, v.severity): v for v in before}
    for verdict in more:
        key = (verdict.grain, verdict.expectation, verdict.severity)
        whole[key] = _both(whole[key], verdict) if key in whole else verdict
    return tuple(whole.values())


def _both(one: Verdict, other: Verdict) -> Verdict:
    failed = {**one.failed, **other.failed}
    checked = one.checked + other.checked
    if failed:
        some = next(iter(failed.values()))
        observed = f"{len(failed)} of {checked}, e.g. {some}"
    else:
        observed = one.observed if not one.passed else other.observed
    return replace(
        other, passed=one.passed and other.passed, checked=checked, observed=observed, failed=failed
    )


def described(verdict: Verdict) -> dict[str, Any]:
    """For JSON and pages; of the failing rows the first ``SHOWN``, and how many there are."""
    return {
        "grain": verdict.grain.value,
        "expectation": verdict.expectation,
        "severity": verdict.severity.value,
        "expected": verdict.expected,
        "passed": verdict.passed,
        "checked": verdict.checked,
        "observed": verdict.observed,
        "failed": len(verdict.failed),
        "rows": dict(list(verdict.failed.items())[:SHOWN]),
    }

"""Has Great Expectations judge tables by suites; the only module that imports it."""

import copy
import functools
import threading
import warnings
from typing import Any

import numpy as np

from pipelines import quiet
from pipelines.quality.columns import KEYS
from pipelines.quality.kinds import columns_of
from pipelines.quality.records import Columns, Expectation, Suite, Suites, Verdict
from pipelines.quality.suites import broken, place
from pipelines.quality.verdicts import Table, not_checked, nothing_to_judge, verdict_on
from pipelines.quality.words import bounded

_FORMAT = {
    "result_format": "COMPLETE",
    "partial_unexpected_count": 0,
    "return_unexpected_index_query": False,
}
_LOCK = threading.Lock()
"""One validation at a time: Great Expectations has one current project in a process."""


def lint_suites(suites: Suites) -> None:
    """Has Great Expectations build every expectation, and sees that it drops none.

    Raises:
        ConfigError: It refuses some; the message lists them all.
    """
    problems: list[str] = []
    with _LOCK:
        for suite in (suites.documents, suites.chunks, suites.publication):
            problems += _build(suite)[1]
    if problems:
        raise broken(problems)


def validate(suite: Suite, columns: Columns) -> tuple[Verdict, ...]:
    """Judges a table by a suite.

    Nulls (None, and NaN among numbers) are not judged. An empty table passes, and Great
    Expectations is not imported for it.

    Args:
        suite: What is expected.
        columns: The table, with the grain's key and every column that the suite names; lists or
            arrays ``(n,)``.

    Returns:
        One verdict an expectation, in their order.

    Raises:
        ConfigError: Great Expectations refuses an expectation.
        AuditFailed: One could not be checked, so that nothing is known.
    """
    count = len(columns[KEYS[suite.grain]])
    if not count:
        return tuple(nothing_to_judge(suite, one) for one in suite.expectations)
    table = _table(suite, columns)
    with _LOCK:
        results = _results(suite, table)
    return tuple(verdict_on(suite, one, results.get(one.name), table) for one in suite.expectations)


@functools.cache
def _library() -> Any:
    """Great Expectations, imported once and without its noise."""
    quiet.silence()
    with warnings.catch_warnings():
        # It imports a module that is on its way out of Python.
        warnings.simplefilter("ignore", DeprecationWarning)
        import great_expectations
    return great_expectations


@functools.cache
def _door() -> Any:
    """Where it takes data frames: a context in memory, without progress bars, and what it owns."""
    context = _library().get_context(mode="ephemeral")
    from great_expectations.data_context.types.base import ProgressBarsConfig

    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    asset = context.data_sources.add_pandas("audit").add_dataframe_asset("table")
    return context, asset.add_batch_definition_whole_dataframe("rows")


def _build(suite: Suite) -> tuple[Any, list[str]]:
    """A suite as Great Expectations has it, and what it refused of it.

    Its own loader logs what it cannot build and goes on without: here it is one by one.
    """
    library = _library()
    from great_expectations.exceptions.exceptions import GreatExpectationsError

    built, refused = [], {}
    for one in suite.expectations:
        try:
            built.append(_build_one(one))
        except (GreatExpectationsError, ValueError, TypeError) as error:
            refused[one.name] = _refusal(error)
    whole = library.ExpectationSuite(name=suite.grain.value, expectations=built)
    kept = {(e.meta["name"], e.severity.value) for e in whole.expectations}
    for one in suite.expectations:
        if (one.name, one.severity.value) not in kept:
            refused.setdefault(one.name, "Great Expectations drops it, or its severity")
    return whole, [f"{place(suite, name)}: {why}" for name, why in refused.items()]


def _build_one(one: Expectation) -> Any:
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration

    return ExpectationConfiguration(
        type=one.type,
        kwargs=copy.deepcopy(dict(one.kwargs)),
        meta={"name": one.name},
        severity=one.severity.value,  # type: ignore[arg-type]
    ).to_domain_obj()


def _refusal(error: Exception) -> str:
    """What pydantic found, by argument; else the first line of what was said."""
    if not hasattr(error, "errors"):
        return bounded(str(error).partition("\n")[0])
    found = {".".join(map(str, e["loc"])): e["msg"] for e in error.errors()}
    return bounded("; ".join(f"kwargs.{where}: {what}" for where, what in found.items()))


def _table(suite: Suite, columns: Columns) -> Table:
    """The columns that a suite needs, as plain values."""
    key = KEYS[suite.grain]
    named = {key: suite.expectations[0].name}
    for one in suite.expectations:
        named |= dict.fromkeys(columns_of(one.type, one.kwargs), one.name)
    for column, expectation in named.items():
        if column not in columns:
            raise not_checked(suite, expectation, f"no column {column} was computed")
    table = {name: columns[name] for name in named}
    return {
        name: values.tolist() if isinstance(values, np.ndarray) else list(values)
        for name, values in table.items()
    }


def _results(suite: Suite, table: Table) -> dict[str, Any]:
    """Result by name of expectation, from one validation."""
    whole, problems = _build(suite)
    if problems:
        raise broken(problems)
    frame = _frame(table)
    # Infinite values have no mean; that is the result, and no reason to warn.
    with np.errstate(all="ignore"):
        batch = _door()[1].get_batch({"dataframe": frame})
        results = batch.validate(whole, result_format=dict(_FORMAT)).results
    return {result.expectation_config.meta["name"]: result for result in results}


def _frame(table: Table) -> Any:
    """A data frame of plain objects: with None for null, whole numbers and truth stay what they are."""
    import pandas as pd  # type: ignore[import-untyped]

    columns = {name: [_encodable(value) for value in values] for name, values in table.items()}
    return pd.DataFrame(columns, dtype="object")


def _encodable(value: Any) -> Any:
    """A text without halves of surrogate pairs, over which the data frame's fingerprint fails."""
    if not isinstance(value, str) or value.isascii():
        return value
    return value.encode("utf-8", "backslashreplace").decode()

"""The types of expectations that suites may use are told apart rightly, and all can be judged."""

from typing import Any

import pytest

from pipelines.quality import validate as module
from pipelines.quality.kinds import AS_A_WHOLE, BY_ROW, NOT_HERE, column_arguments
from pipelines.quality.records import Expectation, Grain, Severity, Suite


def test_types_are_those_of_great_expectations() -> None:
    module._library()
    from great_expectations.expectations import expectation, registry

    names = set(registry.list_registered_expectation_implementations())
    assert BY_ROW | AS_A_WHOLE | NOT_HERE.keys() == names
    rows = (
        expectation.ColumnMapExpectation,
        expectation.ColumnPairMapExpectation,
        expectation.MulticolumnMapExpectation,
    )
    for name in BY_ROW | AS_A_WHOLE:
        found = registry.get_expectation_impl(name)
        assert issubclass(found, rows) is (name in BY_ROW), name
        assert set(column_arguments(name)) == {
            field for field in found.__fields__ if field.startswith("column")
        }, name


NEEDED: dict[str, dict[str, Any]] = {
    "between": {"min_value": 0},
    "_pair_": {"ignore_row_if": "either_value_is_missing"},
    "multi": {"ignore_row_if": "any_value_is_missing"},
    "compound": {"ignore_row_if": "any_value_is_missing"},
    "select": {"ignore_row_if": "any_value_is_missing"},
    "in_set": {"value_set": [1]},
    "n_set": {"value_set": [1]},
    "l_set": {"value_set": [1]},
    "pair_values_to_be_in_set": {"value_set": ..., "value_pairs_set": [[1, 1]]},
    "kl_divergence": {
        "partition_object": {"bins": [0, 1, 9], "weights": [0.5, 0.5]},
        "threshold": 9,
    },
    "quantile": {
        "min_value": ...,
        "quantile_ranges": {"quantiles": [0.5], "value_ranges": [[0, 9]]},
    },
    "to_equal": {"value": 1},
    "z_scores": {"threshold": 1, "double_sided": True},
    "match_regex": {"regex": "a"},
    "regex_list": {"regex": ..., "regex_list": ["a"]},
    "strftime": {"strftime_format": "%Y"},
    "sum_to_equal": {"value": ..., "sum_total": 1},
    "equal_set": {"value": ..., "value_set": [1]},
}


@pytest.mark.parametrize("kind", sorted(BY_ROW | AS_A_WHOLE))
def test_every_type_that_suites_may_use_can_be_judged(kind: str) -> None:
    kwargs: dict[str, Any] = {}
    for part, arguments in NEEDED.items():
        kwargs |= arguments if part in kind else {}
    texts = any(part in kind for part in ("lengths", "regex", "strftime", "dateutil"))
    columns = {"column": "title" if texts else "words", "column_A": "words", "column_B": "tokens"}
    columns |= {"column_list": ["words", "tokens"]}
    kwargs |= {argument: columns[argument] for argument in column_arguments(kind)}
    kwargs = {key: value for key, value in kwargs.items() if value is not ...}
    expectation = Expectation("holds", kind, Severity.WARNING, kwargs, "", kind in BY_ROW)
    table = {"words": [1.0, 5.0, None], "tokens": [1, None, 2], "title": ["a", "2", None]}
    suite = Suite(Grain.DOCUMENTS, None, (expectation,))
    (verdict,) = module.validate(suite, {"uri": ["a", "b", "c"], **table})
    assert verdict.observed
    assert verdict.passed or expectation.by_row is bool(verdict.failed)

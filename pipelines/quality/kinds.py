"""The types of expectations that suites may use, out of those that Great Expectations has."""

from collections.abc import Mapping
from typing import Any

BY_ROW = frozenset(
    {
        "expect_column_pair_values_a_to_be_greater_than_b",
        "expect_column_pair_values_to_be_equal",
        "expect_column_pair_values_to_be_in_set",
        "expect_column_value_lengths_to_be_between",
        "expect_column_value_lengths_to_equal",
        "expect_column_value_z_scores_to_be_less_than",
        "expect_column_values_to_be_between",
        "expect_column_values_to_be_dateutil_parseable",
        "expect_column_values_to_be_decreasing",
        "expect_column_values_to_be_in_set",
        "expect_column_values_to_be_increasing",
        "expect_column_values_to_be_null",
        "expect_column_values_to_be_unique",
        "expect_column_values_to_match_regex",
        "expect_column_values_to_match_regex_list",
        "expect_column_values_to_match_strftime_format",
        "expect_column_values_to_not_be_in_set",
        "expect_column_values_to_not_be_null",
        "expect_column_values_to_not_be_outliers",
        "expect_column_values_to_not_match_regex",
        "expect_column_values_to_not_match_regex_list",
        "expect_compound_columns_to_be_unique",
        "expect_multicolumn_sum_to_equal",
        "expect_multicolumn_values_to_be_equal",
        "expect_select_column_values_to_be_unique_within_record",
    }
)
"""These say which rows fail."""

AS_A_WHOLE = frozenset(
    {
        "expect_column_distinct_values_to_be_in_set",
        "expect_column_distinct_values_to_contain_set",
        "expect_column_distinct_values_to_equal_set",
        "expect_column_kl_divergence_to_be_less_than",
        "expect_column_max_to_be_between",
        "expect_column_mean_to_be_between",
        "expect_column_median_to_be_between",
        "expect_column_min_to_be_between",
        "expect_column_most_common_value_to_be_in_set",
        "expect_column_proportion_of_non_null_values_to_be_between",
        "expect_column_proportion_of_unique_values_to_be_between",
        "expect_column_quantile_values_to_be_between",
        "expect_column_stdev_to_be_between",
        "expect_column_sum_to_be_between",
        "expect_column_unique_value_count_to_be_between",
        "expect_table_row_count_to_be_between",
        "expect_table_row_count_to_equal",
    }
)
"""These judge the table, or a whole column of it."""

_DATABASE = "it needs a database"
_REGEX = "it needs a database; a regex does the same"
_SHAPE = "which columns there are, and of what type, is not for a suite to say"
_JSON = "no column holds JSON"

NOT_HERE = {
    "expect_column_to_exist": _SHAPE,
    "expect_column_type_to_be": _SHAPE,
    "expect_column_values_to_be_in_type_list": _SHAPE,
    "expect_column_values_to_be_json_parseable": _JSON,
    "expect_column_values_to_be_of_type": _SHAPE,
    "expect_column_values_to_match_json_schema": _JSON,
    "expect_column_values_to_match_like_pattern": _REGEX,
    "expect_column_values_to_match_like_pattern_list": _REGEX,
    "expect_column_values_to_not_match_like_pattern": _REGEX,
    "expect_column_values_to_not_match_like_pattern_list": _REGEX,
    "expect_query_results_to_match_comparison": _DATABASE,
    "expect_table_column_count_to_be_between": _SHAPE,
    "expect_table_column_count_to_equal": _SHAPE,
    "expect_table_columns_to_match_ordered_list": _SHAPE,
    "expect_table_columns_to_match_set": _SHAPE,
    "expect_table_row_count_to_equal_other_table": _DATABASE,
    "unexpected_rows_expectation": _DATABASE,
}
"""These are of no use here -> why."""


def column_arguments(kind: str) -> tuple[str, ...]:
    """The arguments of a type that name its columns, all of them needed."""
    if kind.startswith("expect_column_pair"):
        return ("column_A", "column_B")
    if kind.startswith("expect_column"):
        return ("column",)
    return () if kind.startswith("expect_table") else ("column_list",)


def columns_of(kind: str, kwargs: Mapping[str, Any]) -> list[Any]:
    """What an expectation names as its columns, whatever that is."""
    named = (kwargs[key] for key in column_arguments(kind) if key in kwargs)
    return [one for name in named for one in (name if isinstance(name, list) else [name])]

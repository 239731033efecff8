"""Great Expectations judges tables: what fails is named exactly, what cannot be judged blocks."""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from pipelines.errors import AuditFailed, ConfigError
from pipelines.quality import validate as module
from pipelines.quality.columns import COLUMNS
from pipelines.quality.kinds import BY_ROW
from pipelines.quality.records import Columns, Expectation, Grain, Severity, Suite, Suites, Verdict
from pipelines.quality.suites import BUILT_IN, load_suites
from pipelines.quality.validate import lint_suites, validate
from pipelines.quality.verdicts import verdict_on
from pipelines.quality.words import expected

BETWEEN = "expect_column_values_to_be_between"
IN_SET = "expect_column_values_to_be_in_set"
NULL = "expect_column_values_to_be_null"
NOT_NULL = "expect_column_values_to_not_be_null"
UNIQUE = "expect_column_values_to_be_unique"
MEAN = "expect_column_mean_to_be_between"
REGEX = "expect_column_values_to_match_regex"


def one(kind: str, name: str = "holds", severity: str = "critical", **kwargs: Any) -> Expectation:
    by_row = kind in BY_ROW
    return Expectation(name, kind, Severity(severity), kwargs, expected(kind, kwargs), by_row)


def suite(*expectations: Expectation, grain: Grain = Grain.DOCUMENTS) -> Suite:
    return Suite(grain, Path("data/expectations/documents.json"), expectations)


def table(**columns: Any) -> Columns:
    rows = max(len(values) for values in columns.values())
    return {"uri": [f"d/{row}" for row in range(rows)], **columns}


def judge(expectation: Expectation, **columns: Any) -> Verdict:
    (verdict,) = validate(suite(expectation), table(**columns))
    return verdict


def refused(expectation: Expectation, **columns: Any) -> str:
    with pytest.raises(AuditFailed) as error:
        judge(expectation, **columns)
    assert error.value.exit_code == 1
    return error.value.message


def test_failing_rows_are_named_with_what_was_there() -> None:
    verdict = judge(one(BETWEEN, column="words", max_value=5), words=[1, 9, 5, 7])
    assert verdict == Verdict(
        Grain.DOCUMENTS,
        "holds",
        Severity.CRITICAL,
        "words at most 5",
        passed=False,
        checked=4,
        observed="2 of 4 documents, e.g. 9",
        failed={"d/1": "9", "d/3": "7"},
    )


def test_passing_table_says_what_was_judged() -> None:
    verdict = judge(one(BETWEEN, column="words", max_value=9), words=[1, None, 5.12345678])
    assert (verdict.passed, verdict.failed) == (True, {})
    assert verdict.observed == "3 documents, 1 to 5.1235"
    assert judge(one(BETWEEN, column="words", max_value=9), words=[3]).observed == "1 document, 3"


def test_each_failing_row_is_named_however_many_there_are() -> None:
    verdict = judge(one(BETWEEN, column="words", max_value=-1), words=list(range(1000)))
    assert len(verdict.failed) == 1000
    assert verdict.failed["d/999"] == "999"


VALUES: dict[str, tuple[Expectation, Any, list[int]]] = {
    "numbers and nulls": (one(BETWEEN, column="words", min_value=2), [1, None, 5], [0]),
    "floats and nulls": (one(BETWEEN, column="words", min_value=2), [1.5, None, 5.0], [0]),
    "numbers of both kinds": (one(BETWEEN, column="words", min_value=2), [1, 2.5, None], [0]),
    "an array of floats": (
        one(BETWEEN, column="words", min_value=0, max_value=1),
        np.array([0.5, np.nan, np.inf, -np.inf], dtype=np.float32),
        [2, 3],
    ),
    "an array of whole numbers": (
        one(BETWEEN, column="words", min_value=2),
        np.array([1, 2], dtype=np.int64),
        [0],
    ),
    "an array of anything": (
        one(BETWEEN, column="words", min_value=2),
        np.array([1, None, 3], dtype=object),
        [0],
    ),
    "numbers of 64 bits": (
        one(BETWEEN, column="words", max_value=2**60),
        [2**60 + 1, None, 2**60, 2**63 - 1, 2**64 - 1, 2**70],
        [0, 3, 4, 5],
    ),
    "truth": (one(IN_SET, column="words", value_set=[True]), [True, False, True], [1]),
    "truth and nulls": (one(IN_SET, column="words", value_set=[True]), [True, None, False], [2]),
    "an array of truth": (
        one(IN_SET, column="words", value_set=[True]),
        np.array([False, True]),
        [0],
    ),
    "texts": (one(IN_SET, column="words", value_set=["en"]), ["en", None, "de"], [2]),
    "an array of texts": (
        one(IN_SET, column="words", value_set=["en"]),
        np.array(["en", "x"]),
        [1],
    ),
    "half of a surrogate pair": (one(NULL, column="words"), ["\ud800", None], [0]),
    "nothing at all": (one(BETWEEN, column="words", min_value=2), [None, None], []),
    "nothing but NaN": (one(BETWEEN, column="words", min_value=2), [float("nan")] * 2, []),
    "null, wanted": (one(NULL, column="words"), [None, "found", None], [1]),
    "null among numbers, wanted": (one(NULL, column="words"), [None, 0, 0.5], [1, 2]),
    "null, unwanted": (one(NOT_NULL, column="words"), [None, "x", None], [0, 2]),
    "all null, unwanted": (one(NOT_NULL, column="words"), [None, None], [0, 1]),
    "twice": (one(UNIQUE, column="words"), ["a", "b", "a", None, None], [0, 2]),
    "pairs": (
        one(
            "expect_column_pair_values_a_to_be_greater_than_b",
            column_A="words",
            column_B="characters",
            ignore_row_if="either_value_is_missing",
        ),
        [1, None, 50],
        [0],
    ),
}


@pytest.mark.parametrize("case", VALUES)
def test_values_of_each_kind_are_judged_and_nulls_are_not(case: str) -> None:
    expectation, values, rows = VALUES[case]
    verdict = judge(expectation, words=values, characters=[5] * len(values))
    assert list(verdict.failed) == [f"d/{row}" for row in rows]
    assert verdict.passed is not bool(rows)
    assert verdict.checked == len(values)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0.123456789, "0.12346"),
        (3.0, "3"),
        (np.float32(2.5), "2.5"),
        (2**70, str(2**70)),
        (float("inf"), "inf"),
        (True, "true"),
        ("a\u202eb\n", "a?b?"),
        ("x" * 300, "x" * 199 + "…"),
    ],
)
def test_values_are_said_in_few_words(value: object, said: str) -> None:
    assert judge(one(NULL, column="domain"), domain=[value]).failed == {"d/0": said}


def test_documents_own_words_are_not_repeated() -> None:
    verdicts = validate(
        suite(
            one(REGEX, "a", column="title", regex="^x"),
            one("expect_column_distinct_values_to_be_in_set", "b", column="title", value_set=["x"]),
            one(
                "expect_column_most_common_value_to_be_in_set", "c", column="owner", value_set=["x"]
            ),
            one(
                "expect_column_pair_values_to_be_equal",
                "d",
                column_A="title",
                column_B="owner",
                ignore_row_if="either_value_is_missing",
            ),
            one(UNIQUE, "e", column="title"),
        ),
        table(title=["Secret plan", "Secret plan"], owner=["Secret person"] * 2),
    )
    assert [v.passed for v in verdicts] == [False] * 5
    assert verdicts[0].failed["d/0"] == "a text of 11 characters"
    assert "Secret" not in repr(verdicts)


def test_column_as_a_whole_is_judged() -> None:
    of_mean = one(MEAN, severity="warning", column="words", max_value=0.5)
    verdict = judge(of_mean, words=[1, 0, None, 1])
    assert (verdict.passed, verdict.observed, verdict.failed) == (False, "0.66667", {})
    assert judge(of_mean, words=[False, False]).observed == "0"
    assert not judge(of_mean, words=[np.inf, -np.inf]).passed


def test_column_of_nulls_alone_passes_as_a_whole() -> None:
    verdict = judge(one(MEAN, column="words", max_value=0.5), words=[None, None])
    assert (verdict.passed, verdict.observed) == (True, "none has a value")
    nulls = one(
        "expect_column_proportion_of_non_null_values_to_be_between", column="words", min_value=0.5
    )
    assert not judge(nulls, words=[None, None]).passed


def test_tolerance_counts_for_the_batch() -> None:
    mostly = one(BETWEEN, column="words", max_value=5, mostly=0.5)
    within = judge(mostly, words=[1, 9])
    assert (within.passed, within.observed, within.failed) == (True, "1 of 2 documents, e.g. 9", {})
    assert list(judge(mostly, words=[1, 9, 9]).failed) == ["d/1", "d/2"]


def test_verdicts_keep_the_order_of_the_suite() -> None:
    names = [f"number_{n}" for n in range(6)]
    kinds = [NULL, UNIQUE, BETWEEN, NULL, BETWEEN, UNIQUE]
    expectations = [
        one(kind, name, column="words", **({"min_value": 0} if kind == BETWEEN else {}))
        for kind, name in zip(kinds, names, strict=True)
    ]
    verdicts = validate(suite(*expectations), table(words=[1, 2]))
    assert [v.expectation for v in verdicts] == names
    assert [v.passed for v in verdicts] == [False, True, True, False, True, True]


def test_empty_table_passes_without_great_expectations() -> None:
    code = (
        "import sys; from pathlib import Path\n"
        "from pipelines.quality.suites import load_suites\n"
        "from pipelines.quality.validate import validate\n"
        "verdicts = validate(load_suites(Path('nowhere')).documents, {'uri': []})\n"
        "print(len(verdicts) > 10, {(v.passed, v.checked, v.observed) for v in verdicts})\n"
        "print({'great_expectations', 'pandas'} & set(sys.modules))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.splitlines() == ["True {(True, 0, '0 documents')}", "set()"]


def test_what_cannot_be_judged_blocks_and_is_named() -> None:
    message = refused(one(BETWEEN, column="words", min_value=2, max_value=1), words=[1])
    assert message.startswith(
        "data/expectations/documents.json, expectation 1 (holds) could not be checked: "
        f"{BETWEEN} on column words: min_value cannot be greater than max_value. "
    )
    missing = refused(one(BETWEEN, column="tokens", min_value=2), words=[1])
    assert "expectation 1 (holds) could not be checked: no column tokens was computed" in missing


def test_what_was_raised_over_a_text_does_not_quote_it() -> None:
    message = refused(one(MEAN, column="title", max_value=1), title=["Secret", "plan"])
    assert f"{MEAN} cannot judge column title, which holds text" in message
    assert "Secret" not in message


@pytest.mark.parametrize("rows", [{}, {"unexpected_index_list": [0]}])
def test_result_that_names_too_few_rows_blocks(rows: dict[str, Any]) -> None:
    expectation = one(BETWEEN, column="words", max_value=0)
    result = SimpleNamespace(
        success=False,
        exception_info={"raised_exception": False},
        result={"unexpected_count": 2, **rows},
    )
    columns = {"uri": ["d/0", "d/1"], "words": [1, 1]}
    with pytest.raises(AuditFailed, match="the rows that fail were not all named"):
        verdict_on(suite(expectation), expectation, result, columns)
    with pytest.raises(AuditFailed, match="it was given no result"):
        verdict_on(suite(expectation), expectation, None, columns)


def suites(*expectations: Expectation) -> Suites:
    built_in = load_suites(BUILT_IN / "nowhere")
    return Suites(suite(*expectations), built_in.chunks, built_in.publication, "")


def test_lint_tells_everything_that_great_expectations_refuses() -> None:
    broken = (
        one(BETWEEN, "good", column="words", min_value=1),
        one(BETWEEN, "misspelt", column="words", min_valeu=1),
        one("expect_nothing", "unknown", column="words"),
        one(BETWEEN, "greedy", column="words", min_value=1, mostly=2),
        one(IN_SET, "incomplete", column="words"),
    )
    with pytest.raises(ConfigError) as error:
        lint_suites(suites(*broken))
    lines = error.value.message.splitlines()
    file = "- data/expectations/documents.json, expectation"
    assert lines[0] == "The suites have 4 problems:"
    assert f"{file} 2 (misspelt): kwargs.min_valeu: extra fields not permitted" in lines[1]
    assert lines[2].startswith(f"{file} 3 (unknown): expect_nothing not found")
    assert lines[3].startswith(f"{file} 4 (greedy): kwargs.mostly: ")
    assert lines[4] == f"{file} 5 (incomplete): kwargs.value_set: field required"
    with pytest.raises(ConfigError, match="misspelt"):
        validate(suite(*broken), table(words=[1]))


def test_what_great_expectations_drops_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    library = module._library()
    whole = library.ExpectationSuite

    def without_the_first(name: str, expectations: list[Any]) -> Any:
        return whole(name=name, expectations=expectations[1:])

    monkeypatch.setattr(library, "ExpectationSuite", without_the_first)
    with pytest.raises(ConfigError, match=r"1 \(holds\): Great Expectations drops it"):
        judge(one(UNIQUE, column="words"), words=[1])


def test_built_in_suites_are_loaded_whole_by_great_expectations() -> None:
    lint_suites(load_suites(BUILT_IN / "nowhere"))
    for grain in Grain:
        data = json.loads((BUILT_IN / f"{grain}.json").read_text())
        loaded = module._library().ExpectationSuite(**data)
        assert [(e.meta["name"], e.severity) for e in loaded.expectations] == [
            (e["meta"]["name"], e["severity"]) for e in data["expectations"]
        ]


def test_threads_do_not_disturb_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    inside: list[int] = []
    most: list[int] = []
    found: dict[int, list[str]] = {}
    results = module._results

    def watched(*arguments: Any) -> Any:
        inside.append(1)
        most.append(len(inside))
        answer = results(*arguments)
        inside.pop()
        return answer

    def work(number: int) -> None:
        for _ in range(2):
            verdict = judge(one(BETWEEN, column="words", max_value=number), words=list(range(9)))
            found.setdefault(number, []).append(",".join(verdict.failed))

    monkeypatch.setattr(module, "_results", watched)
    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {n: [",".join(f"d/{row}" for row in range(n + 1, 9))] * 2 for n in range(8)}
    assert max(most) == 1


def test_another_context_in_the_process_does_not_disturb() -> None:
    judge(one(UNIQUE, column="words"), words=[1])
    module._library().get_context(mode="ephemeral")
    assert list(judge(one(UNIQUE, column="words"), words=[1, 1]).failed) == ["d/0", "d/1"]


def test_nothing_is_printed_or_written(tmp_path: Path) -> None:
    code = (
        "from pipelines.quality.validate import validate, lint_suites\n"
        "from pipelines.quality.suites import load_suites\n"
        "from pathlib import Path\n"
        "suites = load_suites(Path('nowhere'))\n"
        "lint_suites(suites)\n"
        f"columns = {{name: [None] for name in {sorted(COLUMNS[Grain.CHUNKS])!r}}}\n"
        "columns |= {'chunk': ['a#0'], 'vector_norm': [2.0]}\n"
        "print([v.expectation for v in validate(suites.chunks, columns) if not v.passed])\n"
        "import os; print(os.environ['GX_ANALYTICS_ENABLED'])\n"
    )
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "HOME": str(tmp_path),
    }
    run = subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert run.stdout.splitlines() == ["['vector_has_unit_norm']", "false"]
    assert run.stderr == ""
    assert list(tmp_path.iterdir()) == []

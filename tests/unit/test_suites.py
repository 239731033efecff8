"""Suites are read strictly: what is wrong is told with file and entry, before anything runs."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipelines.errors import ConfigError
from pipelines.quality.columns import COLUMNS
from pipelines.quality.kinds import columns_of
from pipelines.quality.records import Grain, Severity
from pipelines.quality.suites import BUILT_IN, MAX_BYTES, load_suites, place, write_suites
from pipelines.quality.words import expected

OWN = Path(__file__).parents[2] / "data" / "expectations"
BETWEEN = "expect_column_values_to_be_between"
MEAN = "expect_column_mean_to_be_between"

Entry = dict[str, Any]


def entry(name: str = "has_words", **changed: Any) -> Entry:
    whole: Entry = {
        "type": BETWEEN,
        "kwargs": {"column": "words", "min_value": 1},
        "severity": "critical",
        "meta": {"name": name},
        **changed,
    }
    return {key: value for key, value in whole.items() if value is not ...}


def write(folder: Path, *entries: Any, grain: str = "documents", **top: Any) -> Path:
    file = folder / f"{grain}.json"
    file.write_text(json.dumps({"name": grain, "expectations": entries, "meta": {}, **top}))
    return file


def refusal(folder: Path) -> str:
    with pytest.raises(ConfigError) as error:
        load_suites(folder)
    assert error.value.exit_code == 2
    assert error.value.hint
    return error.value.message


def test_built_in_suites_hold_where_there_are_no_files(tmp_path: Path) -> None:
    suites = load_suites(tmp_path / "nowhere")
    assert [s.path for s in (suites.documents, suites.chunks, suites.publication)] == [None] * 3
    assert suites.hash == load_suites(tmp_path).hash


def test_names_that_others_rely_on_are_there() -> None:
    documents = {e.name: e for e in load_suites(BUILT_IN).documents.expectations}
    assert documents["has_no_secrets"].kwargs == {"column": "secrets"}
    assert documents["has_no_personal_data"].kwargs == {"column": "personal_data"}


def test_built_in_suites_say_why() -> None:
    for grain in Grain:
        suite = json.loads((BUILT_IN / f"{grain}.json").read_text())
        assert all(one["meta"]["notes"].endswith(".") for one in suite["expectations"])


def test_suites_of_the_demo_are_the_built_in_ones() -> None:
    names = sorted(file.name for file in BUILT_IN.iterdir())
    assert names == sorted(f"{grain}.json" for grain in Grain)
    for name in names:
        assert (OWN / name).read_bytes() == (BUILT_IN / name).read_bytes()
    assert load_suites(OWN).hash == load_suites(BUILT_IN / "nowhere").hash


def test_own_file_takes_the_place_of_one_suite(tmp_path: Path) -> None:
    file = write(tmp_path, entry(), entry("is_short", severity="warning"))
    suites = load_suites(tmp_path)
    assert suites.documents.path == file
    assert suites.chunks.path is None
    first, second = suites.documents.expectations
    assert (first.name, first.type, first.by_row) == ("has_words", BETWEEN, True)
    assert first.expected == "words at least 1"
    assert second.severity is Severity.WARNING
    assert place(suites.documents, "is_short") == f"{file}, expectation 2 (is_short)"
    assert place(suites.chunks, "chunk_is_there_once").startswith("the built-in suite chunks, ")


def test_loading_imports_no_great_expectations() -> None:
    code = (
        "import sys; from pathlib import Path\n"
        "from pipelines.quality.suites import load_suites\n"
        "load_suites(Path('nowhere'))\n"
        "print({'great_expectations', 'pandas', 'torch'} & set(sys.modules))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "set()"


def test_hash_follows_the_content_and_not_the_form(tmp_path: Path) -> None:
    file = write(tmp_path, entry(kwargs={"min_value": 1, "column": "words"}))
    before = load_suites(tmp_path).hash
    data = json.loads(file.read_text())
    data["expectations"][0]["meta"]["notes"] = "A reason."
    file.write_text("\ufeff" + json.dumps(data, indent=8, sort_keys=True))
    assert load_suites(tmp_path).hash == before
    seen = {before}
    for changed in (
        entry(kwargs={"column": "words", "min_value": 2}),
        entry(severity="warning"),
        entry("has_a_word"),
    ):
        write(tmp_path, changed)
        seen.add(load_suites(tmp_path).hash)
    write(tmp_path, entry())
    write(tmp_path, entry(kwargs={"column": "tokens", "min_value": 1}), grain="chunks")
    seen.add(load_suites(tmp_path).hash)
    assert len(seen) == 5


ENTRIES = {
    "no object": (7, "must be an object"),
    "unknown key": (entry(severty="warning"), "unknown key severty; did you mean severity?"),
    "type missing": (entry(type=...), "type: must name"),
    "kwargs missing": (entry(kwargs=...), "kwargs: must be an object"),
    "meta missing": (entry(meta=...), 'meta: must be an object with a "name"'),
    "name missing": (entry(meta={}), "meta.name: missing"),
    "name ill-formed": (entry("Has Words"), "meta.name: must be snake_case"),
    "name too long": (entry("a" * 81), "at most 80 characters"),
    "type unknown": (
        entry(type="expect_column_values_to_be_betwen"),
        f"unknown type expect_column_values_to_be_betwen; did you mean {BETWEEN}?",
    ),
    "type of no use": (entry(type="unexpected_rows_expectation"), "it needs a database"),
    "severity missing": (entry(severity=...), "severity: missing; must be critical or warning"),
    "severity unknown": (entry(severity="urgent"), "severity urgent: must be critical or warning"),
    "severity info": (entry(severity="info"), "severity info: must be critical or warning"),
    "column unknown": (
        entry(kwargs={"column": "wrods", "min_value": 1}),
        "documents have no column wrods; did you mean words?",
    ),
    "column missing": (entry(kwargs={"columns": "words", "min_value": 1}), "column missing"),
    "column no text": (entry(kwargs={"column": 7, "min_value": 1}), "must be given by its name"),
    "column in a list": (
        entry(
            type="expect_compound_columns_to_be_unique",
            kwargs={"column_list": ["uri", "tytle"], "ignore_row_if": "any_value_is_missing"},
        ),
        "no column tytle; did you mean title?",
    ),
    "second column": (
        entry(
            type="expect_column_pair_values_to_be_equal",
            kwargs={
                "column_A": "words",
                "column_B": "wrods",
                "ignore_row_if": "either_value_is_missing",
            },
        ),
        "no column wrods",
    ),
    "nulls judged": (
        entry(
            type="expect_column_pair_values_to_be_equal",
            kwargs={"column_A": "words", "column_B": "characters"},
        ),
        'ignore_row_if: must be "either_value_is_missing"',
    ),
    "bounds crossed": (
        entry(kwargs={"column": "words", "min_value": 3, "max_value": 1}),
        "min_value 3 is above max_value 1",
    ),
    "bound no number": (
        entry(kwargs={"column": "words", "min_value": "1"}),
        "min_value and max_value must be numbers",
    ),
    "bound true": (entry(kwargs={"column": "words", "min_value": True}), "must be numbers"),
    "regex": (
        entry(type="expect_column_values_to_match_regex", kwargs={"column": "uri", "regex": "a(b"}),
        "regex a(b: missing )",
    ),
    "condition": (
        entry(kwargs={"column": "words", "min_value": 1, "row_condition": "words > 1"}),
        "kwargs.row_condition: conditions are not supported",
    ),
    "severity in kwargs": (
        entry(kwargs={"column": "words", "min_value": 1, "severity": "warning"}),
        "kwargs.severity: belongs beside kwargs",
    ),
    "parameter": (
        entry(
            type="expect_column_values_to_be_in_set",
            kwargs={"column": "language", "value_set": {"$PARAMETER": "x"}},
        ),
        "$PARAMETER: nobody would fill it in",
    ),
}


@pytest.mark.parametrize("case", ENTRIES)
def test_broken_entry_is_told_with_its_place(tmp_path: Path, case: str) -> None:
    broken, what = ENTRIES[case]
    file = write(tmp_path, entry("another"), broken)
    message = refusal(tmp_path)
    assert message.startswith(f"{file}, expectation 2")
    assert what in message


@pytest.mark.parametrize("grain", Grain)
def test_critical_expectation_must_say_which_row_fails(tmp_path: Path, grain: Grain) -> None:
    column = next(name for name in COLUMNS[grain])
    whole = entry(type=MEAN, kwargs={"column": column, "max_value": 1})
    write(tmp_path, whole, grain=grain)
    rows = {"documents": "document", "chunks": "passage", "publication": "source"}
    assert f"cannot say which {rows[grain]} fails; make it a warning" in refusal(tmp_path)
    write(tmp_path, {**whole, "severity": "warning"}, grain=grain)
    load_suites(tmp_path)


def test_every_problem_of_every_file_is_told_at_once(tmp_path: Path) -> None:
    write(tmp_path, entry(severity="urgent", kwargs={"column": "wrods"}), entry(), entry())
    write(tmp_path, grain="chunks")
    (tmp_path / "publication.json").write_text('{\n"name": "publication",\n]')
    (tmp_path / "document.json").write_text("{}")
    message = refusal(tmp_path)
    assert message.startswith("The suites have 8 problems:\n- ")
    for what in (
        "document.json: is no suite; did you mean documents.json?",
        "documents.json, expectation 1 (has_words): severity urgent",
        "documents.json, expectation 1 (has_words): documents have no column wrods",
        "documents.json, expectation 3 (has_words): meta.name: there is another of that name",
        "chunks.json: expectations must be a list of one or more",
        "publication.json, line 3: not valid JSON",
    ):
        assert what in message


FILES: dict[str, tuple[bytes, str]] = {
    "no JSON": (b'{"name": \n x}', ", line 2: not valid JSON"),
    "empty": (b"", ", line 1: not valid JSON"),
    "no object": (b"[]", ": must be an object"),
    "not UTF-8": (b'{"name": "\xff"}', ": not UTF-8 at byte 10"),
    "too large": (b" " * (MAX_BYTES + 1), f": larger than {MAX_BYTES} bytes"),
    "too deep": (b"[" * 100_000, ": nested too deeply"),
    "not a number": (b'{"name": NaN}', ": NaN is no number"),
    "infinite": (b'{"name": 1e999}', "a number too large"),
    "too many digits": (b'{"name": ' + b"1" * 5000 + b"}", "a number too large"),
    "key twice": (b'{"name": "documents", "name": "x"}', ': key "name" twice'),
    "half a pair": (b'{"name": "\\ud800"}', ": half of a surrogate pair"),
    "other name": (b'{"name": "chunks", "expectations": [1]}', ': name must be "documents"'),
    "unknown key": (b'{"expectation": []}', 'key "expectation"; did you mean expectations?'),
    "parameters": (b'{"name": "documents", "suite_parameters": {"a": 1}}', "suite_parameters:"),
    "no list": (b'{"name": "documents", "expectations": {}}', "a list of one or more"),
}


@pytest.mark.parametrize("case", FILES)
def test_broken_file_is_told_with_its_place(tmp_path: Path, case: str) -> None:
    content, what = FILES[case]
    file = tmp_path / "documents.json"
    file.write_bytes(content)
    message = refusal(tmp_path)
    assert message.startswith(str(file))
    assert what in message


@pytest.mark.parametrize("make", [Path.mkdir, lambda file: file.symlink_to("nowhere")])
def test_file_that_cannot_be_read_is_not_taken_for_none(
    tmp_path: Path, make: Callable[[Path], None]
) -> None:
    make(tmp_path / "documents.json")
    assert "documents.json: cannot be read: " in refusal(tmp_path)


def test_file_is_named_from_where_one_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "data").mkdir()
    write(tmp_path / "data", entry(severity="urgent"))
    monkeypatch.chdir(tmp_path)
    assert refusal(tmp_path / "data").startswith("data/documents.json, expectation 1 (has_words): ")


def test_missing_suites_are_written_and_none_is_overwritten(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "expectations"
    folder.mkdir(parents=True)
    own = write(folder, entry())
    before = own.read_bytes()
    assert write_suites(folder) == [folder / "chunks.json", folder / "publication.json"]
    assert write_suites(folder) == []
    assert own.read_bytes() == before
    assert sorted(file.name for file in folder.iterdir()) == sorted(f"{g}.json" for g in Grain)
    assert load_suites(folder).chunks.path == folder / "chunks.json"


def test_written_suites_load_as_the_built_in_ones(tmp_path: Path) -> None:
    assert len(write_suites(tmp_path / "new")) == 3
    assert load_suites(tmp_path / "new").hash == load_suites(tmp_path).hash


@pytest.mark.parametrize(
    ("kind", "kwargs", "words"),
    [
        (BETWEEN, {"min_value": 0, "max_value": 0.01}, "c between 0 and 0.01"),
        (BETWEEN, {"min_value": 0, "max_value": 1, "strict_min": True}, "c above 0 and at most 1"),
        (BETWEEN, {"max_value": 3, "strict_max": True}, "c below 3"),
        (BETWEEN, {"min_value": 1, "max_value": 1.0}, "c exactly 1"),
        (BETWEEN, {"min_value": 1, "mostly": 0.95}, "c at least 1, in 95 % of the rows"),
        (MEAN, {"max_value": 0.5}, "mean of c at most 0.5"),
        ("expect_column_value_lengths_to_be_between", {"max_value": 9}, "length of c at most 9"),
        ("expect_column_value_lengths_to_equal", {"value": 2}, "length of c exactly 2"),
        ("expect_column_values_to_be_in_set", {"value_set": [True]}, "c true"),
        ("expect_column_values_to_be_in_set", {"value_set": ["en", "de"]}, "c one of en, de"),
        ("expect_column_values_to_not_be_in_set", {"value_set": ["x"]}, "c not x"),
        ("expect_column_values_to_not_be_in_set", {"value_set": [1, 2]}, "c none of 1, 2"),
        ("expect_column_values_to_be_null", {}, "nothing in c"),
        ("expect_column_values_to_not_be_null", {}, "something in c"),
        ("expect_column_values_to_be_unique", {}, "c there once only"),
        ("expect_column_values_to_match_regex", {"regex": "^a"}, "c matches ^a"),
        ("expect_column_values_to_not_match_regex", {"regex": "^a"}, "c does not match ^a"),
        ("expect_table_row_count_to_equal", {"value": 3}, "number of rows exactly 3"),
        ("expect_column_sum_of_a_kind", {"x": 1}, "column sum of a kind: column c, x 1"),
    ],
)
def test_expectation_is_said_in_words(kind: str, kwargs: dict[str, Any], words: str) -> None:
    assert expected(kind, {"column": "c", **kwargs}) == words


def test_words_stay_short_and_printable() -> None:
    said = expected(
        "expect_column_values_to_match_regex", {"column": "c", "regex": "\u202e\n" * 500}
    )
    assert len(said) <= 200
    assert said.isprintable()


def test_every_column_that_a_built_in_suite_names_is_one_of_its_grain() -> None:
    suites = load_suites(BUILT_IN)
    for suite in (suites.documents, suites.chunks, suites.publication):
        named = {c for e in suite.expectations for c in columns_of(e.type, e.kwargs)}
        assert named <= COLUMNS[suite.grain].keys()

"""The audit by the command line: what it says, of what, and with which exit code."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.command_line import Cli, assert_shape, keys

KEY = "AKIA" + "Q3EGRFTBKZJHWLXM"
"""Looks like a key of a cloud."""


@pytest.fixture
def cli(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Cli:
    return Cli.on_new_project(tmp_path, capsys)


def suite(cli: Cli, grain: str, *expectations: dict[str, Any]) -> None:
    """Writes a suite of the user's own."""
    folder = cli.project.root / "data" / "expectations"
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"name": grain, "expectations": expectations})
    (folder / f"{grain}.json").write_text(text)


def at_least(column: str, value: float, severity: str = "critical") -> dict[str, Any]:
    return {
        "type": "expect_column_values_to_be_between",
        "kwargs": {"column": column, "min_value": value},
        "severity": severity,
        "meta": {"name": f"enough_{column}"},
    }


def published(cli: Cli) -> None:
    """Two documents, the second one longer in a second publication."""
    cli.project.write("short.md", "# Leave\n\nLeave of 25 days.\n")
    cli.project.write("long.md", "# Laptops\n\nLaptops last four years, as a rule.\n")
    cli("refresh")
    cli.project.write("long.md", f"# Laptops\n\n{'Laptops last five years, as a rule. ' * 3}\n")
    cli("refresh")


def test_all_that_is_published_passes_todays_suites(cli: Cli) -> None:
    published(cli)
    said = cli.json("audit")
    assert (said["ok"], said["publication"], said["compared_with"]) == (True, 2, 1)
    assert {v["checked"] for v in said["verdicts"] if v["grain"] == "documents"} == {2}
    shown = cli("audit")
    assert "Passed: all 34 expectations hold." in shown
    assert "publication #2" in shown
    assert "wrote" not in shown


def test_what_fails_critically_is_refused_and_comes_first(cli: Cli) -> None:
    published(cli)
    suite(cli, "documents", at_least("words", 1, "warning"), at_least("characters", 60))
    said = cli.json("audit", code=3)
    (failed,) = [v for v in said["verdicts"] if not v["passed"]]
    assert failed["expectation"] == "enough_characters"
    assert list(failed["rows"]) == ["docs/short.md"]
    shown = cli("audit", code=3)
    first, second = re.findall(r"^enough_\w+.*$", shown, re.MULTILINE)[:2]
    assert re.search(r"characters at least 60 .* critical +failed$", first)
    assert "warning" in second
    assert "  docs/short.md  " in shown
    assert "Refused: 1 of 21 expectations failed critically." in shown


def test_warning_is_told_and_refuses_nothing(cli: Cli) -> None:
    published(cli)
    suite(cli, "documents", at_least("characters", 60, "warning"))
    assert cli.json("audit")["ok"] is True
    assert "1 of 20 expectations failed, as a warning" in cli("audit")


def test_any_publication_whose_files_are_kept_can_be_audited(cli: Cli) -> None:
    published(cli)
    said = cli.json("audit", "--publication", "#1")
    assert (said["publication"], said["compared_with"]) == (1, None)
    for number in ("99", "one"):
        assert cli.json("audit", "--publication", number, code=2)["error"]["message"]


def test_page_is_written_and_written_over(cli: Cli) -> None:
    published(cli)
    file = cli.project.root / "reports" / "audit.html"
    assert f"wrote  {file}" in cli("audit", "--html", str(file))
    first = file.read_text()
    assert cli.json("audit", "--publication", "1", "--html", str(file))["page"] == str(file)
    assert "Audit of kb #2" in first
    assert "Audit of kb #1" in file.read_text()
    assert list(file.parent.iterdir()) == [file]


def with_key(cli: Cli, labels: str = "") -> None:
    asked = f"---\nlabels: [{labels}]\n---\n" if labels else ""
    cli.project.write("key.md", f"{asked}# Access\n\nThe key is {KEY}.\n")
    cli.project.write("a.md", "# A\n\nSome text about nothing in particular.\n")


def test_document_in_quarantine_is_explained(cli: Cli) -> None:
    with_key(cli)
    cli("refresh")
    said = cli.json("audit", "--explain", "docs/key.md")
    assert (said["expectation"], said["expected"]) == ("has_no_secrets", "nothing in secrets")
    assert said["suite"] == "built in"
    shown = cli("audit", "--explain", "docs/key.md")
    assert "fails has_no_secrets, which expects nothing in secrets" in shown
    assert "staleproof quarantine release docs/key.md" in shown
    assert KEY not in shown + json.dumps(said)
    assert cli.json("audit", "--explain", "docs/a.md", code=2)["error"]["type"] == "UnknownName"


def test_excerpt_is_for_those_who_may_read_the_document(cli: Cli) -> None:
    cli.project.configure(
        '[[sources]]\nname = "docs"\nkind = "files"\npath = "docs"\ndomain = "x"\n'
        'labels = ["public", "managers"]\n'
    )
    with_key(cli, "managers")
    cli("refresh")
    for command in (("audit", "--explain"), ("quarantine", "show")):
        for labels, there in (((), False), (("--labels", "staff,managers"), True)):
            shown = cli(*command, "docs/key.md", *labels)
            assert ("The key is" in shown) is there
            assert ("No excerpt" in shown) is not there


def test_released_document_is_published_and_its_release_told(cli: Cli) -> None:
    with_key(cli)
    cli("refresh")
    assert "key.md" not in str(cli.project.uris())
    said = cli.json("quarantine", "release", "docs/key.md", "--reason", "it is an example")
    assert said["documents"][0]["expectation"] == "has_no_secrets"
    cli("refresh")
    assert "docs/key.md" in cli.project.uris()
    (released,) = cli.json("audit")["released"]
    assert (released["uri"], released["reason"]) == ("docs/key.md", "it is an example")
    assert cli.json("quarantine", "list") == {"documents": []}


def test_release_needs_a_reason_and_a_text_to_publish(cli: Cli) -> None:
    with_key(cli)
    cli.project.write("bad.md", b"\xff")
    cli("refresh")
    for argv in (
        ["docs/key.md"],
        ["docs/key.md", "--reason", " "],
        ["docs/bad.md", "--reason", "x"],
    ):
        assert cli.json("quarantine", "release", *argv, code=2)["error"]["message"]
    assert "To publish it: staleproof refresh" in cli(
        "quarantine", "release", "docs/key.md", "--reason", "x"
    )


def questions(cli: Cli, *lines: str) -> None:
    folder = cli.project.root / "data" / "golden"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "questions.jsonl").write_text("\n".join(lines))


def test_lint_says_what_there_is_and_touches_no_store(cli: Cli) -> None:
    suite(cli, "chunks", at_least("tokens", 1), at_least("characters", 1, "warning"))
    questions(cli, '{"id": "1", "question": "How long is leave?", "uri": "docs/short.md"}')
    said = cli.json("audit", "--lint")
    documents, chunks, _ = said["suites"]
    assert documents["file"] is None
    assert chunks == {"grain": "chunks", "file": "data/expectations/chunks.json"} | {
        "expectations": 2, "critical": 1, "warning": 1,
    }  # fmt: skip
    assert said["golden"] == {"folder": "data/golden", "questions": 1, "enough": False}
    shown = cli("audit", "--lint")
    assert "1 golden question in data/golden" in shown
    assert "So few only warn" in shown
    assert not (cli.project.root / "store").exists()


def test_lint_names_what_is_broken(cli: Cli) -> None:
    suite(cli, "chunks", at_least("tokens", 1), at_least("tokns", 1))
    message = cli.json("audit", "--lint", code=2)["error"]["message"]
    assert "chunks.json, expectation 2" in message
    assert "tokens?" in message
    suite(cli, "chunks", at_least("tokens", 1))
    questions(cli, "{}")
    assert "line 1" in cli.json("audit", "--lint", code=2)["error"]["message"]


@pytest.mark.parametrize(
    "argv",
    [
        ["--lint", "--publication", "1"],
        ["--lint", "--explain", "docs/a.md"],
        ["--explain", "docs/a.md", "--html", "a.html"],
    ],
)
def test_what_does_not_go_together_is_refused(cli: Cli, argv: list[str]) -> None:
    assert "do not go together" in cli.json("audit", *argv, code=2)["error"]["message"]


def held_by_audit(cli: Cli) -> str:
    """A source whose one long document shrinks to a line; the hold that this opens."""
    text = "\n\n".join(f"## Part {n}\n\n{f'Rule {n} says what holds. ' * 12}" for n in range(60))
    cli.project.write("rules.md", f"# Rules\n\n{text}\n")
    cli("refresh")
    cli.project.write("rules.md", "# Rules\n\nThere are no rules any more, it seems.\n")
    (hold,) = cli.json("refresh", code=3)["holds"]
    return str(hold)


def test_source_held_by_its_audit_says_what_to_do(cli: Cli) -> None:
    hold = held_by_audit(cli)
    (said,) = cli.json("holds")["holds"]
    assert_shape(said, keys("id kind source since items why"))
    assert (said["kind"], said["source"], said["items"]) == ("audit", "docs", ["docs/rules.md"])
    shown = cli("holds")
    assert "fails passages_are_about_as_many" in shown
    assert "to look      staleproof audit\n" in shown
    assert f"to decide    staleproof accept {hold}   staleproof drop {hold}\n" in shown
    assert cli.json("accept", hold, "--reason", "we have none")["published"] is True
    (accepted,) = cli.json("audit")["accepted"]
    assert (accepted["hold"], accepted["reason"]) == (hold, "we have none")


def test_hold_for_review_says_how_to_search_it(cli: Cli) -> None:
    cli.project.write("a.md", "# A\n\nSome text about leave.\n")
    cli("refresh")
    cli.project.write("a.md", "# A\n\nSome other text about leave.\n")
    (hold,) = cli.json("refresh", "--no-publish", code=3)["holds"]
    assert f'to look      staleproof search "..." --publication {hold}\n' in cli("holds")
    assert "other" in cli.json("search", "leave", "--publication", hold)["hits"][0]["text"]


def test_audit_that_accepted_changes_fail_is_no_reason_to_hold_them_again(cli: Cli) -> None:
    hold = held_by_audit(cli)
    cli("accept", hold)
    assert cli.json("refresh")["reason"] == "nothing changed"

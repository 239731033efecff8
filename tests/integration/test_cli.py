"""The command line over a real store with the stand-in encoder."""

import json
import os
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from flows.cli import run
from pipelines.knowledge import open_store, refresh_lock
from tests.command_line import SHAPES, Cli, assert_shape
from tests.project import Project, source

ESCAPE = "\x1b]0;owned\x07"
"""What would give a terminal another title."""

LATER_CODES = {"plan": 3, "refresh": 3}
"""In the world of these tests a hold stands."""


@pytest.fixture
def cli(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Cli:
    return Cli.on_new_project(tmp_path, capsys)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Two publications, a hold, a document in quarantine."""
    project = Project(tmp_path_factory.mktemp("world"))
    for number in range(20):
        project.write(f"{number}.md", f"# Fox {number}\n\nThe fox number {number} is quick.\n")
    project.write("broken.md", b"\xff\xfe")
    project.configure()
    assert project.refresh().publication == 1
    project.remove(*(f"{number}.md" for number in range(12)))
    project.write("19.md", "# Fox 19\n\nThe fox number 19 is slow.\n")
    assert project.refresh().holds
    return project


@pytest.fixture
def ask(world: Project, capsys: pytest.CaptureFixture[str]) -> Cli:
    return Cli(world, capsys)


@pytest.mark.parametrize("command", SHAPES)
def test_json_has_the_keys_that_are_promised(ask: Cli, command: str) -> None:
    said = ask.json(*command.split(), code=LATER_CODES.get(command, 0))
    assert_shape(said, SHAPES[command])
    assert not ask.err


@pytest.mark.parametrize("command", SHAPES)
def test_every_answer_for_eyes_is_plain_without_a_terminal(ask: Cli, command: str) -> None:
    shown = ask(*command.split(), code=LATER_CODES.get(command, 0))
    assert shown.strip()
    assert "\x1b" not in shown
    assert not re.search(r"[ ]$", shown, re.MULTILINE)


def test_json_flag_is_taken_before_and_after_the_command(ask: Cli) -> None:
    before = run(["--json", "--config", str(ask.project.root / "staleproof.toml"), "holds"])
    assert before == 0
    assert json.loads(ask.capture.readouterr().out) == ask.json("holds")


@pytest.mark.parametrize(
    "argv",
    [
        ["nonsense"],
        ["status", "--nonsense"],
        ["status", "superfluous"],
        ["search", "fox", "-k", "many"],
        ["history", "diff", "1"],
        ["history", "diff", "1", "two"],
        ["withhold", "docs/15.md"],
        ["refresh", "--wait", "soon"],
        ["refresh", "nowhere"],
        ["accept", "nothing"],
        ["rollback", "99"],
        ["search", "fox", "--publication", "99"],
        ["search"],
        ["verify", "--sample", "-1"],
        ["queries", "import", "nowhere.jsonl"],
        ["quarantine", "show", "docs/15.md"],
        ["quarantine", "release", "docs/broken.md"],
        ["quarantine"],
        [],
    ],
)
def test_users_mistake_is_one_error_with_exit_code_2(ask: Cli, argv: list[str]) -> None:
    said = ask.json(*argv, code=2)
    assert set(said) == {"error"}
    assert set(said["error"]) == {"type", "message", "hint"}
    assert said["error"]["message"]
    if not argv or argv == ["quarantine"]:
        return  # without --json this prints the help
    assert not ask(*argv, code=2)
    assert "error: " in ask.err
    assert "Traceback" not in ask.err


def test_before_the_first_refresh_everything_answers(cli: Cli) -> None:
    assert cli.json("status")["publication"] is None
    assert cli.json("history")["publications"] == []
    assert cli.json("holds") == {"holds": []}
    assert cli.json("quarantine", "list") == {"documents": []}
    assert cli.json("freshness", code=3)["ok"] is False
    for command in (["search", "x"], ["head"], ["rollback"], ["unpin"], ["verify"]):
        assert cli.json(*command, code=2)["error"]["type"] == "PublicationNotFound"
    for command in ("status", "history", "holds"):
        assert cli(command).strip()


def broken(error: BaseException) -> Callable[..., Any]:
    """A port that fails in a way of its own."""

    def load(*_: Any, **__: Any) -> Any:
        raise error

    return load


@pytest.mark.parametrize(
    ("error", "code", "kind"),
    [
        (KeyError("x"), 1, "KeyError"),
        (PermissionError(13, "Permission denied", "store"), 1, "PermissionError"),
        (KeyboardInterrupt(), 130, "Interrupted"),
    ],
)
def test_what_nobody_foresaw_is_told_without_a_traceback(
    cli: Cli, error: BaseException, code: int, kind: str
) -> None:
    cli.project.write("a.md", "# A\n\nText.\n")
    ports = cli.project.ports()
    cli.project.ports = lambda: type(ports)(broken(error), ports.write)  # type: ignore[method-assign]
    assert cli.json("refresh", code=code)["error"]["type"] == kind
    cli("refresh", code=code)
    assert "Traceback" not in cli.err
    assert ("This is a bug" in cli.err) == (kind == "KeyError")
    if kind == "KeyError":
        cli("refresh", "--debug", code=code)
        assert "Traceback" in cli.err


def test_busy_store_is_exit_code_4(cli: Cli) -> None:
    cli.project.write("a.md", "# A\n\nText.\n")
    store = open_store(cli.project.config.store_uri, now=cli.project.now)
    with refresh_lock(store, run="other", now=datetime.now(UTC), wait_seconds=0):
        assert cli.json("refresh", code=4)["error"]["type"] == "RefreshRunning"
        assert cli.json("refresh", "--wait", "0.2s", code=4)["error"]["type"] == "RefreshRunning"
    assert cli.json("refresh", "--wait", "1")["published"] is True


def test_listing_that_breaks_off_is_exit_code_4(cli: Cli) -> None:
    cli.project.write("a.md", "# A\n\nText.\n")
    cli("refresh")
    (cli.project.root / "docs").rename(cli.project.root / "elsewhere")
    said = cli.json("refresh", code=4)
    assert said["sources"][0]["complete"] is False
    assert "Attention" in cli("refresh", code=4)


def test_refresh_shows_a_receipt_and_then_one_line(cli: Cli) -> None:
    for number in range(20):
        cli.project.write(f"{number}.md", f"# {number}\n\nText {number}.\n")
    shown = cli("refresh")
    assert "kb #1 published in" in shown
    assert "  + docs/0.md" in shown
    assert "… and 8 more" in shown
    assert "20 embedded, 0 reused" in shown
    assert cli("refresh") == "Nothing changed: 20 documents, publication #1.\n"
    assert not cli.err


def test_plan_shows_each_kind_with_its_sign_and_changes_nothing(cli: Cli) -> None:
    for name in ("changed", "moved", "gone", "same"):
        cli.project.write(f"{name}.md", f"# {name}\n\nText of {name}.\n")
    cli("refresh")
    cli.project.write("changed.md", "# changed\n\nOther text.\n")
    cli.project.rename("moved.md", "there.md")
    cli.project.remove("gone.md")
    cli.project.write("new.md", "# new\n\nText of new.\n")
    shown = cli("plan")
    for line in ("+ docs/new.md", "~ docs/changed.md", "> docs/there.md", "- docs/gone.md"):
        assert f"  {line}" in shown
    assert "+1 added, ~1 changed, >1 moved, -1 deleted, 1 unchanged" in shown
    assert "2 to embed" in shown
    assert "cost" not in shown
    assert "staleproof refresh" in shown
    assert {(c["kind"], c["uri"]) for c in cli.json("plan")["changes"]} == {
        ("added", "docs/new.md"),
        ("changed", "docs/changed.md"),
        ("moved", "docs/there.md"),
        ("deleted", "docs/gone.md"),
    }
    assert cli.json("history")["publication"] == 1


def test_long_plan_is_cut_for_eyes_and_whole_in_json(cli: Cli) -> None:
    for number in range(60):
        cli.project.write(f"{number:02}.md", f"# {number}\n\nText {number}.\n")
    shown = cli("plan")
    assert shown.count("  + docs/") == 50
    assert "… and 10 more" in shown
    assert len(cli.json("plan")["changes"]) == 60


def test_price_is_shown_where_one_is_set(cli: Cli) -> None:
    cli.project.configure(more="[prices]\nembed_million_tokens = 1000.0\n")
    cli.project.write("a.md", "# A\n\nSome text of a few words.\n")
    said = cli.json("plan")
    assert said["estimate"]["cost"] == pytest.approx(said["tokens_embedded"] / 1000)
    assert re.search(r"^cost +0\.0", cli("plan"), re.MULTILINE)


def test_labels_are_given_with_commas_and_more_than_once(cli: Cli) -> None:
    cli.project.configure(*(source(n, f"docs/{n}", f'["{n}"]') for n in "abc"))
    for name in ("a", "b", "c"):
        cli.project.write(f"{name}/{name}.md", f"# {name}\n\nText.\n")
    cli("refresh")

    def sources(*labels: str) -> set[str]:
        hits = cli.json("search", "text", "-k", "9", *labels)["hits"]
        return {hit["source"] for hit in hits}

    assert sources() == set()
    assert sources("--labels", "a,b") == {"a", "b"}
    assert sources("--labels", "a", "--labels", "c") == {"a", "c"}
    assert "'b'" in cli.json("head", "--labels", "a,b")["filter"]
    assert "read as a, public" in cli("search", "text", "--labels", "a")


def test_questions_from_elsewhere_are_imported(cli: Cli, tmp_path: Path) -> None:
    cli.project.write("a.md", "# A\n\nText.\n")
    cli("refresh")
    log = tmp_path / "questions.jsonl"
    log.write_text('{"question": "What is A?"}\n{"question": "And B?"}\n')
    assert cli.json("queries", "import", str(log)) == {"imported": 2}
    log.write_bytes(b"\xff\n")
    assert cli.json("queries", "import", str(log), code=2)["error"]["type"] == "ConfigError"


def lenient(cli: Cli) -> None:
    """A suite under which documents may hold control characters."""
    one = {"type": "expect_column_values_to_not_be_null", "kwargs": {"column": "uri"}}
    one |= {"severity": "critical", "meta": {"name": "has_a_uri"}}
    folder = cli.project.root / "data" / "expectations"
    folder.mkdir(parents=True)
    (folder / "documents.json").write_text(json.dumps({"name": "documents", "expectations": [one]}))


def test_nothing_from_a_document_steers_the_terminal(cli: Cli) -> None:
    evil = f"evil{ESCAPE}[bold]x[/bold]"
    lenient(cli)
    cli.project.write(f"{evil.replace('/', '')}.md", f"# {evil}\n\nText {evil} here.\n")
    cli.project.write(f"{ESCAPE}bad.md", b"\xff")
    for command in (["plan"], ["refresh"], ["search", "text"], ["quarantine", "list"], ["status"]):
        shown = cli(*command)
        assert "\x1b" not in shown + cli.err
        assert "\x07" not in shown + cli.err
    shown = cli("search", "text")
    assert "\\x1b]0;owned\\x07[bold]x[/bold]" in shown
    cli("withhold", f"docs/{ESCAPE}", "--reason", "x", code=2)
    assert "\x1b" not in cli.err


def test_colours_only_on_a_terminal_and_not_with_no_color(
    ask: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    assert "\x1b[3" in ask("status")
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[3" not in ask("status")


def test_progress_is_drawn_on_stderr_only_for_a_terminal(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    cli.project.write("a.md", "# A\n\nText.\n")
    cli("refresh")
    assert not cli.err
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    cli.project.write("a.md", "# A\n\nOther text.\n")
    cli.json("refresh")
    assert "embed documents" in cli.err


def runs_of(cli: Cli) -> Sequence[str]:
    return [row["run"] for row in cli.json("history")["publications"]]


def test_run_names_sort_by_time_and_fit_into_names_of_tables(cli: Cli) -> None:
    for text in ("one", "two", "three"):
        cli.project.write("a.md", f"# A\n\n{text}.\n")
        cli("refresh")
    names = runs_of(cli)
    assert sorted(names, reverse=True) == names
    assert all(re.fullmatch(r"\d{8}t\d{6}-[0-9a-f]{6}", name) for name in names)


def test_only_the_named_sources_are_looked_at(cli: Cli) -> None:
    cli.project.configure(*(source(name, f"docs/{name}") for name in "ab"))
    for name in "ab":
        cli.project.write(f"{name}/x.md", f"# {name}\n\nText.\n")
    for command in ("plan", "refresh"):
        said = cli.json(command, "b")
        assert [s["name"] for s in said["sources"]] == ["b"]
        assert said["documents"]["added"] == 1


def test_recheck_finds_what_size_and_time_hide(cli: Cli) -> None:
    file = cli.project.root / "docs" / "a.md"
    file.write_text("# A\n\nOne text.\n")
    old = cli.project.now.timestamp() - 3600
    os.utime(file, (old, old))
    cli("refresh")
    file.write_text("# A\n\nTwo text.\n")
    os.utime(file, (old, old))
    assert cli.json("plan")["documents"]["changed"] == 0
    assert cli.json("refresh", "--recheck")["documents"]["changed"] == 1
    file.write_text("# A\n\nTen text.\n")
    os.utime(file, (old, old))
    assert cli.json("refresh")["published"] is False
    assert cli.json("plan", "--recheck")["documents"]["changed"] == 1


def test_verify_compares_with_the_sources_only_if_asked(ask: Cli) -> None:
    assert ask.json("verify", "--sample", "0")["explained"] == {}
    assert ask.json("verify", "--sample", "0", "--sources")["explained"]["held"] == 12

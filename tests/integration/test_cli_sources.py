"""Freshness and pauses on the command line."""

from pathlib import Path

import pytest

from tests.command_line import Cli
from tests.project import source


@pytest.fixture
def cli(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Cli:
    made = Cli.on_new_project(tmp_path, capsys)
    (tmp_path / "wiki").mkdir()
    made.project.configure(source(), source("wiki", path="wiki"))
    made.project.write("a.md", "# A\n\nIt says one.\n")
    made("refresh")
    return made


def test_freshness_ends_with_3_where_a_source_is_at_error(cli: Cli) -> None:
    assert cli.json("freshness")["ok"] is True
    cli.project.later(days=2)
    said = cli.json("freshness")
    assert (said["ok"], said["health"]) == (True, "warning")
    cli.project.later(days=2)
    assert cli.json("freshness", code=3)["health"] == "degraded"
    cli("refresh", "docs")
    said = cli.json("freshness", code=3)
    assert [s["state"] for s in said["sources"]] == ["ok", "error"]
    assert (said["sources"][0]["warn_after"], said["sources"][0]["error_after"]) == (86400, 259200)


def test_freshness_shows_both_clocks_as_ages_and_why(cli: Cli) -> None:
    cli.project.write("a.md", "# A\n\nIt says two.\n")
    cli("refresh", "--no-publish", code=3)
    cli.project.later(days=2)
    shown = cli("freshness")
    row = next(line for line in shown.splitlines() if line.startswith("docs"))
    assert row.count("2 days ago") == 2
    assert "docs: 1 change waits to be published since" in shown
    assert "wiki: No complete scan since" in shown


def test_source_is_paused_and_resumed(cli: Cli) -> None:
    assert "Refreshes leave wiki out" in cli("sources", "pause", "wiki", "--reason", "it moves")
    assert "is paused already" in cli("sources", "pause", "wiki")
    cli.project.later(days=5)
    report = cli.json("refresh")
    assert [s["name"] for s in report["sources"]] == ["docs"]
    assert any("it moves" in line for line in report["attention"])
    assert cli.json("freshness")["sources"][1]["state"] == "paused"
    assert "paused" in cli("status")
    listed = cli.json("sources")["sources"]
    assert [s["paused"] and s["paused"]["reason"] for s in listed] == [None, "it moves"]
    assert "it moves" in cli("sources")
    assert "staleproof refresh wiki" in cli("sources", "resume", "wiki")
    assert "wiki is not paused" in cli("sources", "resume", "wiki")
    assert cli.json("freshness", code=3)["sources"][1]["state"] == "error"


@pytest.mark.parametrize("act", ["pause", "resume"])
def test_name_that_no_source_has_is_the_users_mistake(cli: Cli, act: str) -> None:
    error = cli.json("sources", act, "wikki", code=2)["error"]
    assert error["type"] == "UnknownName"
    assert "Did you mean wiki?" in error["hint"]


def test_reason_cannot_steer_a_terminal(cli: Cli) -> None:
    cli("sources", "pause", "wiki", "--reason", "\x1b]0;owned\x07")
    for command in (["sources"], ["freshness"], ["status"], ["sources", "pause", "wiki"]):
        assert "\x1b" not in cli(*command)


def test_address_of_a_source_is_listed_without_its_password(cli: Cli) -> None:
    git = '[[sources]]\nname = "w"\nkind = "git"\nurl = "https://me:hunter2@git.example/w.git"\n'
    cli.project.configure(source(), f'{git}domain = "hr"\nlabels = ["public"]\n')
    assert "hunter2" not in cli("sources")
    assert cli.json("sources")["sources"][1]["location"] == "https://me:***@git.example/w.git"

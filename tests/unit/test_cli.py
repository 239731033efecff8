"""The command line itself: what it takes, how it explains itself."""

import json
import logging
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cyclopts import App

from flows.cli import app, run
from flows.cli.words import ago, clean, lasting, scrub
from tests.project import Project

ESCAPE = "\x1b]0;owned\x07"
"""What would give a terminal another title."""

COMMANDS = (
    "init",
    "plan",
    "refresh",
    "status",
    "search",
    "history",
    "history diff",
    "head",
    "verify",
    "freshness",
    "sources",
    "sources pause",
    "sources resume",
    "queries import",
    "rollback",
    "unpin",
    "withhold",
    "holds",
    "accept",
    "drop",
    "quarantine list",
    "quarantine show",
    "quarantine release",
    "quarantine retry",
    "audit",
    "models",
    "models show",
    "models diff",
    "models compare",
    "models export",
    "watch",
    "retrain",
    "promote",
    "demote",
    "fill",
    "reproduce",
    "up",
    "down",
    "doctor",
    "webhook add",
    "webhook test",
)


def apps(under: App, path: str = "") -> dict[str, App]:
    """All commands by their full names."""
    found = {}
    for name in under:
        if not name.startswith("-"):
            full = f"{path} {name}".strip()
            found |= {full: under[name], **apps(under[name], full)}
    return found


def test_there_are_the_commands_of_the_interface_and_no_others() -> None:
    groups = {"queries", "quarantine", "webhook"}
    assert set(apps(app)) - groups == set(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert apps(app)[command].help
    assert run([*command.split(), "--help"]) == 0
    shown = capsys.readouterr().out
    assert f"Usage: staleproof {command}" in shown
    assert "session" not in shown.lower()
    assert "--config" in shown


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_in_the_readme(command: str) -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text("utf-8")
    rows = [line for line in readme.splitlines() if line.startswith("| `")]
    row = re.compile(r"`" + r"\b[^`]*\b".join(command.split()) + r"\b")
    assert any(row.search(line) for line in rows), f"no row of the table names {command}"


def test_missing_configuration_says_how_to_write_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["--config", str(tmp_path / "none.toml"), "status"]) == 2
    message, hint = capsys.readouterr().err.splitlines()
    assert message.startswith("error: There is no configuration file")
    assert "staleproof init" in hint


def test_argument_without_a_value_is_a_mistake_in_json_too(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["status", "--json", "--config"]) == 2
    assert "--config" in json.loads(capsys.readouterr().out)["error"]["message"]


def test_warnings_of_the_engine_are_plain_lines_on_stderr(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["--version"]) == run(["--version"]) == 0
    capsys.readouterr()
    logging.getLogger("pipelines.sources").warning("look at %s", f"this{ESCAPE}")
    logging.getLogger("pipelines.sources").info("not at this")
    assert capsys.readouterr().err == "warning: look at this\\x1b]0;owned\\x07\n"


def initialised(*argv: str, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    assert run(["init", *argv, "--json"]) == 0
    said: dict[str, Any] = json.loads(capsys.readouterr().out)
    return said


def test_init_writes_what_works_and_never_overwrites(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "Our Wiki").mkdir()
    (tmp_path / "Our Wiki" / "a.md").write_text("# A\n\nText.\n")
    (tmp_path / ".gitignore").write_text("*.pyc")
    said = initialised("Our Wiki", capsys=capsys)
    suites = [f"data/expectations/{grain}.json" for grain in ("chunks", "documents", "publication")]
    dvc = ["dvc.yaml", "params.yaml", ".dvc/config", ".dvc/.gitignore", ".dvcignore"]
    assert said["written"] == ["staleproof.toml", "prefect.yaml", *dvc, *suites, ".gitignore"]
    assert said["source"] == {"name": "our-wiki", "kind": "files", "location": "Our Wiki"}
    ignored = ["*.pyc", "data/store/", ".staleproof/", "data/models/", "data/dvc-remote/"]
    assert (tmp_path / ".gitignore").read_text().splitlines() == ignored
    ports = Project(tmp_path).ports()
    assert run(["refresh"], ports=ports) == 0
    assert "our-wiki #1 published" in capsys.readouterr().out
    before = {path: (tmp_path / path).read_bytes() for path in said["written"]}
    assert initialised("Our Wiki", capsys=capsys)["written"] == []
    assert run(["init"]) == 0
    assert capsys.readouterr().out.count("as it is") == len(before)
    assert {path: (tmp_path / path).read_bytes() for path in before} == before


def test_init_brings_a_missing_suite_back_beside_those_of_its_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    initialised(capsys=capsys)
    file = tmp_path / "staleproof.toml"
    file.write_text(file.read_text().replace('"data/expectations"', '"rules"'))
    (tmp_path / "rules").mkdir()
    own = tmp_path / "rules" / "chunks.json"
    own.write_bytes((tmp_path / "data/expectations/chunks.json").read_bytes() + b" ")
    before = own.read_bytes()
    assert initialised(capsys=capsys)["written"] == [
        "rules/documents.json",
        "rules/publication.json",
    ]
    assert own.read_bytes() == before


def test_init_beside_a_broken_configuration_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "staleproof.toml").write_text("[knowledge]\nstroe = 1\n")
    assert run(["init"]) == 2
    assert "stroe" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["staleproof.toml"]


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("https://git.example.com/team/Team_Wiki.git", "team-wiki"),
        ("git@example.com:handbook.git", "handbook"),
        ("wiki.bundle", "wiki"),
    ],
)
def test_init_knows_a_git_repository(
    given: str,
    name: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "wiki.bundle").touch()
    assert initialised(given, capsys=capsys)["source"] == {
        "name": name,
        "kind": "git",
        "location": given,
    }


def test_init_refuses_what_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.md").touch()
    for given in ("nowhere", "a.md"):
        assert run(["init", given]) == 2
    assert not (tmp_path / "staleproof.toml").exists()
    assert "There is no folder" in capsys.readouterr().err


NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("at", "words"),
    [
        (None, "never"),
        ("2026-03-01T12:00:00+00:00", "just now"),
        ("2026-03-01T13:00:00+00:00", "just now"),
        ("2026-03-01T11:59:59+00:00", "1 second ago"),
        ("2026-03-01T11:57:30+00:00", "2 minutes ago"),
        ("2026-03-01T14:00:00+05:00", "3 hours ago"),
        ("2026-02-01T12:00:00+00:00", "28 days ago"),
    ],
)
def test_times_are_told_as_people_tell_them(at: str | None, words: str) -> None:
    assert ago(at, NOW) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(None, "-"), (0.04, "0.0 s"), (9.96, "10.0 s"), (119, "119 s"), (150, "2 min"),
     (7200, "2 h"), (3 * 86_400, "3 d")],
)  # fmt: skip
def test_lengths_of_time_have_a_unit_that_fits(seconds: float | None, words: str) -> None:
    assert lasting(seconds) == words


@pytest.mark.parametrize("char", ["\x1b", "\x07", "\r", "\n", "\x9b", "\u202e", "\u2028", "\udcff"])
def test_what_steers_a_terminal_is_spelled_out(char: str) -> None:
    shown = clean(f"a{char}b")
    assert char not in shown
    assert shown.isascii()
    assert scrub({"uris": [f"a{char}b"], f"a{char}b": 1}) == {"uris": [shown], shown: 1}


def test_passages_keep_their_lines_and_every_script() -> None:
    text = "größer\n\t中文 👩\u200d🚀 می\u200cروم"
    assert scrub({"text": text}) == {"text": text}
    assert scrub({"uri": "a\nb"}) == {"uri": "a\\nb"}
    for shown in ({"answers": {"base": "a\n- b"}}, {"wanted": ["a\nb"]}):
        assert scrub(shown) == shown

"""Endpoints are added and tried on the command line."""

import threading
from pathlib import Path
from typing import Any

import pytest

from pipelines.config import load_config
from tests.command_line import Cli
from tests.machine import free_port
from tests.project import source

KINDS = ("github", "gitlab", "standard", "hmac")
ADD = ("webhook", "add", "github", "--endpoint", "docs", "--source", "docs")


@pytest.fixture
def cli(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Cli:
    made = Cli.on_new_project(tmp_path, capsys)
    (tmp_path / "wiki").mkdir()
    port = f"\n[webhook]  # who may ask\nport = {free_port()}\n"
    made.project.configure(source(), source("wiki", path="wiki"), more=port)
    made.project.write("a.md", "# A\n\nIt says one.\n")
    return made


def file_of(cli: Cli) -> Path:
    return cli.project.root / "staleproof.toml"


def add(cli: Cli, kind: str = "github", name: str = "docs", *more: str) -> dict[str, Any]:
    return cli.json("webhook", "add", kind, "--endpoint", name, "--source", "docs", *more)


@pytest.mark.parametrize("kind", KINDS)
def test_add_writes_an_endpoint_and_tells_what_to_enter(cli: Cli, kind: str) -> None:
    before = file_of(cli).read_text()
    said = add(cli, kind, "my-docs", "--source", "wiki", "--url", "https://hooks.example.org/in/")
    after = file_of(cli).read_text()
    assert after.startswith(before)
    assert said["secret"] not in after
    [endpoint] = load_config(file_of(cli), env={}).webhook.endpoints
    assert (endpoint.name, endpoint.kind, endpoint.sources) == ("my-docs", kind, ("docs", "wiki"))
    assert endpoint.secret_env == said["secret_env"] == "WEBHOOK_SECRET_MY_DOCS"
    assert said["url"] == "https://hooks.example.org/in/hooks/my-docs"
    assert said["url"] in said["enter"].values()
    assert (said["workflow"], said["attention"]) == (None, [])


def test_added_endpoint_is_told_to_a_person_with_its_secret(cli: Cli) -> None:
    shown = cli(*ADD)
    secret = next(line for line in shown.splitlines() if "export" in line).partition("=")[2]
    for told in ("WEBHOOK_SECRET_DOCS", "Payload URL", "/hooks/docs", "Just the push event"):
        assert told in shown
    assert shown.count(secret) == 2
    assert "Only this machine reaches 127.0.0.1" in shown
    assert "staleproof webhook test docs" in shown


def test_every_endpoint_has_its_own_secret(cli: Cli) -> None:
    secrets = {add(cli, kind, f"docs-{kind}")["secret"] for kind in KINDS}
    assert len(secrets) == 4
    assert len(load_config(file_of(cli), env={}).webhook.endpoints) == 4


def test_file_keeps_its_form(cli: Cli) -> None:
    file = file_of(cli)
    text = "\ufeff" + file.read_text().rstrip().replace("\n", "\r\n")
    real = cli.project.root / "elsewhere.toml"
    real.write_bytes(text.encode())
    real.chmod(0o640)
    file.unlink()
    file.symlink_to(real.name)
    add(cli)
    assert file.is_symlink()
    assert real.stat().st_mode & 0o777 == 0o640
    after = real.read_bytes().decode()
    assert after.startswith(text + "\r\n")
    assert after.count("\n") == after.count("\r\n")
    assert not [*cli.project.root.glob(".staleproof.toml*"), *cli.project.root.glob(".elsewhere*")]


REFUSED = {
    "a name that is there": (ADD, "There is an endpoint docs"),
    "no name": ((*ADD[:4], "My Docs", *ADD[5:]), "a-z, 0-9"),
    "an unknown source": ((*ADD[:4], "other", "--source", "dosc"), "no source"),
    "a variable of settings": (
        (*ADD[:4], "other", *ADD[5:], "--secret-env", "STALEPROOF_SECRET"),
        "STALEPROOF_",
    ),
    "a variable in use": (
        (*ADD[:4], "other", *ADD[5:], "--secret-env", "WEBHOOK_SECRET_DOCS"),
        "endpoint docs",
    ),
    "no kind": (("webhook", "add", "bitbucket", *ADD[3:]), "bitbucket"),
    "no address": ((*ADD[:4], "other", *ADD[5:], "--url", "hooks.example.org"), "--url"),
    "an address with a query": (
        (*ADD[:4], "other", *ADD[5:], "--url", "https://x.example/?a=b"),
        "--url",
    ),
    "a workflow for GitLab": (
        ("webhook", "add", "gitlab", "--endpoint", "o", *ADD[5:], "--workflow", "new.yml"),
        "GitHub Actions",
    ),
    "a workflow that is there": (
        (*ADD[:4], "other", *ADD[5:], "--workflow", "staleproof.toml"),
        "already",
    ),
    "a name that is there, with a workflow": ((*ADD, "--workflow", "new.yml"), "endpoint docs"),
    "an option for a workflow": ((*ADD[:4], "other", *ADD[5:], "--workflow", "--debug"), "file"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_added_leaves_everything_as_it_was(
    cli: Cli, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(cli.project.root)
    add(cli)
    before = {path: path.read_bytes() for path in cli.project.root.glob("*") if path.is_file()}
    command, told = REFUSED[what]
    assert told in cli.json(*command, code=2)["error"]["message"]
    after = {path: path.read_bytes() for path in cli.project.root.glob("*") if path.is_file()}
    assert after == before


def test_endpoints_in_another_form_are_not_written_over(cli: Cli) -> None:
    cli.project.configure(more="[webhook]\nendpoints = []\n")
    before = file_of(cli).read_text()
    error = cli.json(*ADD, code=2)["error"]
    assert "endpoints = []" in error["hint"]
    assert file_of(cli).read_text() == before


def test_endpoints_of_the_environment_are_not_hidden_by_the_file(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STALEPROOF_WEBHOOK__ENDPOINTS", "[]")
    before = file_of(cli).read_text()
    assert "ENDPOINTS" in cli.json(*ADD, code=2)["error"]["message"]
    assert file_of(cli).read_text() == before


def test_workflow_goes_into_a_new_file_or_alone_onto_stdout(cli: Cli) -> None:
    file = cli.project.root / "ci/refresh.yml"
    said = add(cli, "hmac", "one", "--workflow", str(file))
    assert said["workflow"] == str(file)
    assert said["workflow_text"] == file.read_text()
    assert said["secret"] not in file.read_text()
    shown = cli("webhook", "add", "hmac", "--endpoint", "two", "--source", "docs", "--workflow", "-")
    assert shown == file.read_text().replace("one", "two").replace("ONE", "TWO")
    assert "WEBHOOK_SECRET_TWO=" in cli.err

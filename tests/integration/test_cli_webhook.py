"""Endpoints are added and tried on the command line."""

import http.server
import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn
import yaml

from flows.webhook.app import make_app
from flows.webhook.serve import listen
from pipelines.config import Config, load_config
from pipelines.inbox import inbox_of
from tests.command_line import Cli
from tests.machine import free_port, wait_until
from tests.project import Project, source

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
    assert endpoint.secret_env == said["secret_env"]
    assert said["secret_env"].endswith("_MY_DOCS")
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
    shown = cli(
        "webhook", "add", "hmac", "--endpoint", "two", "--source", "docs", "--workflow", "-"
    )
    assert shown == file.read_text().replace("one", "two").replace("ONE", "TWO")
    assert "WEBHOOK_SECRET_TWO=" in cli.err


@contextmanager
def in_thread(run: Callable[[], object], stop: Callable[[], object]) -> Iterator[None]:
    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        stop()
        thread.join(60)
        assert not thread.is_alive()


@contextmanager
def receiver(config: Config, secrets: dict[str, str]) -> Iterator[None]:
    """The receiver itself, where the configuration says, with these secrets."""
    app = make_app(config, secrets, tell=lambda *_, **__: None)
    with listen(config) as listening:
        server = uvicorn.Server(
            uvicorn.Config(app, log_config=None, http="h11", ws="none", lifespan="off")
        )
        with in_thread(
            lambda: server.run(sockets=[listening]), lambda: setattr(server, "should_exit", True)
        ):
            wait_until(lambda: server.started)
            yield


@contextmanager
def somebody_looks(project: Project) -> Iterator[None]:
    """Refreshes where a delivery waits, as the warm lane does."""
    ended = threading.Event()

    def look() -> None:
        while not ended.is_set():
            if inbox_of(project.config.store_uri).waiting():
                project.refresh()
            time.sleep(0.05)

    with in_thread(look, ended.set):
        yield


def secrets_of(said: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What a person sets, here and for the receiver."""
    monkeypatch.setenv(said["secret_env"], said["secret"])
    return {said["secret_env"]: said["secret"]}


@pytest.mark.parametrize("kind", KINDS)
def test_tried_endpoint_says_which_run_looked_and_when(
    cli: Cli, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    secrets = secrets_of(add(cli, kind, "docs", "--source", "wiki"), monkeypatch)
    config = cli.project.config
    with receiver(config, secrets), somebody_looks(cli.project):
        said = cli.json("webhook", "test", "docs", "--wait", "180s")
    assert (said["endpoint"], said["kind"], said["status"]) == ("docs", kind, 202)
    assert [one["source"] for one in said["sources"]] == ["docs", "wiki"]
    assert said["seconds"] == max(one["seconds"] for one in said["sources"]) > 0
    assert said["run"] is None  # a run of a test is on no server
    assert cli.project.seen() == {"docs/a.md"}
    sequence = inbox_of(config.store_uri).sequence_of("docs", said["delivery"])
    assert sequence is not None


def test_run_of_the_server_is_linked(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = secrets_of(add(cli), monkeypatch)
    run = "0198f2a4-7f3e-7c3b-9a53-0f6f8f8b5c1d"
    inbox = inbox_of(cli.project.config.store_uri)
    ended = threading.Event()

    def settle() -> None:
        while not ended.is_set():
            now = cli.project.now
            named = f"{run.replace('-', '')}-2"
            inbox.settle(inbox.waiting(), run=named, taken_at=now, now=now)
            time.sleep(0.05)

    with receiver(cli.project.config, secrets), in_thread(settle, ended.set):
        said = cli.json("webhook", "test", "docs", "--wait", "180s")
        assert said["run"] == f"http://127.0.0.1:4200/v2/runs/flow-run/{run}"
        shown = cli("webhook", "test", "docs", "--wait", "180s")
    assert said["run"] in shown
    assert "after it was sent" in shown


def test_token_of_gitlab_may_have_any_letters(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    secret_env = add(cli, "gitlab")["secret_env"]
    secrets = secrets_of({"secret_env": secret_env, "secret": "größer ✓"}, monkeypatch)
    with receiver(cli.project.config, secrets), somebody_looks(cli.project):
        assert cli.json("webhook", "test", "docs", "--wait", "180s")["status"] == 202


def test_nobody_who_listens_is_for_later(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    secrets_of(add(cli), monkeypatch)
    error = cli.json("webhook", "test", "docs", code=4)["error"]
    assert "staleproof up" in error["hint"]


def test_nobody_who_looks_is_for_later(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = secrets_of(add(cli), monkeypatch)
    cli.project.refresh()  # who looked before it was asked is not meant
    with receiver(cli.project.config, secrets):
        error = cli.json("webhook", "test", "docs", "--wait", "1s", code=4)["error"]
    assert "no run has looked at docs" in error["message"]
    assert "staleproof doctor" in error["hint"]
    assert set(inbox_of(cli.project.config.store_uri).waiting()) == {"docs"}


def test_other_secret_here_than_there_is_the_users_mistake(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = add(cli)
    assert said["secret_env"] in cli.json("webhook", "test", "docs", code=2)["error"]["message"]
    monkeypatch.setenv(said["secret_env"], "another")
    with receiver(cli.project.config, {said["secret_env"]: said["secret"]}):
        error = cli.json("webhook", "test", "docs", code=2)["error"]
    assert "another secret" in error["message"]
    assert said["secret"] not in str(error)


def test_name_that_no_endpoint_has_is_the_users_mistake(cli: Cli) -> None:
    add(cli)
    error = cli.json("webhook", "test", "dosc", code=2)["error"]
    assert error["type"] == "UnknownName"
    assert "Did you mean docs?" in error["hint"]


def test_receiver_of_another_project_is_told_apart(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secrets = secrets_of(add(cli), monkeypatch)
    config = cli.project.config
    elsewhere = config.model_copy(update={"root": tmp_path / "elsewhere"})
    with receiver(elsewhere, secrets):
        error = cli.json("webhook", "test", "docs", code=1)["error"]
    assert "not for the store of this project" in error["message"]


def test_server_that_is_no_receiver_is_told_apart(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    secrets_of(add(cli), monkeypatch)

    class Other(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_error(404)

        def log_message(self, *_: object) -> None:
            pass

    webhook = cli.project.config.webhook
    with (
        http.server.HTTPServer((webhook.host, webhook.port), Other) as other,
        in_thread(other.serve_forever, other.shutdown),
    ):
        error = cli.json("webhook", "test", "docs", code=1)["error"]
    assert "is no receiver" in error["message"]


@pytest.mark.parametrize("kind", ["github", "standard", "hmac"])
def test_workflow_signs_what_the_receiver_takes(
    cli: Cli, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = add(cli, kind, "docs", "--workflow", "-")
    [job] = yaml.safe_load(said["workflow_text"])["jobs"].values()
    [step] = job["steps"]
    given = {"secrets." + said["secret_env"]: said["secret"], "github.sha": "5eed"}
    given |= {"github.run_id": "7", "github.run_attempt": "1"}
    env = dict(step["env"])
    for name, value in given.items():
        env = {key: text.replace(f"${{{{ {name} }}}}", value) for key, text in env.items()}
    config = cli.project.config
    with receiver(config, secrets_of(said, monkeypatch)):
        subprocess.run(
            ["bash", "-c", step["run"]], env=os.environ | env, check=True, capture_output=True
        )
    assert inbox_of(config.store_uri).sequence_of("docs", "7-1") is not None
    assert set(inbox_of(config.store_uri).waiting()) == {"docs"}

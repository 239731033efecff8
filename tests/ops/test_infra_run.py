"""The services of the compose file without containers: their commands, environments and order."""

import json
import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from flows.ops.declared import read_deployments
from flows.ops.environment import MARK
from flows.ops.processes import reap
from flows.ops.rest import Api
from flows.ops.starter import prefect_yaml
from flows.webhook.signing import sign
from pipelines.inbox import inbox_of
from tests.compose_file import SECRETS, SERVICES, environment_of, instructions
from tests.machine import free_port, wait_until
from tests.postgres import postgres
from tests.project import Project

pytestmark = [pytest.mark.slow, pytest.mark.postgres]

BIN = Path(sys.executable).parent
SECRET = "of-an-endpoint"  # noqa: S105 - of this test
ENDPOINT = """
[[webhook.endpoints]]
name = "docs"
kind = "hmac"
source = "docs"
secret_env = "HOOK_SECRET"
"""
DATABASE = "prefect:abc123@postgres:5432/prefect"


@dataclass(frozen=True)
class Host:
    """What stands in for the host: every name and place of the containers, and where it is here."""

    root: Path
    instead: Mapping[str, str]

    def here(self, text: str) -> str:
        names = "|".join(re.escape(name) for name in self.instead)
        return re.sub(names, lambda found: self.instead[found[0]], text)

    def environment(self, service: str) -> dict[str, str]:
        told = {name: self.here(value) for name, value in environment_of(service).items()}
        told["PREFECT_HOME"] += f"-{service}"  # a volume each
        if "STALEPROOF_SERVER__HOST" in told:
            told["STALEPROOF_SERVER__HOST"] = "127.0.0.1"
        return (
            told
            | {
                "PREFECT_WORKER_WEBSERVER_PORT": self.here("8080"),
                "PATH": f"{BIN}:/usr/bin:/bin",
                "PYTHONPATH": os.environ["PYTHONPATH"],  # a connection to another machine fails
                MARK: str(self.root),
            }
            | ({"HOOK_SECRET": SECRET} if service == "receiver" else {})
        )

    def run(self, service: str, command: list[str], code: int = 0) -> str:
        done = subprocess.run(
            [self.here(word) for word in command],
            env=self.environment(service),
            cwd=self.root / "project",
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout

    @contextmanager
    def started(self, service: str, is_healthy: list[str]) -> Iterator[None]:
        log = self.root / f"{service}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [self.here(word) for word in SERVICES[service]["command"]],
                env=self.environment(service),
                cwd=self.root / "project",
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        try:
            wait_until(
                lambda: self.answers(service, is_healthy),
                seconds=240,
                said=lambda: log.read_text()[-3000:],
            )
            yield
        finally:
            process.terminate()
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def answers(self, service: str, command: list[str]) -> bool:
        words = [self.here(word) for word in command]
        env = self.environment(service)
        return subprocess.run(words, env=env, capture_output=True, check=False).returncode == 0


def image_check() -> list[str]:
    said = next(one for one in instructions() if one.startswith("HEALTHCHECK"))
    command: list[str] = json.loads(said.partition(" CMD ")[2])
    return command


def contents(folder: Path) -> dict[str, bytes]:
    return {str(file): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    project = Project(tmp_path / "project")
    project.write("a.md", "# A\n\nAll quokkas get leave in the month of May.\n")
    project.configure(more=ENDPOINT)
    text = prefect_yaml(knowledge="kb", config="staleproof.toml")
    (project.root / "prefect.yaml").write_text(text)
    for place in (
        "models",
        "prefect-server",
        "prefect-setup",
        "prefect-worker",
        "prefect-receiver",
        "store",
    ):
        (tmp_path / "var" / place).mkdir(parents=True)
    with ExitStack() as left:
        database = left.enter_context(postgres())
        left.callback(reap, str(tmp_path), 10)
        port, health, hooks = (str(free_port()) for _ in range(3))
        yield Host(
            tmp_path,
            {
                DATABASE: database.url().removeprefix("postgresql://"),
                "http://server": "http://127.0.0.1",
                "0.0.0.0": "127.0.0.1",  # noqa: S104 - not bound
                "4200": port,
                "4280": hooks,
                "8080": health,
                "/project": str(project.root),
                "/var/lib/staleproof": str(tmp_path / "var"),
            },
        )


def test_services_start_in_their_order_and_a_refresh_runs_without_writing_to_the_project(
    host: Host,
) -> None:
    project = host.root / "project"
    before = contents(project)
    with host.started("server", image_check()):
        applied = json.loads(host.run("setup", SERVICES["setup"]["command"]).splitlines()[-1])
        declared = len(read_deployments(project))
        assert applied == {"created": declared, "updated": 0, "removed": 0}
        with host.started("worker", SERVICES["worker"]["healthcheck"]["test"][1:]):
            refreshed(
                Api(
                    host.here("http://127.0.0.1:4200/api"),
                    SECRETS["PREFECT_SERVER_API_AUTH_STRING"],
                )
            )
            hits = json.loads(host.run("worker", shlex.split("staleproof search leave --json")))
            assert [hit["uri"] for hit in hits["hits"]] == ["docs/a.md"]
            with host.started("receiver", SERVICES["receiver"]["healthcheck"]["test"][1:]):
                delivered(host)
                examined = json.loads(host.run("receiver", ["staleproof", "doctor", "--json"]))
    states = {check["name"]: check["state"] for check in examined["checks"]}
    on_server = ("server", "work pool", "deployments", "automations", "schedules", "receiver")
    assert {name: states[name] for name in on_server} == dict.fromkeys(on_server, "ok")
    assert "error" not in states.values()
    assert "admin:pw" not in json.dumps(examined)
    assert contents(project) == before
    assert (host.root / "var" / "store" / "publications.lance").is_dir()


def delivered(host: Host) -> None:
    """A signed delivery is a run of the worker, which looks at the source."""
    inbox = inbox_of(str(host.root / "var" / "store"))
    headers = sign("hmac", SECRET, b"{}", id="one", now=datetime.now(UTC))
    answer = httpx.post(
        host.here("http://127.0.0.1:4280/hooks/docs"), content=b"{}", headers=headers
    )
    assert answer.status_code == 202
    wait_until(lambda: not inbox.waiting(), seconds=240, said=lambda: "nobody looks at it")


def refreshed(api: Api) -> None:
    deployment = api.ask("GET", "/deployments/name/refresh/kb")
    made: dict[str, Any] = api.ask("POST", f"/deployments/{deployment['id']}/create_flow_run", {})

    def state() -> str:
        return str(api.ask("GET", f"/flow_runs/{made['id']}")["state_type"])

    deadline = time.monotonic() + 240
    while (seen := state()) not in {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}:
        assert time.monotonic() < deadline, seen
        time.sleep(1)
    assert seen == "COMPLETED"

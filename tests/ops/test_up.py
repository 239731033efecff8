"""A real server and worker on a free port: up, killed in parts, down, and nothing is left."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from flows.ops.environment import MARK
from flows.ops.lost import crash_lost_runs
from flows.ops.preflight import check_port
from flows.ops.processes import marked, reap
from flows.ops.rest import Api
from flows.ops.starter import prefect_yaml
from flows.ops.state import UpState, read_state
from flows.ops.up import worker_name
from flows.ops.upcoming import read_upcoming
from flows.warm.life import find_lane
from pipelines.config import Config
from pipelines.processes import ProcessId, is_alive
from tests.machine import STALEPROOF, free_port, wait_until, without_server
from tests.postgres import PASSWORD, postgres
from tests.project import Project

pytestmark = pytest.mark.slow

FINDS = (
    "from pathlib import Path\n"
    "from pipelines.config import load_config\n"
    "from flows.ops.attach import use_running_server\n"
    "use_running_server(load_config(Path('staleproof.toml')))\n"
    "from flows.server import check_server\n"
    "check_server()\n"
    "from prefect.settings import PREFECT_API_URL\n"
    "print(PREFECT_API_URL.value())\n"
)


@dataclass
class Machine:
    """A project on this machine, and the commands that a person types."""

    config: Config

    @classmethod
    def at(cls, root: Path, more: str = "") -> "Machine":
        project = Project(root)
        (root / "docs").mkdir()
        project.configure(more=f"[server]\nport = {free_port()}\n{more}")
        (root / "prefect.yaml").write_text(prefect_yaml(knowledge="kb", config="staleproof.toml"))
        return cls(project.config)

    def python(self, *argv: str, code: int = 0, env: Mapping[str, str] | None = None) -> str:
        done = subprocess.run(
            argv,
            cwd=self.config.root,
            env=without_server() | dict(env or {}),
            capture_output=True,
            text=True,
            timeout=400,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout

    def __call__(
        self, *argv: str, code: int = 0, env: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        printed = self.python(*STALEPROOF, *argv, "--json", code=code, env=env)
        said: dict[str, Any] = json.loads(printed)
        return said

    @property
    def mark(self) -> str:
        return str(self.config.root / ".staleproof")

    def state(self) -> UpState:
        state = read_state(self.config)
        assert state is not None
        return state

    def process(self, name: str) -> ProcessId | None:
        return next(one.process for one in self.state().processes if one.name == name)

    def assert_nothing_is_left(self) -> None:
        assert not marked(self.mark)
        assert read_state(self.config) is None
        check_port(self.config)


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    made = Machine.at(tmp_path)
    yield made
    _end(made)


def _end(machine: Machine) -> None:
    state = read_state(machine.config)
    if state is not None and is_alive(state.supervisor):
        os.kill(state.supervisor.pid, signal.SIGKILL)
    reap(machine.mark, seconds=0)


def test_up_survives_kills_and_down_leaves_nothing(machine: Machine) -> None:
    said = machine("up", "--detach")
    assert said["ready"]
    assert "SQLite: for one person" in said["database"]
    api = Api.of(machine.config)
    assert api.is_healthy()
    again = machine("up", "--detach")
    assert again["already"]
    assert again["addresses"] == said["addresses"]
    assert [one["pid"] for one in again["processes"]] == [one["pid"] for one in said["processes"]]

    _assert_deployed_and_scheduled(api)
    url = said["addresses"]["api"]
    assert machine.python(sys.executable, "-P", "-c", FINDS).strip() == url
    other = {"PREFECT_API_URL": f"http://127.0.0.1:{free_port()}/api"}
    machine("refresh", "--flow", code=4, env=other)

    _assert_lost_runs_crash(api, machine.config)
    server, worker = machine.process("server"), machine.process("worker")
    assert server
    assert worker
    os.kill(server.pid, signal.SIGKILL)
    wait_until(lambda: machine.process("server") not in (server, None) and api.is_healthy())
    os.kill(worker.pid, signal.SIGKILL)
    wait_until(lambda: machine.process("worker") not in (worker, None))
    assert [one.restarts for one in machine.state().processes] == [1, 1]

    supervisor = machine.state().supervisor
    os.kill(supervisor.pid, signal.SIGKILL)
    assert machine("down")["killed_before"] in (True, False)  # on Linux they may be gone already
    machine.assert_nothing_is_left()
    assert machine("down") == {"stopped": 0, "killed_before": False}


def _assert_deployed_and_scheduled(api: Api) -> None:
    names = {one["name"] for one in api.ask("POST", "/deployments/filter", {})}
    assert names == {"kb", "kb-recheck"}
    wait_until(lambda: bool(read_upcoming(api)))
    coming = read_upcoming(api)
    assert "refresh/kb" in {one.name for one in coming}


def _assert_lost_runs_crash(api: Api, config: Config) -> None:
    """One whose process has ended, none whose process lives; none while others have a worker."""
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    pids = {"lost": f"{ended.pid}", "cancelled": f"{ended.pid}", "lives": f"{os.getpid()}"}
    deployment = api.ask("GET", "/deployments/name/decide/kb")["id"]
    for name, pid in pids.items():
        kind = "CANCELLING" if name == "cancelled" else "PENDING"
        state = {"type": kind, "name": kind.capitalize()}
        asked = {"name": name, "state": state, "enforce_parameter_schema": False}
        run = api.ask("POST", f"/deployments/{deployment}/create_flow_run", asked)
        api.ask("PATCH", f"/flow_runs/{run['id']}", {"infrastructure_pid": pid})
    assert crash_lost_runs(api, config.server.pool, "of another machine") == 0
    assert crash_lost_runs(api, config.server.pool, worker_name()) == 2
    found = api.ask("POST", "/flow_runs/filter", {"flow_runs": {"name": {"any_": list(pids)}}})
    states = {run["name"]: run["state_type"] for run in found}
    assert states == {"lost": "CRASHED", "cancelled": "CANCELLED", "lives": "PENDING"}


def test_receiver_and_warm_lane_come_up_come_back_and_go(tmp_path: Path) -> None:
    port, secret = free_port(), {"DOCS_SECRET": "of a sender, 32 bytes long or so"}
    endpoint = (
        f"[webhook]\nport = {port}\n[[webhook.endpoints]]\n"
        'name = "docs"\nkind = "github"\nsource = "docs"\nsecret_env = "DOCS_SECRET"'
    )
    machine = Machine.at(tmp_path, endpoint)
    try:
        said = machine("up", "--detach", env=secret)
        assert said["addresses"]["webhooks"] == f"http://127.0.0.1:{port}/hooks/"
        names = [one["name"] for one in said["processes"]]
        assert names == ["server", "worker", "receiver", "warm lane"]
        assert Api(f"http://127.0.0.1:{port}").is_well()
        sees = {name: _sees(machine, name, "DOCS_SECRET") for name in names}
        assert sees == {"server": False, "worker": False, "receiver": True, "warm lane": False}
        wait_until(lambda: (lane := find_lane(machine.config)) is not None and lane.ready)
        checks = {one["name"]: one for one in machine("doctor", env=secret)["checks"]}
        assert [checks[name]["state"] for name in ("receiver", "warm lane", "inbox")] == ["ok"] * 3
        lane = machine.process("warm lane")
        assert lane
        os.kill(lane.pid, signal.SIGKILL)
        wait_until(lambda: machine.process("warm lane") not in (lane, None))
        machine("down")
        machine.assert_nothing_is_left()
        assert not Api(f"http://127.0.0.1:{port}").is_well()
    finally:
        _end(machine)


def _sees(machine: Machine, name: str, variable: str) -> bool:
    process = machine.process(name)
    assert process is not None
    return variable in psutil.Process(process.pid).environ()


@pytest.mark.postgres
def test_up_in_a_terminal_on_postgresql_keeps_the_password_to_itself_until_ctrl_c(
    machine: Machine,
) -> None:
    with postgres() as server, running(machine, server.url()) as (up, shown):
        assert f"PostgreSQL: staleproof on 127.0.0.1:{server.port}" in "".join(shown)
        assert "/v2/artifacts" in "".join(shown)
        assert not (machine.config.root / ".staleproof/prefect/prefect.db").exists()
        for process in marked(machine.mark):
            argv = Path(f"/proc/{process.pid}/cmdline").read_bytes()
            assert PASSWORD.encode() not in argv
        logs = (machine.config.root / ".staleproof/logs").iterdir()
        assert not any(PASSWORD in text for text in (*shown, *(log.read_text() for log in logs)))
        up.send_signal(signal.SIGINT)
        assert up.stdout is not None
        last = up.stdout.read()
        assert up.wait(120) == 0, last
        assert last.rstrip().endswith("Stopped; nothing of it is left running.")
        machine.assert_nothing_is_left()


@contextlib.contextmanager
def running(machine: Machine, url: str) -> Iterator[tuple["subprocess.Popen[str]", list[str]]]:
    """An ``up`` in the foreground that is ready, and what it has shown by then."""
    with subprocess.Popen(
        [*STALEPROOF, "up"],
        cwd=machine.config.root,
        env=without_server() | {"STALEPROOF_SERVER__DATABASE_URL": url},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as up:
        assert up.stdout is not None
        shown: list[str] = []
        for line in up.stdout:
            shown.append(line)
            if line.startswith("Ready."):
                break
        try:
            yield up, shown
        finally:
            up.terminate()


def test_what_a_killed_up_left_is_ended_by_the_next_one(machine: Machine) -> None:
    (machine.config.root / "prefect.yaml").unlink()
    left = subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(600)"],
        env=without_server() | {MARK: machine.mark},
    )
    machine("up", code=2)
    assert left.wait(10) != 0
    machine.assert_nothing_is_left()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stop_while_it_starts_leaves_nothing(machine: Machine, number: signal.Signals) -> None:
    with subprocess.Popen(
        [*STALEPROOF, "up", "--detach"],
        cwd=machine.config.root,
        env=without_server(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as starting:
        wait_until(lambda: any(one.name == "server" for one in _processes(machine)))
        starting.send_signal(number)
        starting.wait(120)
    machine.assert_nothing_is_left()


def _processes(machine: Machine) -> tuple[Any, ...]:
    state = read_state(machine.config)
    return state.processes if state else ()

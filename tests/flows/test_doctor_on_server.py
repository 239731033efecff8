"""The doctor beside a server: what the files say and the server does not have, and mending it."""

import json
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from flows.cli import run
from flows.ops.doctor import Check, api_in_use, examine
from flows.ops.rest import Api
from flows.ops.starter import prefect_yaml
from pipelines.config import Config, load_config
from tests.flows.runs import new_project

pytestmark = pytest.mark.usefixtures("server", "leftovers")

ON_SERVER = ("work pool", "deployments", "automations", "schedules")


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    """A project with its own pool, for the server is shared."""
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    file = new_project(tmp_path)
    name = load_config(file).knowledge.name
    file.write_text(f'{file.read_text()}\n[server]\npool = "{name}"\n')
    text = prefect_yaml(knowledge=name, config=file.name, pool=name)
    (tmp_path / "prefect.yaml").write_text(text)
    return load_config(file)


def looked(config: Config, *, fix: bool = False, **later: float) -> dict[str, Check]:
    now = datetime.now(UTC) + timedelta(**later)
    return {check.name: check for check in examine(config, now=now, fix=fix).checks}


def api(config: Config) -> Api:
    used, is_wanted = api_in_use(config)
    assert is_wanted
    return used


def beat(config: Config) -> None:
    """What a worker says of itself every few seconds."""
    path = f"/work_pools/{config.server.pool}/workers/heartbeat"
    api(config).ask("POST", path, {"name": "a-worker"})


def deployment(config: Config, flow: str) -> dict[str, Any]:
    name = config.knowledge.name
    found: dict[str, Any] = api(config).ask("GET", f"/deployments/name/{flow}/{name}")
    return found


@pytest.mark.slow
def test_what_is_missing_on_the_server_is_told_mended_and_told_again(
    config: Config, capsys: pytest.CaptureFixture[str]
) -> None:
    found = looked(config)
    assert found["server"].state == "ok"
    assert "Prefect 3.8" in found["server"].found
    assert [found[name].state for name in ON_SERVER] == ["error", "error", "error", "skipped"]
    assert f"there is no work pool {config.server.pool}" in found["work pool"].found
    assert f"refresh/{config.knowledge.name}: all of it" in found["deployments"].found

    assert run(["--config", str(config.path), "doctor", "--fix", "--json"]) == 1
    data = json.loads(capsys.readouterr().out)
    assert {one["name"] for one in data["fixed"]} >= {"work pool", "deployments", "automations"}
    states = {check["name"]: check["state"] for check in data["checks"]}
    assert {name for name, state in states.items() if state == "error"} == {"work pool"}
    said = next(check for check in data["checks"] if check["name"] == "work pool")
    assert "no worker takes runs" in said["found"]
    assert f"prefect worker start --pool {config.server.pool}" in said["mend"]

    beat(config)
    found = looked(config)
    assert [found[name].state for name in ON_SERVER] == ["ok"] * 4
    assert "a-worker" in found["work pool"].found

    server = api(config)
    refresh = deployment(config, "refresh")
    server.ask("PATCH", f"/deployments/{refresh['id']}", {"paused": True})
    watchdog = deployment(config, "watchdog")
    server.ask("PATCH", f"/deployments/{watchdog['id']}", {"description": "of somebody else"})
    found = looked(config)
    assert found["schedules"].state == "warn"
    assert f"paused: refresh/{config.knowledge.name}" in found["schedules"].found
    assert found["deployments"].state == "error"
    assert f"watchdog/{config.knowledge.name}: description" in found["deployments"].found
    assert "of somebody else" not in found["deployments"].found

    hour_ago = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    due = {"type": "SCHEDULED", "state_details": {"scheduled_time": hour_ago}}
    server.ask("POST", f"/deployments/{watchdog['id']}/create_flow_run", {"state": due})
    late = looked(config, hours=1)["schedules"]
    assert late.state == "error"
    assert f"watchdog/{config.knowledge.name}: a run is due since {hour_ago[:10]}" in late.found
    # This server has no scheduler: after an hour, that is not because they were deployed just now.
    assert f"maintain/{config.knowledge.name}: no run is planned" in late.found


def test_server_that_does_not_take_our_password_is_told(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object, **__: object) -> Any:
        raise OSError("GET /admin/version is answered 401")

    real = Api.ask

    def ask(self: Api, method: str, path: str, *args: Any, **options: Any) -> Any:
        return real(self, method, path, *args, **options) if path == "/health" else refused()

    monkeypatch.setattr(Api, "ask", ask)
    found = looked(config)
    assert found["server"].state == "error"
    assert not found["server"].retryable
    assert "PREFECT_API_AUTH_STRING" in found["server"].mend
    assert [found[name].state for name in ON_SERVER] == ["skipped"] * 4


@pytest.mark.slow
def test_commit_since_the_deployment_is_a_warning_and_not_a_problem(config: Config) -> None:
    looked(config, fix=True)
    assert looked(config)["deployments"].state == "ok"
    who = ("-c", "user.name=a", "-c", "user.email=a@b.c")
    for words in (("init",), ("add", "prefect.yaml"), (*who, "commit", "--message", "a")):
        subprocess.run(["git", *words], cwd=config.root, check=True, capture_output=True)
    check = looked(config)["deployments"]
    assert (check.state, check.fixable) == ("warn", True)
    assert "it was not in git, and is " in check.found
    assert looked(config, fix=True)["deployments"].state == "ok"

"""What processes of ``up`` are told: every setting is one that Prefect knows, and none is a leak."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from flows.ops import environment
from flows.ops.environment import (
    MARK,
    api_url,
    auth_string,
    child_environment,
    client_environment,
    mark_of,
    server_environment,
    worker_environment,
)
from pipelines.config import Config, load_config
from pipelines.errors import ConfigError
from tests.project import Project

POSTGRES = "postgresql://me:secret@db/runs"
READS = """
import json
from prefect.settings import get_current_settings
from prefect.settings.legacy import _get_settings_fields
from prefect.settings import Settings
now = get_current_settings()
print(json.dumps({
    "known": sorted(_get_settings_fields(Settings)),
    "retention": now.server.services.db_vacuum.retention_period.total_seconds(),
    "vacuum": sorted(now.server.services.db_vacuum.enabled_vacuum_types),
    "events": now.server.events.retention_period.days,
    "ui": now.server.ui.api_url,
    "database": now.server.database.connection_url.get_secret_value(),
    "heartbeat": now.flows.heartbeat_frequency,
    "home": str(now.home),
    "ephemeral": now.server.ephemeral.enabled,
    "analytics": now.server.analytics_enabled,
}))
"""


def configured(root: Path, server: str = "") -> Config:
    project = Project(root)
    project.configure(more=f"[server]\n{server}")
    return project.config


def read_by_prefect(settings: dict[str, str], cwd: Path) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-P", "-c", READS],
        env=settings,
        cwd=cwd,
        check=True,
        capture_output=True,
        text=True,
    )
    read: dict[str, Any] = json.loads(done.stdout)
    return read


def test_prefect_knows_every_setting_and_reads_it_as_meant(tmp_path: Path) -> None:
    config = configured(tmp_path, "keep_runs_days = 12\nport = 4321")
    settings = server_environment(config, {}) | worker_environment(config, {})
    foreign = {"PREFECT_API_DATABASE_CONNECTION_URL": "sqlite:///elsewhere.db"}
    read = read_by_prefect(child_environment(config, settings, os.environ | foreign), tmp_path)
    ours = {name for name in settings if name.startswith("PREFECT_")}
    assert ours <= set(read.pop("known"))
    assert read == {
        "retention": 12 * 86_400,
        "vacuum": ["events", "flow_runs", "orphans"],
        "events": 12,
        "ui": "http://127.0.0.1:4321/api",
        "database": f"sqlite+aiosqlite:///{tmp_path}/.staleproof/prefect/prefect.db",
        "heartbeat": 30,
        "home": f"{tmp_path}/.staleproof/prefect",
        "ephemeral": False,
        "analytics": False,
    }


def test_postgresql_is_named_by_its_driver_and_is_not_slowed(tmp_path: Path) -> None:
    lite = configured(tmp_path)
    team = configured(tmp_path, 'database_url = "postgresql://me@db/runs"')
    settings = server_environment(team, {})
    key = "PREFECT_SERVER_DATABASE_CONNECTION_URL"
    assert settings[key] == "postgresql+asyncpg://me@db/runs"
    slowed = set(environment._SQLITE_SERVER)
    assert slowed <= set(server_environment(lite, {}))
    assert not slowed & set(settings)
    asks = "PREFECT_WORKER_QUERY_SECONDS"
    assert float(worker_environment(team, {})[asks]) < float(worker_environment(lite, {})[asks])


def test_what_a_person_tuned_stays_but_not_which_server(tmp_path: Path) -> None:
    config = configured(tmp_path)
    env = {
        "PREFECT_WORKER_QUERY_SECONDS": "7",
        "PREFECT_API_URL": "http://elsewhere/api",
        "PREFECT_API_KEY": "key of a cloud",
        "PREFECT_SERVER_DATABASE_HOST": "elsewhere",
        "STALEPROOF_SERVER__DATABASE_URL": POSTGRES,
        "PATH": "/bin",
    }
    told = child_environment(config, worker_environment(config, env), env)
    assert told["PREFECT_WORKER_QUERY_SECONDS"] == "7"
    assert told["PREFECT_API_URL"] == "http://127.0.0.1:4200/api"
    assert told["PATH"] == "/bin"
    assert "elsewhere" not in str(told)
    assert "secret" not in str(told)
    assert "PREFECT_API_KEY" not in told


def test_auth_string_goes_to_server_and_clients_alike(tmp_path: Path) -> None:
    config = configured(tmp_path, 'host = "0.0.0.0"\nauth_env = "UI_LOGIN"')
    env = {"UI_LOGIN": "admin:pw"}
    assert server_environment(config, env)["PREFECT_SERVER_API_AUTH_STRING"] == "admin:pw"
    assert client_environment(config, env)["PREFECT_API_AUTH_STRING"] == "admin:pw"
    assert "PREFECT_API_AUTH_STRING" not in client_environment(configured(tmp_path), {})


def test_secrets_of_senders_are_for_the_receiver_alone(tmp_path: Path) -> None:
    endpoint = (
        '[[webhook.endpoints]]\nname = "docs"\nkind = "github"\nsource = "docs"\n'
        'secret_env = "DOCS_SECRET"'
    )
    config, env = configured(tmp_path, endpoint), {"DOCS_SECRET": "s3cret", "PATH": "/bin"}
    for settings in (server_environment(config, env), worker_environment(config, env)):
        assert "s3cret" not in str(child_environment(config, settings, env))
    told = child_environment(config, client_environment(config, env), env, takes_webhooks=True)
    assert "s3cret" in told.values()


@pytest.mark.parametrize(
    ("host", "value", "said"),
    [
        ("0.0.0.0", "", "UI_LOGIN is not set"),  # noqa: S104 - not bound
        ("192.0.2.1", "", "192.0.2.1 lets others reach the server"),
        ("127.0.0.1", "no-colon", "must be user:password"),
        ("127.0.0.1", ":pw", "must be user:password"),
    ],
)
def test_missing_or_malformed_auth_is_told(
    tmp_path: Path, host: str, value: str, said: str
) -> None:
    config = configured(tmp_path, f'host = "{host}"\nauth_env = "UI_LOGIN"')
    with pytest.raises(ConfigError, match=said):
        auth_string(config, {"UI_LOGIN": value} if value else {})


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_loopback_needs_no_auth(tmp_path: Path, host: str) -> None:
    assert auth_string(configured(tmp_path, f'host = "{host}"'), {}) is None


def test_addresses_are_ones_that_can_be_opened(tmp_path: Path) -> None:
    hosts = ("127.0.0.1", "0.0.0.0", "::", "::1", "ui.example.com")  # noqa: S104 - not bound
    urls = {host: api_url(configured(tmp_path, f'host = "{host}"')) for host in hosts}
    assert urls == {
        "127.0.0.1": "http://127.0.0.1:4200/api",
        "0.0.0.0": "http://127.0.0.1:4200/api",  # noqa: S104 - not bound
        "::": "http://[::1]:4200/api",
        "::1": "http://[::1]:4200/api",
        "ui.example.com": "http://ui.example.com:4200/api",
    }


def test_processes_are_found_by_whatever_path_a_project_is_reached(tmp_path: Path) -> None:
    real, link = tmp_path / "real", tmp_path / "link"
    real.mkdir()
    link.symlink_to(real)
    Project(real).configure()
    configs = [load_config(folder / "staleproof.toml", env={}) for folder in (real, link)]
    marks = {child_environment(config, {}, {})[MARK] for config in configs}
    assert marks == {mark_of(config) for config in configs} == {str(real / ".staleproof")}

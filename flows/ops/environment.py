"""What the server, the worker and whoever talks to them are told by environment variables.

A setting here that a person has set is left as it is, unless it says which server, which database
or which folder: those are the project's own, so that two projects share nothing.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path

from pipelines.config import Config
from pipelines.errors import ConfigError

FOLDER = ".staleproof"
"""Beside the configuration, out of git: state, logs, and what Prefect keeps."""

MARK = "_STALEPROOF_UP"
"""Set for every process of an ``up`` and for their children; its value is the project's folder."""

_HEARTBEAT_SECONDS = 30
_EVENT_DAYS = 30
"""Events are many; longer than this they are of no use, however long runs are kept."""

_DAY_SECONDS = 86_400
_ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - read, not bound

_FOREIGN = frozenset(
    {
        "PREFECT_API_URL",
        "PREFECT_API_KEY",
        "PREFECT_API_AUTH_STRING",
        "PREFECT_PROFILE",
        "PREFECT_PROFILES_PATH",
        "PREFECT_UI_URL",
        "PREFECT_SERVER_API_AUTH_STRING",
        "STALEPROOF_SERVER__DATABASE_URL",
        *(
            f"PREFECT_{area}_DATABASE_{part}"
            for area in ("API", "SERVER")
            for part in ("CONNECTION_URL", "DRIVER", "HOST", "NAME", "PASSWORD", "PORT", "USER")
        ),
    }
)
"""They name another server or database, and may hold its secrets."""

_SERVER = {
    "PREFECT_LOGGING_COLORS": "false",
    "PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "events,flow_runs,orphans",
    # A limit is free again after a restart only if it is known who held it.
    "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": (
        "prefect.server.concurrency.lease_storage.filesystem"
    ),
    # Automations hear of a run at once, though some of its events are never sent.
    "PREFECT_SERVER_EVENTS_CAUSAL_ORDERING": "flows.ops.ordering",
    # Shorter than the worker looks ahead, or a waiting run starves.
    "PREFECT_SERVER_CONCURRENCY_MAXIMUM_CONCURRENCY_SLOT_WAIT_SECONDS": "3",
}
_SQLITE_SERVER = {
    # One writer at a time: few and larger writes, and loops that ask less often.
    "PREFECT_SERVER_DATABASE_TIMEOUT": "60",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_READ_BATCH_SIZE": "50",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": "50",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_FLUSH_INTERVAL": "1",
    "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_READ_BATCH_SIZE": "100",
    "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_BATCH_SIZE": "100",
    "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_FLUSH_INTERVAL": "2",
    "PREFECT_SERVER_SERVICES_LATE_RUNS_LOOP_SECONDS": "15",
    "PREFECT_SERVER_SERVICES_FOREMAN_LOOP_SECONDS": "30",
    "PREFECT_SERVER_SERVICES_PAUSE_EXPIRATIONS_LOOP_SECONDS": "30",
    "PREFECT_SERVER_SERVICES_CANCELLATION_CLEANUP_LOOP_SECONDS": "60",
    "PREFECT_SERVER_SERVICES_REPOSSESSOR_LOOP_SECONDS": "30",
    "PREFECT_SERVER_SERVICES_SCHEDULER_RECENT_DEPLOYMENTS_LOOP_SECONDS": "15",
    "PREFECT_SERVER_SERVICES_DB_VACUUM_BATCH_SIZE": "100",
}
_CLIENT = {
    "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": str(_HEARTBEAT_SECONDS),
    "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",
    # Without a server there is no server: Prefect would start one of its own, unseen.
    "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "false",
}
_WORKER_QUERY_SECONDS = {True: "5", False: "2"}
"""How often the worker asks for work; on SQLite, each question costs the writer time."""


def run_folder(config: Config) -> Path:
    """The folder of an ``up``: its state, its logs, and what Prefect keeps."""
    return config.root / FOLDER


def mark_of(config: Config) -> str:
    """What ``MARK`` says in processes of this project, by whatever path its folder was reached."""
    return str(run_folder(config).resolve())


def prefect_home(config: Config) -> Path:
    """Prefect's own folder of this project; the SQLite database is in it."""
    return run_folder(config) / "prefect"


def logs_folder(config: Config) -> Path:
    """One file for each process."""
    return run_folder(config) / "logs"


def sqlite_file(config: Config) -> Path | None:
    """The file of the server's database; None where it is PostgreSQL."""
    return None if config.server.database_url else prefect_home(config) / "prefect.db"


def base_url(config: Config) -> str:
    """The address of the server as this machine sees it."""
    return _address(config.server.host, config.server.port)


def receiver_url(config: Config) -> str:
    """The address of the receiver of webhooks as this machine sees it."""
    return _address(config.webhook.host, config.webhook.port)


def _address(host: str, port: int) -> str:
    host = _ANY_ADDRESS.get(host, host)
    host = f"[{host}]" if ":" in host else host
    return f"http://{host}:{port}"


def api_url(config: Config) -> str:
    """The address of the API as this machine sees it."""
    return f"{base_url(config)}/api"


def auth_string(config: Config, env: Mapping[str, str] = os.environ) -> str | None:
    """``user:password``, where the variable that ``[server] auth_env`` names is set.

    Raises:
        ConfigError: It has another form; or others can reach the server and it is not set.
    """
    variable, server = config.server.auth_env, config.server
    value = env.get(variable, "")
    if not value and not server.is_local:
        raise ConfigError(
            f"[server] host = {server.host} lets others reach the server, and {variable} is not"
            " set: anyone could read and start runs.",
            hint=f"Set {variable}=user:password, or host = 127.0.0.1.",
        )
    user, _, password = value.partition(":")
    if value and not (user and password):
        raise ConfigError(
            f"{variable} (environment) must be user:password, both not empty.",
            hint="It is what the UI asks for, and what clients have in PREFECT_API_AUTH_STRING.",
        )
    return value or None


def database_address(config: Config) -> str:
    """The database as the server is told it."""
    url = config.server.database_url
    if not url:
        return f"sqlite+aiosqlite:///{sqlite_file(config)}"
    return f"postgresql+asyncpg://{url.partition('://')[2]}"


def server_environment(config: Config, env: Mapping[str, str] = os.environ) -> dict[str, str]:
    """What ``prefect server start`` is told.

    Args:
        config: The configuration.
        env: The environment that it adds to; what a person has tuned there stays.

    Raises:
        ConfigError: Others can reach the server and it has no password.
    """
    days = config.server.keep_runs_days
    tuned = _SERVER | {
        "PREFECT_SERVER_SERVICES_DB_VACUUM_RETENTION_PERIOD": str(days * _DAY_SECONDS),
        "PREFECT_SERVER_EVENTS_RETENTION_PERIOD": f"P{min(days, _EVENT_DAYS)}D",
        "PREFECT_SERVER_SERVICES_DB_VACUUM_EVENT_RETENTION_OVERRIDES": json.dumps(
            {"prefect.flow-run.heartbeat": _DAY_SECONDS}
        ),
        # A wildcard is no address for a browser: it asks where it got the page from.
        "PREFECT_SERVER_UI_API_URL": (
            "/api" if config.server.host in _ANY_ADDRESS else api_url(config)
        ),
    }
    if not config.server.database_url:
        tuned |= _SQLITE_SERVER
    own = {
        "PREFECT_HOME": str(prefect_home(config)),
        "PREFECT_SERVER_API_HOST": config.server.host,
        "PREFECT_SERVER_API_PORT": str(config.server.port),
        "PREFECT_SERVER_DATABASE_CONNECTION_URL": database_address(config),
        "PREFECT_SERVER_DATABASE_MIGRATE_ON_START": "true",
    }
    auth = auth_string(config, env)
    own |= {"PREFECT_SERVER_API_AUTH_STRING": auth} if auth else {}
    return _kept(tuned, env) | own


def client_environment(config: Config, env: Mapping[str, str] = os.environ) -> dict[str, str]:
    """What the worker, its runs and every command of this project are told.

    Args:
        config: The configuration.
        env: The environment that it adds to; what a person has tuned there stays.

    Raises:
        ConfigError: Others can reach the server and it has no password.
    """
    own = {
        "PREFECT_HOME": str(prefect_home(config)),
        "PREFECT_API_URL": api_url(config),
        "PREFECT_UI_URL": base_url(config),
        "STALEPROOF_CONFIG": str(config.path),
    }
    auth = auth_string(config, env)
    own |= {"PREFECT_API_AUTH_STRING": auth} if auth else {}
    return _kept(_CLIENT, env) | own


def worker_environment(config: Config, env: Mapping[str, str] = os.environ) -> dict[str, str]:
    """What ``prefect worker start`` is told, besides what every client is."""
    seconds = _WORKER_QUERY_SECONDS[not config.server.database_url]
    tuned = {
        "PREFECT_LOGGING_COLORS": "false",
        # With growing pauses, for about four minutes: a run outlives a restart of server or database.
        "PREFECT_CLIENT_MAX_RETRIES": "7",
        "PREFECT_WORKER_QUERY_SECONDS": seconds,
        "PREFECT_RUNNER_POLL_FREQUENCY": seconds,
    }
    return _kept(tuned, env) | client_environment(config, env)


def child_environment(
    config: Config,
    settings: Mapping[str, str],
    env: Mapping[str, str] = os.environ,
    *,
    takes_webhooks: bool = False,
) -> dict[str, str]:
    """A whole environment for a process of ``up``: ours, without what names another server.

    Args:
        config: The configuration.
        settings: What the process is told.
        env: The environment that it adds to.
        takes_webhooks: Whether it needs the secrets of the endpoints, which no other one sees.
    """
    secrets = set() if takes_webhooks else {one.secret_env for one in config.webhook.endpoints}
    dropped = _FOREIGN | secrets
    inherited = {name: value for name, value in env.items() if name not in dropped}
    return {
        **inherited,
        **settings,
        MARK: mark_of(config),
        "PYTHONUNBUFFERED": "1",
        # A folder named flows or prefect in a project must not be taken for the package.
        "PYTHONSAFEPATH": "1",
    }


def _kept(tuned: Mapping[str, str], env: Mapping[str, str]) -> dict[str, str]:
    return {name: env.get(name) or value for name, value in tuned.items()}

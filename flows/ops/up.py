"""Starts the Prefect server, what runs on it, and who takes webhooks; keeps them running."""

import json
import os
import socket
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Literal

from flows.ops.database import describe_database
from flows.ops.environment import (
    base_url,
    child_environment,
    client_environment,
    logs_folder,
    mark_of,
    receiver_url,
    run_folder,
    server_environment,
    worker_environment,
)
from flows.ops.lost import crash_lost_runs
from flows.ops.preflight import check_before_start, check_folder
from flows.ops.processes import only_one, reap
from flows.ops.rest import Api
from flows.ops.state import ProcessState, UpState, forget, write_state
from flows.ops.supervise import Backoff, Command, Supervisor
from flows.warm.life import find_lane
from pipelines import errors
from pipelines.config import Config
from pipelines.errors import ServerFailed, ServerUnavailable, StaleproofError
from pipelines.processes import ProcessId

_PREFECT = (sys.executable, "-P", "-m", "prefect", "--no-prompt")
_STEPS = {"check": "check of prefect.yaml and the suites", "apply": "deployment of prefect.yaml"}
_LEAST_RUNS = 2
"""At a time, however few cores there are: a short run does not wait for a long one."""


@dataclass(frozen=True, slots=True)
class Listener:
    """Who is told how an ``up`` goes."""

    on_step: Callable[[str], None] = lambda _: None
    """What happens next, in a few words."""
    on_ready: Callable[[UpState], None] = lambda _: None
    on_tick: Callable[[UpState], None] = lambda _: None
    """Several times a second from then on."""


def keep_up(
    config: Config,
    *,
    listener: Listener,
    stopping: threading.Event,
    backoff: Backoff | None = None,
) -> None:
    """Runs all of it until ``stopping`` is set. When this returns or raises, nothing is left running.

    Args:
        config: The configuration.
        listener: Who is told how it goes.
        stopping: Set by whoever wants it to stop.
        backoff: When what ended is started again.

    Raises:
        StaleproofError: It cannot start, or did not stay up.
        StopAsked: Somebody asked to stop while it started.
    """
    check_folder(config)
    mark = mark_of(config)
    other = ServerUnavailable(
        "Another `staleproof up` of this project is starting or stopping.",
        hint="Wait a moment, then try again.",
    )
    with only_one(run_folder(config) / "up.lock", or_else=other):
        reap(mark, seconds=10)  # of an up that was killed
        state = UpState(
            supervisor=ProcessId.of(os.getpid()),
            url=base_url(config),
            database=describe_database(config),
            since=datetime.now(UTC).isoformat(),
            ready=False,
        )
        write_state(config, state)  # from here on, down knows whom to stop
        try:
            listener.on_step("looking at port, database and files")
            check_before_start(config)
            supervisor = Supervisor(mark, backoff or Backoff(), stopping)
            _run(config, supervisor, listener, state)
        finally:
            forget(config)


def _run(config: Config, supervisor: Supervisor, listener: Listener, state: UpState) -> None:
    def keep(processes: tuple[ProcessState, ...]) -> None:
        nonlocal state
        state = state.with_processes(processes)
        write_state(config, state)

    supervisor.on_change = keep
    try:
        _start(config, supervisor, listener)
        state = replace(state, ready=True)
        write_state(config, state)
        listener.on_ready(state)
        supervisor.watch(lambda: listener.on_tick(state))
    finally:
        listener.on_step("stopping")
        supervisor.on_change = lambda _: None
        supervisor.stop()


def _start(config: Config, supervisor: Supervisor, listener: Listener) -> None:
    _answered(supervisor.run(files_command(config, "check")))
    listener.on_step("starting the server (the first time takes longer)")
    supervisor.start(server_command(config))
    listener.on_step("applying deployments and automations")
    _answered(supervisor.run(files_command(config, "apply")))
    lost = _crash_lost_runs(config)
    if lost:
        listener.on_step(f"runs that are Crashed now, for their process was gone: {lost}")
    listener.on_step("starting the worker")
    supervisor.start(worker_command(config))
    if config.webhook.endpoints:
        listener.on_step("starting the receiver of webhooks")
        supervisor.start(receiver_command(config))
        if config.webhook.warm:
            listener.on_step("starting the warm lane")
            supervisor.start(warm_command(config))


def _crash_lost_runs(config: Config) -> int:
    try:
        return crash_lost_runs(Api.of(config), config.server.pool, worker_name())
    except OSError as error:
        raise ServerFailed(
            f"The server does not answer ({error}).", hint=f"See {logs_folder(config)}."
        ) from error


def server_command(config: Config) -> Command:
    """The Prefect server; ready when it says so itself."""
    return Command(
        name="server",
        argv=(*_PREFECT, "server", "start"),
        env=child_environment(config, server_environment(config)),
        cwd=config.root,
        log=logs_folder(config) / "server.log",
        is_ready=Api.of(config).is_healthy,
    )


def files_command(config: Config, step: Literal["check", "apply"]) -> Command:
    """What looks at the project's files, or applies them; once."""
    return Command(
        name=_STEPS[step],
        argv=(sys.executable, "-P", "-m", "flows.ops.prepare", step, str(config.path)),
        env=child_environment(config, client_environment(config)),
        cwd=config.root,
        log=logs_folder(config) / "deploy.log",
    )


def worker_name() -> str:
    """Of the worker of this machine."""
    return f"staleproof-{socket.gethostname()}"


def worker_command(config: Config) -> Command:
    """The process worker; ready when the server knows it."""
    name = worker_name()
    pool, api, started = config.server.pool, Api.of(config), datetime.now(UTC)

    def is_ready() -> bool:
        try:
            known = api.ask("POST", f"/work_pools/{pool}/workers/filter", {})
        except OSError:
            return False
        beats = (one["last_heartbeat_time"] for one in known if one["name"] == name)
        return any(datetime.fromisoformat(beat) >= started for beat in beats if beat)

    runs = max(_LEAST_RUNS, os.cpu_count() or 1)
    options = ("--pool", pool, "--type", "process", "--name", name, "--limit", str(runs))
    return Command(
        name="worker",
        argv=(*_PREFECT, "worker", "start", *options, "--install-policy", "never"),
        env=child_environment(config, worker_environment(config)),
        cwd=config.root,
        log=logs_folder(config) / "worker.log",
        is_ready=is_ready,
    )


def receiver_command(config: Config) -> Command:
    """The receiver of webhooks; ready when it says that it can take deliveries."""
    settings = client_environment(config)
    return Command(
        name="receiver",
        argv=(sys.executable, "-P", "-m", "flows.webhook", str(config.path)),
        env=child_environment(config, settings, takes_webhooks=True),
        cwd=config.root,
        log=logs_folder(config) / "receiver.log",
        is_ready=Api(receiver_url(config)).is_well,
    )


def warm_command(config: Config) -> Command:
    """The warm lane; ready when it is there, for it loads what it needs in its own time."""
    return Command(
        name="warm lane",
        argv=(sys.executable, "-P", "-m", "flows.warm", str(config.path)),
        env=child_environment(config, worker_environment(config)),
        cwd=config.root,
        log=logs_folder(config) / "warm.log",
        is_ready=lambda: find_lane(config) is not None,
        leaves=True,
        is_needed=False,  # without it the worker does the same, later
    )


def _answered(printed: str) -> dict[str, Any]:
    """What a process of ours printed, or the error that it told.

    Raises:
        StaleproofError: The one that it told.
    """
    try:
        said: dict[str, Any] = json.loads(printed.strip().splitlines()[-1])
    except (ValueError, IndexError) as error:
        raise ServerFailed(
            "Deployments and automations could not be applied.",
            hint=f"See deploy.log in the logs folder; it printed {printed[-100:]!r}.",
        ) from error
    if "error" in said:
        raise told_error(said["error"])
    return said


def told_error(told: dict[str, str]) -> StaleproofError:
    """An error as another process of ours printed it."""
    kind = getattr(errors, told["type"], None)
    if not (isinstance(kind, type) and issubclass(kind, StaleproofError)):
        kind = ServerFailed
    return kind(told["message"], hint=told["hint"])

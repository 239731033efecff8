"""Runs whose process is gone, and that the server still takes for running.

A worker says so when a run's process ends. Where both were killed, or all was stopped meanwhile,
nobody does: the run would be Running for ever, and where one at a time is allowed, keep others out.
"""

from datetime import UTC, datetime
from typing import Any

from flows.ops.rest import Api
from pipelines.processes import ProcessId

_OPEN = ("PENDING", "RUNNING", "CANCELLING")
_CLOCK_SECONDS = 5.0
"""Between the clock of the system's processes and the one of the server."""

_MESSAGE = (
    "Its process was gone when `staleproof up` started: it had been stopped or killed. What it"
    " published stays; the next refresh goes on from there."
)
_KILLED = (
    "The process that ran it was killed, or its machine was. What it published stays; the next"
    " refresh goes on from there."
)


def crash_lost_runs(api: Api, pool: str, worker: str) -> int:
    """Makes them Crashed, or Cancelled where that was asked for: history tells what they are.

    To be called before the worker of this machine starts. Where workers of other machines are
    online, nothing is done: a run does not say on which machine it is.

    Args:
        api: The server.
        pool: The work pool.
        worker: Name of the worker of this machine.

    Returns:
        How many there were.

    Raises:
        OSError: The server does not answer.
    """
    workers = api.ask("POST", f"/work_pools/{pool}/workers/filter", {})
    if any(one["status"] == "ONLINE" and one["name"] != worker for one in workers):
        return 0
    states = {"state": {"type": {"any_": list(_OPEN)}}}
    asked = {"flow_runs": states, "work_pools": {"name": {"any_": [pool]}}, "limit": 200}
    lost = [run for run in api.ask("POST", "/flow_runs/filter", asked) if _is_lost(run)]
    for run in lost:
        _end(api, run, _MESSAGE)
    return len(lost)


def crash_runs_of(api: Api, deployment: str, process: ProcessId) -> int:
    """The same for the runs of a deployment that a process of this machine had in itself.

    Args:
        api: The server.
        deployment: Its id.
        process: The one that is gone.

    Returns:
        How many there were.

    Raises:
        OSError: The server does not answer.
    """
    only = {"deployment_id": {"any_": [deployment]}, "state": {"type": {"any_": list(_OPEN)}}}
    found = api.ask("POST", "/flow_runs/filter", {"flow_runs": only, "limit": 200})
    its_own = [run for run in found if _pid_of(run) == str(process.pid) and _is_lost(run)]
    for run in its_own:
        _end(api, run, _KILLED)
    return len(its_own)


def _end(api: Api, run: dict[str, Any], message: str) -> None:
    # One that a person cancelled must not be taken for a crash, and run again.
    kind = "CANCELLED" if run["state_type"] == "CANCELLING" else "CRASHED"
    state = {"type": kind, "name": kind.capitalize(), "message": message}
    api.ask("POST", f"/flow_runs/{run['id']}/set_state", {"state": state})


def _pid_of(run: dict[str, Any]) -> str:
    # Prefect may write the machine before the number.
    return str(run["infrastructure_pid"] or "").rpartition(":")[2]


def _is_lost(run: dict[str, Any]) -> bool:
    pid = _pid_of(run)
    if not pid.isdecimal():
        return True  # never started
    started = datetime.fromisoformat(run["start_time"] or run["expected_start_time"])
    try:
        created = datetime.fromtimestamp(ProcessId.of(int(pid)).created, UTC)
    except ProcessLookupError:
        return True
    # Where the number was used again, the process is younger than the run.
    return (created - started).total_seconds() > _CLOCK_SECONDS

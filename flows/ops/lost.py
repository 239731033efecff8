"""Runs whose process is gone, and that the server still takes for running.

A worker says so when a run's process ends. Where both were killed, or all was stopped meanwhile,
nobody does: the run would be Running for ever, and where one at a time is allowed, keep others out.
"""

from datetime import UTC, datetime
from typing import Any

from flows.ops.processes import ProcessId
from flows.ops.rest import Api

_OPEN = ("PENDING", "RUNNING", "CANCELLING")
_CLOCK_SECONDS = 5.0
"""Between the clock of the system's processes and the one of the server."""

_MESSAGE = (
    "Its process was gone when `staleproof up` started: it had been stopped or killed. What it"
    " published stays; the next refresh goes on from there."
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
        # One that a person cancelled must not be taken for a crash, and run again.
        kind = "CANCELLED" if run["state_type"] == "CANCELLING" else "CRASHED"
        state = {"type": kind, "name": kind.capitalize(), "message": _MESSAGE}
        api.ask("POST", f"/flow_runs/{run['id']}/set_state", {"state": state})
    return len(lost)


def _is_lost(run: dict[str, Any]) -> bool:
    # Prefect may write the machine before the number.
    pid = (run["infrastructure_pid"] or "").rpartition(":")[2]
    if not pid.isdecimal():
        return True  # never started
    started = datetime.fromisoformat(run["start_time"] or run["expected_start_time"])
    try:
        created = datetime.fromtimestamp(ProcessId.of(int(pid)).created, UTC)
    except ProcessLookupError:
        return True
    # Where the number was used again, the process is younger than the run.
    return (created - started).total_seconds() > _CLOCK_SECONDS

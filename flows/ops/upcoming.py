"""Which runs go on or come next, and what each of them waits for."""

from dataclasses import dataclass
from typing import Any

from flows.ops.rest import Api

_OPEN = ("SCHEDULED", "PENDING", "RUNNING", "CANCELLING", "PAUSED")
_WAITS = {
    "Scheduled": "its time",
    "Late": "the worker",
    "AwaitingConcurrencySlot": "another run of its deployment to end",
    "AwaitingRetry": "its next attempt",
    "Pending": "its process to start",
    "Submitting": "its process to start",
    "Paused": "a person",
    "Suspended": "a person",
    "Cancelling": "its process to end",
}
"""By the name of a state."""


@dataclass(frozen=True, slots=True)
class Upcoming:
    """A run that has not ended."""

    name: str
    """``refresh/handbook``, or the name of the run where nothing was deployed for it."""
    at: str
    """When it is due, or was started, ISO 8601."""
    waits_for: str | None
    """None while it runs."""


def read_upcoming(api: Api, *, limit: int = 5) -> tuple[Upcoming, ...]:
    """The runs that go on and the next ones, one a deployment, by time.

    Raises:
        OSError: The server does not answer.
    """
    state = {"type": {"any_": list(_OPEN)}}
    body = {"flow_runs": {"state": state}, "sort": "EXPECTED_START_TIME_ASC", "limit": 100}
    runs = api.ask("POST", "/flow_runs/filter", body)
    flows = {one["id"]: one["name"] for one in api.ask("POST", "/flows/filter", {"limit": 200})}
    deployments = {
        one["id"]: f"{flows.get(one['flow_id'], '?')}/{one['name']}"
        for one in api.ask("POST", "/deployments/filter", {"limit": 200})
    }
    found: dict[tuple[str, str | None], Upcoming] = {}
    for run in runs:
        one = _upcoming(run, deployments)
        found.setdefault((one.name, one.waits_for), one)
    return tuple(found.values())[:limit]


def _upcoming(run: dict[str, Any], deployments: dict[str, str]) -> Upcoming:
    name = deployments.get(run["deployment_id"] or "", run["name"])
    if run["state_type"] == "RUNNING":
        return Upcoming(name, run["start_time"] or run["expected_start_time"], None)
    waits = _WAITS.get(run["state_name"], run["state_name"])
    return Upcoming(name, run["expected_start_time"], waits)

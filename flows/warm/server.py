"""What a lane asks the Prefect server of the runs of ``refresh``, without importing Prefect."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from flows.ops.rest import Api
from pipelines.config import Config

_OPEN = ("SCHEDULED", "PENDING", "RUNNING", "CANCELLING")
_SOON = timedelta(seconds=2)
_LIMIT_REACHED = "Deployment concurrency limit reached."
"""What Prefect says of a run that was cancelled because another one of its deployment went on."""


@dataclass(frozen=True, slots=True)
class CrowdedOut:
    """A run that was cancelled because another one went on, which does not do all of its work."""

    name: str
    at: datetime
    sources: tuple[str, ...]
    """Those that the other one was not to look at."""


def deployment_id(api: Api, config: Config) -> str:
    """Of ``refresh/<knowledge>``.

    Raises:
        OSError: The server does not answer, or has no such deployment.
    """
    found = api.ask("GET", f"/deployments/name/refresh/{config.knowledge.name}")
    return str(found["id"])


def is_busy(api: Api, deployment: str, *, or_soon: bool) -> bool:
    """Whether a run of it goes on: a second one would be cancelled.

    Args:
        api: The server.
        deployment: Its id.
        or_soon: Also whether one is due, which waits for the worker; there may be no worker.

    Raises:
        OSError: The server does not answer.
    """
    only = {"deployment_id": {"any_": [deployment]}, "state": {"type": {"any_": list(_OPEN)}}}
    body = {"flow_runs": only, "sort": "EXPECTED_START_TIME_ASC", "limit": 50}
    runs = api.ask("POST", "/flow_runs/filter", body)
    return any(_goes_on(run) or (or_soon and _is_due(run)) for run in runs)


def _goes_on(run: dict[str, Any]) -> bool:
    # One that waits for its next attempt holds its place.
    return run["state_type"] != "SCHEDULED" or bool(run["run_count"])


def _is_due(run: dict[str, Any]) -> bool:
    return _time(run["expected_start_time"]) <= datetime.now(UTC) + _SOON


def start_run(
    api: Api, deployment: str, *, knowledge: str, sources: tuple[str, ...], reason: str
) -> dict[str, Any]:
    """Makes a run that is due now.

    Args:
        api: The server.
        deployment: Its id.
        knowledge: After which it is called until the flow knows how it ended.
        sources: What it is to look at.
        reason: Who asked.

    Returns:
        The run, as the server tells it.

    Raises:
        OSError: The server does not answer.
    """
    body = {
        "name": f"refresh {knowledge}",
        "state": {"type": "SCHEDULED", "name": "Scheduled"},
        "parameters": {"sources": list(sources), "reason": reason},
    }
    made: dict[str, Any] = api.ask("POST", f"/deployments/{deployment}/create_flow_run", body)
    return made


def crowded_out(
    api: Api, deployment: str, *, known: Collection[str], since: datetime
) -> list[CrowdedOut]:
    """Runs of a deployment that were cancelled for another one after a time, by time.

    Args:
        api: The server.
        deployment: Its id.
        known: All sources: what a run looks at that names none.
        since: The time.

    Raises:
        OSError: The server does not answer.
    """
    ours = {"deployment_id": {"any_": [deployment]}}
    cancelled = {
        "state": {"type": {"any_": ["CANCELLED"]}},
        "end_time": {"after_": since.isoformat()},
    }
    body = {"flow_runs": ours | cancelled, "sort": "END_TIME_DESC", "limit": 50}
    found = [run for run in api.ask("POST", "/flow_runs/filter", body) if _was_crowded_out(run)]
    if not found:
        return []
    ran = {"flow_runs": ours | {"start_time": {"is_null_": False}}, "sort": "START_TIME_DESC"}
    others = api.ask("POST", "/flow_runs/filter", ran | {"limit": 50})
    told = []
    for run in found:
        at = _time(run["end_time"])
        looked = {name for one in others if _went_on(one, at) for name in _sources(one, known)}
        left = tuple(name for name in _sources(run, known) if name not in looked)
        told.append(CrowdedOut(run["name"], at, left))
    return sorted((one for one in told if one.at > since), key=lambda one: one.at)


def _was_crowded_out(run: dict[str, Any]) -> bool:
    asked = run["parameters"]
    plain = not asked.get("recheck") and asked.get("publish", True)
    return bool(run["state"]["message"] == _LIMIT_REACHED and plain)


def _went_on(run: dict[str, Any], at: datetime) -> bool:
    begun, ended = run["start_time"], run["end_time"]
    if begun == ended:
        return False  # cancelled before it began
    return _time(begun) - _SOON <= at and (ended is None or _time(ended) >= at)


def _sources(run: dict[str, Any], known: Collection[str]) -> Collection[str]:
    return run["parameters"].get("sources") or known


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)

"""The parts of a deployment by which file and server are compared."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.ops.declared import Declared, DeclaredSchedule, filled

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.responses import DeploymentResponse
    from prefect.events.schemas.automations import Automation


def as_declared(one: Declared, root: Path) -> dict[str, Any]:
    """The parts of a deployment as the file says; what the server chooses is left out."""
    from prefect.utilities.callables import parameter_schema

    said = one.settings
    limit = said.concurrency_limit
    limited = limit if isinstance(limit, int) or limit is None else limit.limit
    parts = {
        "entrypoint": said.entrypoint,
        "tags": sorted(said.tags),
        "parameters": said.parameters,
        "description": said.description,
        "version": filled(said.version, root),
        "paused": said.paused,
        "work pool": said.work_pool.name,
        "work queue": said.work_pool.work_queue_name,
        "job variables": said.work_pool.job_variables,
        "concurrency limit": limited or 0,
        "steps before a run": one.pull or None,
        "explained parameters": parameter_schema(one.flow).properties,
        "triggers": sorted(one.triggers),
        "schedules": sorted(s.slug for s in said.schedules),
    }
    if limit is not None and not isinstance(limit, int):
        parts["collision strategy"] = limit.collision_strategy
    for schedule in said.schedules:
        parts |= {f"schedule {schedule.slug}": _schedule(schedule)}
    optional = {"description", "version", "paused", "work queue", "steps before a run"}
    return {
        key: value
        for key, value in parts.items()
        if not (value is None and key in optional) and "{{" not in str(value)
    }


def _schedule(schedule: DeclaredSchedule) -> dict[str, Any]:
    parts = {"when": _when(schedule.schedule()), "parameters": schedule.parameters}
    return parts | ({} if schedule.active is None else {"active": schedule.active})


def _when(schedule: Any) -> dict[str, Any]:
    said = schedule.model_dump(mode="json", exclude_none=True)
    # Prefect makes an anchor of the time of deploying where none is given.
    return {key: value for key, value in said.items() if key != "anchor_date"}


def as_there(
    one: Declared, there: "DeploymentResponse", client: "SyncPrefectClient"
) -> dict[str, Any]:
    """The same parts as the server has them."""
    limit = there.global_concurrency_limit
    options = there.concurrency_options
    related = client.read_resource_related_automations(f"prefect.deployment.{there.id}")
    parts = {
        "entrypoint": there.entrypoint,
        "tags": sorted(there.tags),
        "parameters": there.parameters,
        "description": there.description,
        "version": there.version,
        "paused": there.paused,
        "work pool": there.work_pool_name,
        "work queue": there.work_queue_name,
        "job variables": there.job_variables,
        "concurrency limit": limit.limit if limit else 0,
        "collision strategy": options.collision_strategy.value if options else None,
        "steps before a run": there.pull_steps,
        "explained parameters": (there.parameter_openapi_schema or {}).get("properties"),
        "triggers": sorted(a.name for a in related if is_trigger(one, a)),
        "schedules": sorted(s.slug or "" for s in there.schedules),
    }
    active = {s.slug for s in one.settings.schedules if s.active is not None}
    for schedule in there.schedules:
        said: dict[str, Any] = {
            "when": _when(schedule.schedule),
            "parameters": schedule.parameters or {},
        }
        if schedule.slug in active:
            said["active"] = schedule.active
        parts[f"schedule {schedule.slug}"] = said
    return parts


def is_trigger(one: Declared, automation: "Automation") -> bool:
    """Whether Prefect made an automation of a trigger; the server does not say who owns one."""
    made = rf"{re.escape(one.settings.name)}__automation_\d+"
    return automation.name in one.triggers or re.fullmatch(made, automation.name) is not None

"""Looks at what the Prefect server has of this project: pool, deployments, automations, schedules."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from flows.ops.automations import apply_automations, compare_automations
from flows.ops.deployments import apply_deployments, compare_deployments, tags_of
from flows.ops.differences import Applied, Difference
from flows.ops.doctor.check import Case, Check, error, ok, skipped, warn

_ALIVE = "ONLINE"
_OVERDUE = timedelta(minutes=10)
_PLANNING = timedelta(minutes=5)
"""After a deployment: the server plans its runs a moment later."""
_SOON = "soon"
"""Sorts after every time."""
_SHOWN = 4


@contextmanager
def using(case: Case) -> Iterator[None]:
    """Prefect's own client asks the same server as we do."""
    from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_URL, temporary_settings

    said = {PREFECT_API_URL: case.api.url, PREFECT_API_AUTH_STRING: case.api.auth}
    with temporary_settings(updates=said):
        yield


def look_at_pool(case: Case) -> Check:
    """Whether the work pool is there, and a worker lives that takes runs from it."""
    name = case.config.server.pool
    pools = case.api.ask("POST", "/work_pools/filter", {"work_pools": {"name": {"any_": [name]}}})
    if not pools:
        return error(f"there is no work pool {name}", "staleproof doctor --fix", fixable=True)
    if pools[0]["is_paused"]:
        return warn(f"{name} is paused: no run starts", f"prefect work-pool resume {name}")
    workers = case.api.ask("POST", f"/work_pools/{name}/workers/filter", {})
    alive = [one["name"] for one in workers if one["status"] == _ALIVE]
    if alive:
        return ok(f"{name}, with {', '.join(alive)}")
    beats = [one["last_heartbeat_time"] for one in workers if one["last_heartbeat_time"]]
    last = f"; the last was alive at {max(beats)[:16].replace('T', ' ')} UTC" if beats else ""
    return error(
        f"no worker takes runs from {name}{last}",
        f"staleproof up, or: prefect worker start --pool {name}",
    )


def make_pool(case: Case) -> str:
    """The work pool is made."""
    from flows.ops.prepare import apply_pool

    with using(case):
        apply_pool(case.config.server.pool)
    return f"made the work pool {case.config.server.pool}"


def look_at_deployments(case: Case) -> Check:
    """Whether they are as ``prefect.yaml`` says."""
    with using(case):
        found = compare_deployments(case.config)
    return _compared(found, "as prefect.yaml says")


def put_deployments_right(case: Case) -> str:
    """They become as ``prefect.yaml`` says."""
    with using(case):
        return _applied(apply_deployments(case.config))


def look_at_automations(case: Case) -> Check:
    """Whether they are as their files say."""
    with using(case):
        found = compare_automations(case.config)
    return _compared(found, "as their files say")


def put_automations_right(case: Case) -> str:
    """They become as their files say; one that a person switched off stays off."""
    with using(case):
        return _applied(apply_automations(case.config))


def _compared(found: Sequence[Difference], well: str) -> Check:
    if not found:
        return ok(well)
    if all((one.what, one.file, one.server) == ("enabled", True, False) for one in found):
        return warn(
            f"switched off by a person: {', '.join(one.name for one in found)}",
            "Switch it on again in the Prefect UI, under Automations.",
        )
    if all(one.what == "version" for one in found):
        return warn(
            f"{well}, but for the commit that they were deployed at: it was {found[0].server},"
            f" and is {found[0].file} now",
            "staleproof up, or doctor --fix, when the new one shall stand in the history of runs.",
            fixable=True,
        )
    # Names and parts only: what they say may be long, and is in the files.
    said = dict.fromkeys(f"{one.name}: {one.what}" for one in found)
    more = f" and {len(said) - _SHOWN} more" if len(said) > _SHOWN else ""
    return error(
        f"not {well}: {'; '.join(list(said)[:_SHOWN])}{more}",
        "staleproof doctor --fix, or staleproof up",
        fixable=True,
    )


def _applied(done: Applied) -> str:
    counts = {"created": done.created, "updated": done.updated, "removed": done.removed}
    return ", ".join(f"{how} {', '.join(names)}" for how, names in counts.items() if names)


def look_at_schedules(case: Case) -> Check:
    """Whether the next runs are planned, and none of them is long overdue."""
    only = {"deployments": {"tags": {"all_": tags_of(case.config)}}}
    flows = {one["id"]: one["name"] for one in case.api.ask("POST", "/flows/filter", only)}
    paused, late, planned = [], [], []
    for one in case.api.ask("POST", "/deployments/filter", only):
        name = f"{flows.get(one['flow_id'], '?')}/{one['name']}"
        if not one["schedules"]:
            continue
        if one["paused"] or not any(schedule["active"] for schedule in one["schedules"]):
            paused.append(name)
            continue
        problem, at = _next_run(case, one)
        if problem:
            late.append(f"{name}: {problem}")
        else:
            planned.append((at, name))
    return _scheduled(paused, late, planned)


def _next_run(case: Case, deployment: dict[str, Any]) -> tuple[str, str]:
    """What is wrong with the next run of a deployment, or an empty text and when it is."""
    body = {
        "deployments": {"id": {"any_": [deployment["id"]]}},
        "flow_runs": {"state": {"type": {"any_": ["SCHEDULED"]}}},
        "sort": "EXPECTED_START_TIME_ASC",
        "limit": 1,
    }
    runs: list[dict[str, Any]] = case.api.ask("POST", "/flow_runs/filter", body)
    if not runs:
        age = case.now - datetime.fromisoformat(deployment["updated"])
        return ("no run is planned" if age > _PLANNING else ""), _SOON
    at = str(runs[0]["expected_start_time"])
    if case.now - datetime.fromisoformat(at) > _OVERDUE:
        state = runs[0]["state_name"]
        return f"a run is due since {at[:16].replace('T', ' ')} UTC ({state})", at
    return "", at


def _scheduled(paused: list[str], late: list[str], planned: list[tuple[str, str]]) -> Check:
    stopped = f"paused: {', '.join(paused)}" if paused else ""
    if late:
        return error(
            "; ".join((*late, stopped) if stopped else late),
            "See that a worker lives, above, and what runs now: the Prefect UI, or prefect"
            " flow-run ls.",
        )
    if paused:
        return warn(stopped, "Resume it in the Prefect UI, under Deployments, when it shall run.")
    if not planned:
        return skipped("nothing has a schedule")
    at, name = min(planned)
    if at == _SOON:
        return ok(f"{len(planned)} alive; their runs are being planned now")
    return ok(f"{len(planned)} alive; next is {name} at {at[:16].replace('T', ' ')} UTC")

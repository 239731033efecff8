"""Brings the deployments on the server in line with prefect.yaml, and says where they are not."""

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from flows.ops.declared import FILE_NAME, Declared, read_deployments
from flows.ops.deployed import as_declared, as_there, is_trigger
from flows.ops.differences import MISSING, WHOLE, Applied, Difference, differences
from pipelines.config import Config
from pipelines.errors import ConfigError, ServerUnavailable, StaleproofError

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.responses import DeploymentResponse

DEPLOY_SECONDS = 300


def tags_of(config: Config) -> list[str]:
    """What marks a deployment, and each of its runs, as one of this knowledge base."""
    return ["staleproof", f"kb:{config.knowledge.name}"]


def compare_deployments(config: Config) -> list[Difference]:
    """Where the server's deployments of this knowledge base are not as ``prefect.yaml`` says.

    Raises:
        ConfigError: The file is wrong.
        ServerUnavailable: The server does not answer.
    """
    from prefect import get_client

    declared = read_deployments(config.root)
    with get_client(sync_client=True) as client:
        return _compare(config, declared, _on_server(client, config, declared), client)


def apply_deployments(config: Config) -> Applied:
    """Makes the server's deployments as ``prefect.yaml`` says, with Prefect's own command.

    Where all is as it should be, nothing is touched: deploying makes all schedules and their runs
    anew. What carries the tags of this knowledge base and left the file goes, with its scheduled
    runs and the automations of its triggers. A schedule that a person paused stays paused.

    Args:
        config: The configuration; its folder holds the file.

    Returns:
        The names of the deployments that changed.

    Raises:
        ConfigError: The file is wrong, or names a work pool that is not there.
        ServerUnavailable: The server does not answer.
        StaleproofError: Prefect did not take a deployment over as the file says.
    """
    from prefect import get_client

    declared = read_deployments(config.root)
    with get_client(sync_client=True) as client:
        before = _on_server(client, config, declared)
        _check_pools(client, config, declared)
        wrong = _compare(config, declared, before, client)
        changed = {d.name for d in wrong if d.file != MISSING}
        if changed:
            _deploy(config.root)
            after = _on_server(client, config, declared)
            _pause_again(client, declared, before, after)
            _drop_triggers(client, declared, after)
            left = [d for d in _compare(config, declared, after, client) if d.file != MISSING]
            if left:
                raise StaleproofError(
                    f"Prefect did not take over {config.root / FILE_NAME}: {left[0]}.",
                    hint="Run prefect deploy --all in that folder and see what it says.",
                )
        removed = sorted(set(before) - {d.name for d in declared})
        for name in removed:
            _remove(client, before[name])
    return Applied(
        created=tuple(sorted(changed - set(before))),
        updated=tuple(sorted(changed & set(before))),
        removed=tuple(removed),
    )


def _on_server(
    client: "SyncPrefectClient", config: Config, declared: tuple[Declared, ...]
) -> dict[str, "DeploymentResponse"]:
    """By name, the deployments of this knowledge base, and those that the file names."""
    from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterTags
    from prefect.exceptions import ObjectNotFound

    ours = DeploymentFilter(tags=DeploymentFilterTags(all_=tags_of(config)))
    found: dict[str, DeploymentResponse] = {}
    problem = client.api_healthcheck()
    if problem is not None:
        raise ServerUnavailable(
            f"The Prefect server does not answer ({type(problem).__name__}).",
            hint="Start it: staleproof up.",
        ) from problem
    flows = {flow.id: flow.name for flow in client.read_flows(deployment_filter=ours)}
    for one in client.read_deployments(deployment_filter=ours):
        found[f"{flows[one.flow_id]}/{one.name}"] = one
    for name in {d.name for d in declared} - set(found):
        try:
            found[name] = client.read_deployment_by_name(name)
        except ObjectNotFound:
            continue
    return found


def _check_pools(
    client: "SyncPrefectClient", config: Config, declared: tuple[Declared, ...]
) -> None:
    pools = {pool.name for pool in client.read_work_pools()}
    for one in declared:
        if one.pool not in pools:
            raise ConfigError(
                f"{config.root / FILE_NAME}, deployment {one.name}: there is no work pool"
                f" {one.pool!r} on the server.",
                hint="staleproof up makes the one that [server] pool names;"
                f" or: prefect work-pool create --type process {one.pool}.",
            )


def _compare(
    config: Config,
    declared: tuple[Declared, ...],
    server: dict[str, "DeploymentResponse"],
    client: "SyncPrefectClient",
) -> list[Difference]:
    found: list[Difference] = []
    for one in declared:
        there = server.get(one.name)
        parts = as_there(one, there, client) if there else None
        found += differences(one.name, as_declared(one, config.root), parts)
    left = sorted(set(server) - {d.name for d in declared})
    return found + [Difference(name, WHOLE, MISSING, "there") for name in left]


def _deploy(root: Path) -> None:
    """Runs ``prefect deploy --all``: what people type, not what it is made of."""
    from prefect.settings import get_current_settings

    # Isolated from the folder, which may have a package "flows" of its own.
    command = [sys.executable, "-P", "-m", "prefect", "--no-prompt", "deploy", "--all"]
    settings = get_current_settings().to_environment_variables(
        exclude_unset=True, include_secrets=True
    )
    try:
        done = subprocess.run(
            [*command, "--prefect-file", FILE_NAME],
            cwd=root,
            env={**os.environ, **settings},
            capture_output=True,
            text=True,
            timeout=DEPLOY_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise StaleproofError(
            f"prefect deploy --all did not end within {DEPLOY_SECONDS} s.",
            hint="See that the server answers; then try again.",
        ) from error
    if done.returncode:
        lines = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        raise StaleproofError(
            f"prefect deploy --all failed: {' '.join(lines[-3:])}",
            hint=f"Run it in {root} and see what it says.",
        )


def _pause_again(
    client: "SyncPrefectClient",
    declared: tuple[Declared, ...],
    before: dict[str, "DeploymentResponse"],
    after: dict[str, "DeploymentResponse"],
) -> None:
    """Deploying makes all schedules anew, and active."""
    for one in declared:
        was = before.get(one.name)
        paused = {s.slug for s in was.schedules if not s.active} if was else set()
        paused -= {s.slug for s in one.settings.schedules if s.active is not None}
        for schedule in after[one.name].schedules if one.name in after else ():
            if schedule.slug in paused and schedule.active:
                # Its parameters would be forgotten otherwise.
                client.update_deployment_schedule(
                    after[one.name].id, schedule.id, active=False, parameters=schedule.parameters
                )


def _drop_triggers(
    client: "SyncPrefectClient",
    declared: tuple[Declared, ...],
    server: dict[str, "DeploymentResponse"],
) -> None:
    for one in declared:
        if one.name not in server:
            continue
        resource = f"prefect.deployment.{server[one.name].id}"
        for automation in client.read_resource_related_automations(resource):
            if is_trigger(one, automation) and automation.name not in one.triggers:
                client.delete_automation(automation.id)


def _remove(client: "SyncPrefectClient", gone: "DeploymentResponse") -> None:
    """Takes a deployment away with what would otherwise stay: runs to come, and automations."""
    from prefect.client.schemas.filters import (
        DeploymentFilter,
        DeploymentFilterId,
        FlowRunFilter,
        FlowRunFilterState,
        FlowRunFilterStateType,
    )
    from prefect.client.schemas.objects import StateType

    only = DeploymentFilter(id=DeploymentFilterId(any_=[gone.id]))
    waiting = FlowRunFilterStateType(any_=[StateType.SCHEDULED])
    to_come = FlowRunFilter(state=FlowRunFilterState(type=waiting))
    client.delete_resource_owned_automations(f"prefect.deployment.{gone.id}")
    for schedule in gone.schedules:
        client.delete_deployment_schedule(gone.id, schedule.id)
    while runs := client.read_flow_runs(flow_run_filter=to_come, deployment_filter=only):
        for run in runs:
            client.delete_flow_run(run.id)
    client.delete_deployment(gone.id)

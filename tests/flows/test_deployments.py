"""What the server has of prefect.yaml: the same, no double, and nothing that left the file."""

from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest
from prefect import get_client
from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterId
from prefect.client.schemas.objects import FlowRun

from flows.ops.deployments import apply_deployments, compare_deployments
from flows.ops.differences import MISSING, Applied
from flows.ops.prepare import apply_pool
from flows.ops.starter import prefect_yaml
from pipelines.config import Config, load_config
from pipelines.errors import ConfigError
from tests.flows.runs import ON_SERVER, new_project, until
from tests.flows.served import served

pytestmark = [pytest.mark.slow, *ON_SERVER]

TRIGGER = "    triggers:\n      - {expect: [staleproof.test], posture: Reactive}\n    schedules:"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with served(tmp_path_factory.mktemp("server")):
        apply_pool("staleproof")
        yield


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """A project with the file that init writes."""
    config = load_config(new_project(tmp_path))
    text = prefect_yaml(knowledge=config.knowledge.name, config="staleproof.toml")
    (tmp_path / "prefect.yaml").write_text(text)
    return config


def edit(config: Config, old: str, new: str) -> None:
    file = config.root / "prefect.yaml"
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new, 1))


def names(config: Config, *flows: str) -> tuple[str, ...]:
    return tuple(f.replace("*", config.knowledge.name) for f in flows)


def runs_of(deployment_id: UUID) -> list[FlowRun]:
    only = DeploymentFilter(id=DeploymentFilterId(any_=[deployment_id]))
    with get_client(sync_client=True) as client:
        return client.read_flow_runs(deployment_filter=only)


def test_server_has_what_the_file_says_however_often_it_is_deployed(config: Config) -> None:
    everything = names(
        config, "decide/*", "fill/*", "maintain/*", "promote/*", "refresh/*", "refresh/*-recheck",
        "retrain/*", "watch/*", "watchdog/*",
    )  # fmt: skip
    assert {d.file for d in compare_deployments(config)} == {"there"}
    assert apply_deployments(config) == Applied(created=everything)
    assert compare_deployments(config) == []
    assert apply_deployments(config) == Applied()
    with get_client(sync_client=True) as client:
        seen = client.read_deployment_by_name(everything[4])
        [schedule] = seen.schedules
        client.update_deployment_schedule(seen.id, schedule.id, active=False)
    assert (schedule.slug, seen.version) == ("regular", "not in git")
    limit = seen.global_concurrency_limit
    assert (limit and limit.limit, seen.work_pool_name) == (1, "staleproof")
    assert seen.parameters == {"config": "staleproof.toml"}
    explained = (seen.parameter_openapi_schema or {})["properties"]
    assert explained["recheck"]["description"].startswith("Read every document")

    edit(config, "Embeds what changed only.", "Embeds little.")
    different = [(d.name, d.what) for d in compare_deployments(config)]
    assert different == [(everything[4], "description")], compare_deployments(config)
    assert apply_deployments(config) == Applied(updated=everything[4:5])
    with get_client(sync_client=True) as client:
        again = client.read_deployment_by_name(everything[4])
        watchdog = client.read_deployment_by_name(everything[8])
    # What a person paused stays paused, and every schedule is there once, under its slug.
    assert [(s.slug, s.active) for s in again.schedules] == [("regular", False)]
    assert [s.slug for s in watchdog.schedules] == ["regular"]
    waiting = until(lambda: runs_of(watchdog.id), bool)
    starts = [run.expected_start_time for run in waiting]
    assert len(starts) == len(set(starts)) > 0


def test_what_left_the_file_goes_with_its_runs_and_automations(config: Config) -> None:
    before, _, after = (config.root / "prefect.yaml").read_text().partition("flows.watchdog")
    traced = after.replace("    schedules:", TRIGGER, 1)
    (config.root / "prefect.yaml").write_text(f"{before}flows.watchdog{traced}")
    [watchdog] = names(config, "watchdog/*")
    apply_deployments(config)
    with get_client(sync_client=True) as client:
        deployed = client.read_deployment_by_name(watchdog)
        owned = client.read_resource_related_automations(f"prefect.deployment.{deployed.id}")
    assert [a.name for a in owned] == [f"{config.knowledge.name}__automation_1"]
    assert until(lambda: runs_of(deployed.id), bool)

    parts = (config.root / "prefect.yaml").read_text().split("\n  - name:")
    kept = [part for part in parts if "flows.watchdog" not in part]
    (config.root / "prefect.yaml").write_text("\n  - name:".join(kept))
    assert [(d.name, d.file) for d in compare_deployments(config)] == [(watchdog, MISSING)]
    assert apply_deployments(config) == Applied(removed=(watchdog,))
    assert compare_deployments(config) == []
    assert runs_of(deployed.id) == []
    with get_client(sync_client=True) as client:
        left = [a.name for a in client.read_automations()]
        runs = client.read_flow_runs()
    assert f"{config.knowledge.name}__automation_1" not in left
    assert deployed.id not in {run.deployment_id for run in runs}


def test_work_pool_that_is_not_there_is_named_before_anything_is_deployed(config: Config) -> None:
    edit(config, 'name: "staleproof"', 'name: "elsewhere"')
    with pytest.raises(ConfigError, match="no work pool 'elsewhere'"):
        apply_deployments(config)
    assert {d.server for d in compare_deployments(config)} == {MISSING}

"""From withdrawn permission to a new version that serves, on a server with a worker, run by run."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from prefect import flow, get_client
from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterId
from prefect.client.schemas.objects import FlowRun, State

from flows.ops.deployments import apply_deployments
from flows.ops.prepare import apply_pool
from flows.ops.starter import prefect_yaml
from flows.promote import promote_version
from pipelines import promote
from pipelines.knowledge import newest
from pipelines.registry import checkout_path, find_version
from tests.flows.runs import ON_SERVER, artifacts_of, events_of, until
from tests.flows.served import served
from tests.integration.test_prefect_server import stop
from tests.planted import text
from tests.project import rule, source
from tests.serving import ports_of
from tests.trained import LOSES, MODEL, MODELS, Trained, make_trained

pytestmark = [*ON_SERVER, pytest.mark.slow]

LONG = 400
"""Seconds that a run on a busy machine may take."""
MODEL_OF_TWO_DAYS = MODELS + 'cooldown = "1d"\n'
WITHDRAWN = "docs/0.md"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with served(tmp_path_factory.mktemp("server")):
        apply_pool("staleproof")
        yield


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """A version that was trained two days ago and serves since."""
    made = make_trained(tmp_path_factory.mktemp("template"), more=MODEL_OF_TWO_DAYS)
    made.project.now -= timedelta(days=2)
    for number in range(4):
        made.project.write(f"{number}.md", text(f"animal-{number}"))
    made.project.refresh()
    made.retrain()
    return made


@contextmanager
def at_work(folder: Path) -> Iterator[None]:
    """A worker, which runs what is due."""
    with (folder / "worker.log").open("wb") as log:
        worker = subprocess.Popen(
            [sys.executable, "-m", "prefect", "worker", "start", "--pool", "staleproof",
             "--type", "process", "--install-policy", "never"],
            cwd=folder,
            env=os.environ | client_settings(),
            stdout=log,
            stderr=subprocess.STDOUT,
        )  # fmt: skip
        try:
            yield
        finally:
            stop(worker)


def client_settings() -> dict[str, str]:
    """What this process' client goes by, for others."""
    from prefect.settings import PREFECT_API_URL, PREFECT_HOME

    return {
        "PREFECT_API_URL": str(PREFECT_API_URL.value()),
        "PREFECT_HOME": str(PREFECT_HOME.value()),
        "PREFECT_WORKER_QUERY_SECONDS": "1",
    }


class Loop:
    """The project, and what its server has run."""

    def __init__(self, trained: Trained, name: str) -> None:
        """Names the knowledge base, for the server is shared, and deploys it."""
        self.trained, self.project, self.name = trained, trained.project, name
        self.configure()
        file = self.project.root / "prefect.yaml"
        file.write_text(prefect_yaml(knowledge=name, config="staleproof.toml"))
        apply_deployments(self.project.config)

    def configure(self, *rules: str) -> None:
        self.project.configure(source(), *rules, more=MODEL_OF_TWO_DAYS)
        file = self.project.root / "staleproof.toml"
        file.write_text(file.read_text().replace('name = "kb"', f'name = "{self.name}"'))

    def deployment(self, kind: str) -> UUID:
        with get_client(sync_client=True) as client:
            return client.read_deployment_by_name(f"{kind}/{self.name}").id

    def runs(self, kind: str) -> list[FlowRun]:
        """Those that have begun, oldest first."""
        only = DeploymentFilter(id=DeploymentFilterId(any_=[self.deployment(kind)]))
        with get_client(sync_client=True) as client:
            found = client.read_flow_runs(deployment_filter=only)
        begun = [run for run in found if run.start_time]
        return sorted(begun, key=lambda run: run.start_time or run.created)

    def ended(self, kind: str, number: int) -> FlowRun:
        """That many-th run of a deployment, once it has come to its end."""

        def look() -> list[FlowRun]:
            return [run for run in self.runs(kind) if run.state and run.state.is_final()]

        found = until(look, lambda runs: len(runs) >= number, seconds=LONG)
        assert len(found) >= number, self.worker_log()
        return found[number - 1]

    def run(self, kind: str, number: int, **parameters: Any) -> FlowRun:
        """Runs a deployment, as its form does."""
        with get_client(sync_client=True) as client:
            client.create_flow_run_from_deployment(self.deployment(kind), parameters=parameters)
        return self.ended(kind, number)

    def learned(self, version: str) -> set[str]:
        """Uris that a version learned from."""
        root, folder = self.project.root, self.project.root / f"learned-{version}"
        path = f"data/training/{MODEL}/dataset"
        found = checkout_path(root, find_version(root, MODEL, version), path, folder)
        lines = (found / "manifest.jsonl").read_text().splitlines()
        return {json.loads(line)["uri"] for line in lines}

    def serves(self) -> str | None:
        last = newest(self.project.store)
        assert last is not None
        return last.models.get(MODEL)

    def worker_log(self) -> str:
        return (self.project.root / "worker.log").read_text(errors="replace")[-4_000:]

    def promoted(self, version: str) -> tuple[State[Any], FlowRun]:
        """The flow promote, with a stand-in that embeds."""
        request = promote.Request(model=MODEL, version=version, actor="prefect: ann")

        @flow(name="promote", persist_result=False)
        async def body() -> State[Any]:
            ports = ports_of(self.trained, version)
            return await promote_version(self.project.config.path, request, ports=ports, retries=0)

        state: State[Any] = asyncio.run(body(return_state=True))  # type: ignore[call-overload]
        assert state.state_details.flow_run_id
        with get_client(sync_client=True) as client:
            return state, client.read_flow_run(state.state_details.flow_run_id)


def said(run: FlowRun) -> tuple[str, str]:
    """The name of the final state and what it says."""
    assert run.state
    return str(run.state.name), str(run.state.message)


@pytest.mark.parametrize("outcome", ["promoted", "refused"])
def test_withdrawn_permission_leads_to_a_version_that_never_saw_the_document(
    template: Trained, tmp_path: Path, outcome: str
) -> None:
    trained = template.copied(tmp_path)
    if outcome == "refused":
        trained.learning_rate(LOSES)
    loop = Loop(trained, f"kb-{outcome}")
    first, _ = loop.promoted("v0.0.1")
    assert first.name == "Completed", first.message
    with at_work(loop.project.root):
        fresh = loop.run("watch", 1)
        assert said(fresh)[0] == "Fresh", (said(fresh), loop.worker_log())

        loop.configure(rule("0.md", '["public"]') + "train = false\n")
        stale = loop.run("watch", 2, reason="a test")
        assert said(stale)[0] == "Stale", said(stale)
        assert WITHDRAWN in said(stale)[1]
        assert stale.name == f"watch kb-{outcome} stale"
        events = [(name, payload["version"]) for name, _, payload in events_of(stale.id)]
        assert events == [("staleproof.model.stale", "v0.0.1")]

        retrained = loop.ended("retrain", 1)  # nobody asked for it but the event
        assert retrained.created_by
        assert retrained.created_by.type == "AUTOMATION"
        assert loop.learned("v0.0.1") >= {WITHDRAWN}
        assert WITHDRAWN not in loop.learned("v0.0.2")

        if outcome == "refused":
            assert said(retrained)[0] == "Refused", said(retrained)
            again = loop.run("retrain", 2)
            assert said(again)[0] == "Not needed"
            assert "longer after 1 that the gate refused" in said(again)[1]
    if outcome == "refused":
        state, _ = loop.promoted("v0.0.2")
        assert state.name == "Refused"
        assert loop.serves() == "v0.0.1"
        page = artifacts_of(retrained.id)[f"knowledge-{loop.name}"]
        assert_leads_to(page, stale, retrained)
        return
    assert said(retrained)[0] == "Completed", said(retrained)
    state, promotion = loop.promoted("v0.0.2")
    assert state.name == "Completed", state.message
    assert loop.serves() == "v0.0.2"
    page = artifacts_of(promotion.id)[f"knowledge-{loop.name}"]
    assert_leads_to(page, fresh, stale, retrained, promotion)


def assert_leads_to(page: str, *runs: FlowRun) -> None:
    """From one page each run is one step away."""
    for run in runs:
        assert f"/runs/flow-run/{run.id}" in page, run.name

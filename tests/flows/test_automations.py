"""The automations on a real server: each fires once for what it is there for, and says it well."""

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from prefect import get_client
from prefect.blocks.webhook import Webhook
from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterId
from prefect.client.schemas.objects import FlowRun
from prefect.events import emit_event
from prefect.events.schemas.automations import AutomationCore
from prefect.states import Crashed, Failed, Pending, Running
from pydantic import SecretStr

from flows.events import emit
from flows.ops.alarms import FOLDER
from flows.ops.automations import apply_automations, compare_automations
from flows.ops.deployments import tags_of
from flows.ops.differences import MISSING, Applied
from pipelines.config import Config, load_config
from pipelines.errors import ConfigError
from pipelines.records import Happened
from tests.flows.runs import ON_SERVER, new_project, until
from tests.flows.served import served

pytestmark = [pytest.mark.slow, *ON_SERVER]
QUICK = {
    "heartbeat-lost": 10,
    "pending-too-long": 10,
    "nothing-runs": 15,
    "asked-not-drained": 30,  # a busy machine takes seconds from one event to the next
}
PROBE = "probe"
LONG = 240
"""Seconds that a busy machine may take."""
SHIPPED = Path(__file__).parents[2] / FOLDER


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with served(tmp_path_factory.mktemp("server")):
        yield


@dataclass
class Deployed:
    """A project whose deployments are there, without a worker."""

    config: Config
    deployments: dict[str, UUID] = field(default_factory=dict)

    def run(self, flow: str, state: Any) -> FlowRun:
        """A run of a deployment, brought into a state."""
        with get_client(sync_client=True) as client:
            run = client.create_flow_run_from_deployment(self.deployments[flow])
            client.set_flow_run_state(run.id, state)
            return client.read_flow_run(run.id)

    def runs(self, flow: str) -> list[FlowRun]:
        only = DeploymentFilter(id=DeploymentFilterId(any_=[self.deployments[flow]]))
        with get_client(sync_client=True) as client:
            return client.read_flow_runs(deployment_filter=only)

    def beat(self, run: FlowRun) -> None:
        """A heartbeat as Prefect's engine sends it."""
        related = [
            {"prefect.resource.role": "tag", "prefect.resource.id": f"prefect.tag.{tag}"}
            for tag in run.tags
        ]
        resource = {"prefect.resource.id": f"prefect.flow-run.{run.id}"}
        emit_event("prefect.flow-run.heartbeat", resource=resource, related=related)

    def emit(self, event: str, resource: str, **payload: Any) -> None:
        name = self.config.knowledge.name
        whole = f"{resource}.{name}" if resource == "knowledge" else f"source.{name}.{resource}"
        emit(Happened(event, whole, payload), knowledge=name)


def deployed(folder: Path, more: str = "") -> Deployed:
    path = new_project(folder)
    path.write_text(path.read_text() + more)
    project = Deployed(load_config(path))
    with get_client(sync_client=True) as client:
        for name in ("refresh", "watchdog"):
            flow = client.create_flow_from_name(name)
            project.deployments[name] = client.create_deployment(
                flow, project.config.knowledge.name, tags=tags_of(project.config)
            )
    return project


@pytest.fixture
def project(tmp_path: Path) -> Deployed:
    return deployed(tmp_path)


@dataclass
class Told:
    """A project whose automations have fired, and what they called."""

    project: Deployed
    calls: list[dict[str, str]]
    lost: FlowRun
    failed: FlowRun
    stuck: FlowRun

    def of(self, start: str) -> list[str]:
        """What was said under subjects that begin so."""
        return [call["body"] for call in self.calls if call["subject"].startswith(start)]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory, server: None) -> Iterator[Told]:
    """Everything that the automations are for happens at once, and their windows are short."""
    calls: list[dict[str, str]] = []
    heard = threading.Event()

    class Listener(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            call = json.loads(self.rfile.read(length))
            if PROBE in json.dumps(call):
                heard.set()
            else:
                calls.append(call)
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    http = HTTPServer(("127.0.0.1", 0), Listener)
    threading.Thread(target=http.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{http.server_port}/"
    Webhook(url=SecretStr(url), allow_private_urls=True).save("ops", overwrite=True)
    folder = tmp_path_factory.mktemp("told")
    project = deployed(folder, '\n[server]\nnotify = "webhook/ops"\n')
    apply_automations(project.config, within=QUICK)

    def is_listening() -> bool:
        said = {"from": "healthy", "to": "degraded", "why": PROBE}
        project.emit("health.changed", PROBE, **said)
        return heard.wait(2)

    until(is_listening, bool, seconds=LONG)  # the server loads them a moment later
    time.sleep(3)  # and so the others
    for source in ("handbook", "asked"):
        project.emit("refresh.requested", source, endpoint="docs")
    lost, stuck = project.run("refresh", Running()), project.run("watchdog", Pending())
    project.beat(lost)
    failed = project.run("watchdog", Failed(message='Source "handbook" is away. Readers see #1.'))
    why, name = 'It said "no"', project.config.knowledge.name
    held = {"id": "h1", "kind": "deletions", "source": "handbook", "why": why, "items": 2}
    project.emit("hold.opened", "knowledge", **held)
    changed = {"from": "healthy", "to": "degraded", "why": why}
    project.emit("health.changed", "handbook", **changed)
    turned = {"version": "v0.0.2", "verdict": "stale", "reasons": [why, "worth is below 0"]}
    emit(Happened("model.stale", "model.tuned", turned), knowledge=name)
    emit(Happened("model.stale", "model.tuned", turned), knowledge="another")
    # Events of one moment are not always taken in order; a refresh takes longer than that.
    until(lambda: events_like("staleproof.refresh.requested"), lambda n: n >= 2, seconds=LONG)
    time.sleep(2)
    for source in ("handbook", "wiki"):
        project.emit("refresh.completed", source)
    seen = Told(project, calls, lost, failed, stuck)
    until(lambda: len(project.runs("refresh")), lambda n: n > 1, seconds=LONG)
    until(lambda: seen.of(f"{name}: nothing"), bool, seconds=LONG)
    until(lambda: seen.of(f"{name}: a refresh"), bool, seconds=LONG)
    project.run("refresh", Crashed(message="Once more."))
    time.sleep(20)  # nothing more may come
    yield seen
    http.shutdown()


def events_like(name: str) -> int:
    """How many the server has kept."""
    with get_client(sync_client=True) as client:
        only = {"filter": {"event": {"name": [name]}}}
        return int(client.request("POST", "/events/filter", json=only).json()["total"])


def state_of(run: FlowRun) -> tuple[str, str]:
    with get_client(sync_client=True) as client:
        state = client.read_flow_run(run.id).state
    assert state is not None
    return state.type.value, str(state.message)


def test_run_whose_heartbeat_is_lost_becomes_crashed(told: Told) -> None:
    kind, message = state_of(told.lost)
    assert kind == "CRASHED"
    assert "the process of this run is gone" in message


def test_run_that_stays_pending_becomes_crashed(told: Told) -> None:
    kind, message = state_of(told.stuck)
    assert kind == "CRASHED"
    assert "not started within" in message


def test_crashed_refresh_is_run_again_and_a_second_crash_soon_after_is_not(told: Told) -> None:
    runs = told.project.runs("refresh")
    again = [r for r in runs if r.created_by and r.created_by.type == "AUTOMATION"]
    crashed = [r for r in runs if r.state and r.state.is_crashed()]
    assert (len(crashed), len(again)) == (2, 1)
    assert again[0].parameters == {"reason": "again after a crash"}


def test_people_are_told_of_runs_that_failed_with_what_the_run_says(told: Told) -> None:
    [said] = told.of(f"{told.failed.name}: Failed")
    assert said.startswith('Source "handbook" is away. Readers see #1.\n')
    assert str(told.failed.id) in said
    assert told.of(f"{told.lost.name}: Crashed")


def test_people_are_told_of_holds_and_of_health(told: Told) -> None:
    name = told.project.config.knowledge.name
    [hold] = told.of(f"{name}: hold h1 waits for a person (deletions)")
    assert hold.startswith('It said "no"; 2 documents of source handbook.')
    assert f"decide/{name}" in hold
    [health] = told.of(f"{name}: source handbook is degraded")
    assert health.startswith('It was healthy. It said "no"')


def test_people_are_told_of_a_model_that_has_gone_stale(told: Told) -> None:
    name = told.project.config.knowledge.name
    [said] = told.of(f"{name}: tuned v0.0.2 is stale")
    assert said.startswith('It said "no"; worth is below 0\n')
    assert "staleproof watch tuned --explain" in said


def test_silence_of_two_sources_is_one_alarm_which_runs_the_watchdog(told: Told) -> None:
    name = told.project.config.knowledge.name
    assert len(told.of(f"{name}: nothing has been refreshed for too long")) == 1
    by = [r.created_by.display_value for r in told.project.runs("watchdog") if r.created_by]
    assert by == [f"staleproof/{name}/nothing-runs"]


def test_people_are_told_of_a_source_that_was_asked_for_and_of_no_other(told: Told) -> None:
    name = told.project.config.knowledge.name
    found = told.of(f"{name}: a refresh was asked for and has not come")
    assert len(found) == 1, found
    said = found[0]
    assert said.startswith(f"A webhook told of staleproof.source.{name}.asked, and within 30 s")


def test_automations_are_there_once_however_often_they_are_applied(project: Deployed) -> None:
    config = project.config
    prefix = f"staleproof/{config.knowledge.name}/"
    without_notify = ("heartbeat-lost", "nothing-runs", "pending-too-long", "run-again")
    everything = tuple(f"{prefix}{name}" for name in without_notify)
    assert {d.server for d in compare_automations(config)} == {MISSING}
    assert apply_automations(config) == Applied(created=everything)
    assert apply_automations(config) == Applied()
    assert compare_automations(config) == []
    apply_automations(config, within=QUICK)
    changed = [d.name for d in compare_automations(config) if d.what == "trigger"]
    assert changed == list(everything[:3])
    with get_client(sync_client=True) as client:
        [off] = client.read_automations_by_name(everything[0])
        client.pause_automation(off.id)
        double = client.read_automations_by_name(everything[3])[0]
        client.create_automation(AutomationCore.model_validate(double.model_dump()))
    assert apply_automations(config) == Applied(updated=everything[:3], removed=everything[3:])
    # What a person switched off stays off, and the comparison says so.
    assert [(d.name, d.what) for d in compare_automations(config)] == [(off.name, "enabled")]


def test_automation_that_left_the_files_goes(project: Deployed) -> None:
    config = project.config
    apply_automations(config)
    own = config.root / FOLDER
    own.mkdir(parents=True)
    (own / "run-again.yaml").write_bytes((SHIPPED / "run-again.yaml").read_bytes())
    gone = ("heartbeat-lost", "nothing-runs", "pending-too-long")
    prefix = f"staleproof/{config.knowledge.name}/"
    assert apply_automations(config) == Applied(removed=tuple(f"{prefix}{n}" for n in gone))
    assert compare_automations(config) == []


def test_block_that_is_not_there_is_named(tmp_path: Path) -> None:
    project = deployed(tmp_path, '\n[server]\nnotify = "slack-webhook/nobody"\n')
    with pytest.raises(ConfigError, match="slack-webhook/nobody"):
        apply_automations(project.config)

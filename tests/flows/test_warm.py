"""The warm lane and the dispatcher on a real server: what is asked for is done once, by one of them."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from prefect import get_client
from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterId
from prefect.client.schemas.objects import (
    ConcurrencyLimitStrategy,
    ConcurrencyOptions,
    FlowRun,
)
from prefect.settings import PREFECT_API_URL
from prefect.states import Cancelled, Completed, Pending, Running

from flows.ops.deployments import tags_of
from flows.ops.rest import Api
from flows.warm import dispatch
from flows.warm.dispatch import Dispatcher
from flows.warm.encoders import Encoders
from flows.warm.lane import WarmLane
from flows.warm.life import Bounds, Lane, find_lane, lane_file, last_lane, tell
from flows.warm.server import is_busy
from pipelines.config import Config, load_config
from pipelines.inbox import Delivery, Inbox, inbox_of
from pipelines.knowledge import Pause, find_store, newest, record_pause, refresh_lock
from pipelines.processes import ProcessId
from tests.fakes import HashEncoder
from tests.flows.runs import (
    ON_SERVER,
    artifacts_of,
    events_of,
    ingest,
    logs_of,
    new_project,
    tasks_of,
)
from tests.machine import wait_until

pytestmark = ON_SERVER

WIKI = """
[[sources]]
name = "wiki"
kind = "files"
path = "wiki"
domain = "hr"
labels = ["public"]
"""
LONG_AGO = timedelta(hours=1)
SLOW = """
import sys, time
from pathlib import Path
from flows.warm import __main__ as warm
from tests.fakes import HashEncoder
class Slow(HashEncoder):
    def encode(self, texts):
        if "passage takes" not in texts[0]:
            Path("encoding").touch()
            time.sleep(600)
        return super().encode(texts)
warm._GRACE_SECONDS = 0.5
sys.exit(warm.main(sys.argv[1], load=lambda model, *, root, batch_size=32: Slow(max_tokens=256)))
"""


@dataclass
class Warm:
    """A project with two sources, deployed, its first publication done; and its lane."""

    path: Path
    deployment: UUID
    encoder: HashEncoder = field(default_factory=lambda: HashEncoder(max_tokens=256))
    loads: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.lane = WarmLane(self.path, self.api, Encoders(self.load))

    def load(self, model: str, *, root: Path, batch_size: int = 32) -> HashEncoder:
        self.loads.append(model)
        return self.encoder

    @property
    def config(self) -> Config:
        return load_config(self.path)

    @property
    def api(self) -> Api:
        return Api(str(PREFECT_API_URL.value()))

    @property
    def inbox(self) -> Inbox:
        return inbox_of(self.config.store_uri)

    def edit(self, source: str = "docs") -> None:
        page = self.path.parent / source / "leave.md"
        page.write_text(f"# Leave\n\nIt is said anew: {uuid4().hex}.\n")

    def deliver(self, *sources: str, ago: timedelta = timedelta()) -> None:
        delivery = Delivery("docs", uuid4().hex, sources or ("handbook",))
        self.inbox.take(delivery, most=1000, now=datetime.now(UTC) - ago)

    def runs(self) -> list[FlowRun]:
        only = DeploymentFilter(id=DeploymentFilterId(any_=[self.deployment]))
        with get_client(sync_client=True) as client:
            found = client.read_flow_runs(deployment_filter=only)
        return sorted(found, key=lambda run: run.created or datetime.now(UTC))

    def made(self, *states: Any, **parameters: Any) -> FlowRun:
        """A run of the deployment that somebody else has taken through these states."""
        with get_client(sync_client=True) as client:
            run = client.create_flow_run_from_deployment(self.deployment, parameters=parameters)
            self.bring(run, *states)
            return run

    def bring(self, run: FlowRun, *states: Any) -> None:
        with get_client(sync_client=True) as client:
            for state in states:
                client.set_flow_run_state(run.id, state)

    def state_of(self, run: FlowRun) -> str | None:
        with get_client(sync_client=True) as client:
            return client.read_flow_run(run.id).state_name

    def look(self) -> bool:
        """One look of the lane; the server's SQLite may be busy with what came before."""
        while True:
            try:
                return self.lane.look()
            except OSError:
                time.sleep(0.5)

    def number(self) -> int:
        store = find_store(self.config.store_uri)
        last = newest(store) if store else None
        assert last is not None
        return last.number


@pytest.fixture
def warm(tmp_path: Path) -> Iterator[Warm]:
    path = new_project(tmp_path)
    path.write_text(path.read_text() + WIKI)
    shutil.copytree(tmp_path / "docs", tmp_path / "wiki")
    ingest(path)
    config = load_config(path)
    cancel_new = ConcurrencyOptions(collision_strategy=ConcurrencyLimitStrategy.CANCEL_NEW)
    with get_client(sync_client=True) as client:
        deployment = client.create_deployment(
            client.create_flow_from_name("refresh"),
            config.knowledge.name,
            tags=tags_of(config),
            parameters={"config": str(path)},
            concurrency_limit=1,
            concurrency_options=cancel_new,
        )
    made = Warm(path, deployment)
    with closing(made.lane):
        yield made


def test_delivery_becomes_a_run_like_any_other(warm: Warm) -> None:
    warm.edit()
    warm.deliver()
    assert warm.look()
    [run] = warm.runs()
    name = warm.config.knowledge.name
    assert (run.state_name, run.name) == ("Completed", f"refresh {name} ~1")
    assert set(run.tags) == {"staleproof", f"kb:{name}"}
    assert run.infrastructure_pid == str(os.getpid())
    assert run.parameters == {
        "config": str(warm.path),
        "sources": ["handbook"],
        "reason": "webhook: docs",
    }
    assert {"scan:handbook", "embed:batch 1", "publish"} <= set(tasks_of(run.id, "clean up"))
    assert {f"refresh-{name}", f"knowledge-{name}"} <= set(artifacts_of(run.id))
    assert f"Refresh of {name}: ~1" in logs_of(run.id)
    assert (warm.number(), warm.inbox.waiting()) == (2, {})
    assert not warm.look(), "nothing waits any more"
    assert not is_busy(warm.api, str(warm.deployment), or_soon=True)


def test_model_is_loaded_once_and_events_belong_to_their_own_run(warm: Warm) -> None:
    for _ in range(2):
        warm.edit()
        warm.deliver()
        assert warm.look()
    runs = warm.runs()
    assert [run.state_name for run in runs] == ["Completed", "Completed"]
    assert len(warm.loads) == 1
    told = [[payload["run"] for *_, payload in events_of(run.id)] for run in runs]
    assert [set(of) for of in told] == [{run.id.hex} for run in runs]
    assert [len(of) for of in told] == [2, 2]
    related = [
        {
            one["prefect.resource.id"]
            for one in event["related"]
            if "run" in one["prefect.resource.role"]
        }
        for event in events_related_to(warm, runs[1])
    ]
    assert all(of == {f"prefect.flow-run.{runs[1].id}"} for of in related), related


def events_related_to(warm: Warm, run: FlowRun) -> list[dict[str, Any]]:
    related = {"id": [f"prefect.flow-run.{run.id}"]}
    only = {"event": {"prefix": ["staleproof.refresh", "staleproof.know"]}, "related": related}
    found: list[dict[str, Any]] = warm.api.ask("POST", "/events/filter", {"filter": only})["events"]
    assert found
    return found


@pytest.mark.slow
def test_what_comes_during_a_run_is_not_lost_and_needs_few_runs(
    warm: Warm, monkeypatch: pytest.MonkeyPatch
) -> None:
    encode = warm.encoder.encode

    def while_it_embeds(texts: Any) -> Any:
        if warm.number() == 1:
            for _ in range(2):
                warm.edit()
                warm.deliver()
        return encode(texts)

    monkeypatch.setattr(warm.encoder, "encode", while_it_embeds)
    warm.edit()
    warm.deliver()
    while warm.look():
        pass
    assert warm.inbox.waiting() == {}
    assert warm.number() == 3
    assert len(warm.runs()) <= 2


@pytest.mark.slow
def test_source_that_is_away_is_not_hammered_and_keeps_no_other_waiting(warm: Warm) -> None:
    away = (warm.path.parent / "docs").rename(warm.path.parent / "elsewhere")
    warm.edit("wiki")
    warm.deliver("handbook", "wiki")
    assert warm.look()
    assert [run.state_name for run in warm.runs()] == ["Unreachable"]
    assert set(warm.inbox.waiting()) == {"handbook"}
    assert warm.number() == 2
    warm.deliver("handbook")
    assert not warm.look(), "another delivery is no reason to hurry"
    warm.deliver("wiki")
    assert warm.look()
    assert warm.runs()[-1].parameters["sources"] == ["wiki"]
    away.rename(warm.path.parent / "docs")
    wait_until(warm.look)
    assert warm.inbox.waiting() == {}


def test_lane_waits_while_another_refresh_holds_the_store(warm: Warm) -> None:
    warm.deliver()
    store = find_store(warm.config.store_uri)
    assert store
    with refresh_lock(store, run="of somebody", now=datetime.now(UTC)):
        assert not warm.look()
    assert warm.runs() == []
    assert warm.look()


def test_lane_waits_while_a_run_of_the_deployment_goes_on(warm: Warm) -> None:
    warm.deliver()
    other = warm.made(Pending())
    assert not warm.look()
    warm.bring(other, Running())
    assert not warm.look()
    warm.bring(other, Completed())
    assert warm.look()
    assert [run.state_name for run in warm.runs()] == ["Completed", "Completed"]


def test_run_that_waits_for_a_worker_keeps_the_lane_from_nothing(warm: Warm) -> None:
    warm.deliver()
    warm.made()
    assert warm.look()
    assert [run.state_name for run in warm.runs()] == ["Scheduled", "Completed"]


def test_run_that_a_worker_took_first_is_left_to_it(
    warm: Warm, monkeypatch: pytest.MonkeyPatch
) -> None:
    def taken(*_: Any, **__: Any) -> dict[str, Any]:
        run = warm.made(Pending())
        made: dict[str, Any] = warm.api.ask("GET", f"/flow_runs/{run.id}")
        return made

    monkeypatch.setattr("flows.warm.lane.start_run", taken)
    warm.deliver()
    assert warm.look()
    assert [run.state_name for run in warm.runs()] == ["Pending"]
    assert "handbook" in warm.inbox.waiting()
    assert not warm.look()


def test_wish_of_a_refresh_that_goes_on_is_its_own_until_it_is_long_abandoned(warm: Warm) -> None:
    now = datetime.now(UTC)
    warm.inbox.ask(["handbook"], actor="somebody", now=now)
    assert not warm.look()
    warm.inbox.ask(["wiki"], actor="somebody", now=now - LONG_AGO)
    assert warm.look()
    assert warm.runs()[0].parameters["sources"] == ["wiki"]
    assert set(warm.inbox.waiting()) == {"handbook"}


def test_paused_and_unknown_sources_are_settled_without_a_run(warm: Warm) -> None:
    store = find_store(warm.config.store_uri)
    assert store
    pause = Pause("wiki", datetime.now(UTC), "somebody", "it moves")
    record_pause(store, pause)
    warm.deliver("wiki", "nowhere")
    assert not warm.look()
    assert (warm.runs(), warm.inbox.waiting()) == ([], {})
    assert {
        settled.run for name, settled in warm.inbox.settled().items() if name != "handbook"
    } == {"none"}


@pytest.mark.slow
def test_lane_that_holds_too_much_leaves_after_a_run_and_the_next_one_goes_on(warm: Warm) -> None:
    small = Bounds(memory_mb=1, age_seconds=3600, born=0)
    for number in (2, 3):
        warm.edit()
        warm.deliver()
        lane = WarmLane(warm.path, warm.api, Encoders(warm.load))
        lane.serve(Bounds(small.memory_mb, float("inf"), born=0))
        assert (warm.number(), warm.inbox.waiting()) == (number, {})


def test_lane_that_is_too_old_leaves_without_a_run(warm: Warm) -> None:
    warm.lane.serve(Bounds(memory_mb=10**6, age_seconds=0, born=0))
    assert warm.runs() == []


@pytest.mark.slow
def test_server_that_is_away_is_waited_for(warm: Warm) -> None:
    warm.lane.api = Api("http://127.0.0.1:9/api")
    warm.edit()
    warm.deliver()
    stopped = threading.Timer(3, warm.lane.stopping.set)
    stopped.start()
    warm.lane.serve(Bounds(10**6, float("inf"), born=0))
    assert "handbook" in warm.inbox.waiting()
    warm.lane.api = warm.api
    assert warm.look()
    assert warm.number() == 2


def test_other_weights_in_the_place_of_the_loaded_ones_are_loaded(tmp_path: Path) -> None:
    file = tmp_path / "model.safetensors"
    file.write_text("weights")
    given: list[Any] = []

    def load(model: str, *, root: Path, batch_size: int = 32) -> Any:
        encoder = HashEncoder(model=model)
        encoder.folder = tmp_path  # type: ignore[attr-defined]
        given.append(encoder)
        return encoder

    encoders = Encoders(load)
    assert encoders("a", root=tmp_path) is encoders("a", root=tmp_path)
    file.write_text("other weights")
    assert encoders("a", root=tmp_path) is given[1]
    assert encoders("b", root=tmp_path) is given[2]
    assert len(given) == 3


@contextmanager
def in_a_long_run(warm: Warm) -> Iterator[subprocess.Popen[bytes]]:
    """A lane in a process of its own, in the middle of a run that does not end."""
    warm.edit()
    warm.deliver()
    child = subprocess.Popen(
        [sys.executable, "-c", SLOW, str(warm.path)],
        env=os.environ | {"PREFECT_API_URL": str(PREFECT_API_URL.value())},
    )
    try:
        wait_until((warm.path.parent / "encoding").exists)
        lane = find_lane(warm.config)
        assert lane
        assert (lane.process.pid, lane.ready) == (child.pid, True)
        yield child
    finally:
        child.kill()
        child.wait()


def test_lane_waits_for_what_a_cancelled_run_is_in(
    warm: Warm, monkeypatch: pytest.MonkeyPatch
) -> None:
    encode, begun, ended = warm.encoder.encode, threading.Event(), threading.Event()

    def slowly(texts: Any) -> Any:
        begun.set()
        time.sleep(2)
        ended.set()
        return encode(texts)

    def cancel() -> None:
        begun.wait(60)
        warm.lane.break_off(0)

    monkeypatch.setattr(warm.encoder, "encode", slowly)
    warm.edit()
    warm.deliver()
    person = threading.Thread(target=cancel)
    person.start()
    assert warm.look()
    person.join()
    assert ended.is_set()
    assert [run.state_name for run in warm.runs()] == ["Crashed"]
    monkeypatch.setattr(warm.encoder, "encode", encode)
    # The thread may have come to its end; else the next run does it.
    wait_until(lambda: not warm.inbox.waiting() or warm.look())
    assert (warm.number(), warm.inbox.waiting()) == (2, {})


@pytest.mark.slow
def test_run_of_a_lane_that_was_killed_keeps_the_next_one_from_nothing(warm: Warm) -> None:
    with in_a_long_run(warm) as child:
        child.kill()
        child.wait()
    assert [run.state_name for run in warm.runs()] == ["Running"]
    before = last_lane(warm.config)
    assert before
    assert find_lane(warm.config) is None
    with closing(WarmLane(warm.path, warm.api, Encoders(warm.load), killed=before.process)) as lane:
        assert lane.look()
    first, second = warm.runs()
    assert (first.state_name, second.state_name) == ("Crashed", "Completed")
    assert first.state
    assert "was killed" in str(first.state.message)
    assert (warm.number(), warm.inbox.waiting()) == (2, {})


@pytest.mark.slow
def test_lane_that_is_stopped_in_a_long_run_says_so_and_the_wish_stays(warm: Warm) -> None:
    with in_a_long_run(warm) as child:
        child.send_signal(signal.SIGTERM)
        assert child.wait(60) == 0
    assert [run.state_name for run in warm.runs()] == ["Crashed"]
    assert "handbook" in warm.inbox.waiting()
    assert find_lane(warm.config) is None
    assert warm.look()
    assert warm.number() == 2


# The dispatcher.


def dispatcher(warm: Warm) -> Dispatcher:
    return Dispatcher(warm.path, warm.api)


def test_dispatcher_starts_one_run_for_all_that_waits(warm: Warm) -> None:
    dispatches = dispatcher(warm)
    warm.deliver("wiki")
    assert dispatches.look() is None, "what comes in one moment is one run"
    warm.deliver("handbook", ago=LONG_AGO)
    warm.deliver("wiki", ago=LONG_AGO)
    run_id = dispatches.look()
    [run] = warm.runs()
    assert str(run.id) == run_id
    assert run.state_name == "Scheduled"
    assert run.parameters["sources"] == ["handbook"]
    assert dispatches.look() is None, "it is about to run"
    assert len(warm.runs()) == 1


def test_dispatcher_does_not_start_run_after_run_for_what_fails(warm: Warm) -> None:
    dispatches = dispatcher(warm)
    warm.deliver(ago=LONG_AGO)
    assert dispatches.look()
    warm.bring(warm.runs()[0], Pending(), Running(), Completed())
    assert dispatches.look() is None
    wait_until(lambda: dispatches.look() is not None)
    assert len(warm.runs()) == 2


def test_dispatcher_leaves_it_to_a_lane_that_lives(
    warm: Warm, monkeypatch: pytest.MonkeyPatch
) -> None:
    dispatches = dispatcher(warm)
    lane_file(warm.config).parent.mkdir()
    warm.deliver(ago=timedelta(seconds=20))
    tell(warm.config, ready=True)
    assert dispatches.look() is None
    gone = ProcessId(os.getpid(), 0.0)
    said = json.loads(lane_file(warm.config).read_text())
    lane_file(warm.config).write_text(json.dumps(said | {"process": vars_of(gone)}))
    assert dispatches.look()


def vars_of(process: ProcessId) -> dict[str, Any]:
    return {"pid": process.pid, "created": process.created}


@pytest.mark.slow
def test_run_that_was_cancelled_for_one_that_looked_elsewhere_is_asked_for(
    warm: Warm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatch, "_CROWDED_SECONDS", 0.0)
    dispatches = dispatcher(warm)
    narrow = warm.made(Pending(), Running(), sources=["handbook"])
    assert warm.state_of(warm.made(Pending())) == "Cancelled"
    warm.made(Cancelled(message="By a person."))
    assert dispatches.look() is None, "the other one goes on"
    assert set(warm.inbox.waiting()) == {"wiki"}
    warm.bring(narrow, Completed())
    assert dispatches.look() is None
    assert warm.look(), "nobody else does it, so it does not wait for long"
    assert warm.runs()[-1].parameters["sources"] == ["wiki"]
    assert warm.inbox.waiting() == {}
    assert dispatches.look() is None
    whole = warm.made(Pending(), Running())
    assert warm.state_of(warm.made(Pending())) == "Cancelled"
    dispatches.look()
    assert warm.inbox.waiting() == {}, "the other one looks at everything"
    warm.bring(whole, Completed())


def test_lane_is_known_by_its_process(warm: Warm) -> None:
    assert find_lane(warm.config) is None
    lane_file(warm.config).parent.mkdir()
    tell(warm.config, ready=False)
    lane = find_lane(warm.config)
    assert isinstance(lane, Lane)
    assert (lane.process.pid, lane.ready) == (os.getpid(), False)
    assert lane.memory_mb > 10

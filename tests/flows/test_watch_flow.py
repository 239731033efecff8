"""The flow watch on a real server: state, name, page and events of a run."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from prefect import flow, get_client
from prefect.client.schemas.objects import FlowRun, State

from flows.watch import watch_versions
from pipelines import watch
from pipelines.knowledge import watch_lock
from tests.flows.runs import ON_SERVER, artifacts_of, events_of, logs_of, tasks_of
from tests.observed import VERSION, Observed
from tests.project import source
from tests.retrained import MODEL, text

pytestmark = [*ON_SERVER, pytest.mark.slow]

FORBIDDEN = '[[sources.rules]]\nmatch = "0.md"\ntrain = false\n'


@pytest.fixture
def project(tmp_path: Path) -> Observed:
    """A version that learned from three documents serves."""
    made = Observed(tmp_path)
    (tmp_path / "docs").mkdir()
    made.configured()
    for number in range(3):
        made.write(f"{number}.md", text(number))
    made.refresh()
    made.served()
    return made


def looked(project: Observed, model: str = "", **more: Any) -> tuple[State[Any], FlowRun]:
    ports = watch.Ports(project.load_watched, project.registry.find_version, project.checkout)

    @flow(name="watch", persist_result=False)
    async def body() -> State[Any]:
        return await watch_versions(project.config.path, model, ports=ports, retries=0, **more)

    state: State[Any] = asyncio.run(body(return_state=True))  # type: ignore[call-overload]
    assert state.state_details.flow_run_id
    with get_client(sync_client=True) as client:
        return state, client.read_flow_run(state.state_details.flow_run_id)


def turned(run: FlowRun) -> list[tuple[str, str]]:
    """Events of a run: which, and of what."""
    return [(name, resource) for name, resource, _ in events_of(run.id)]


def test_looks_are_fresh_then_to_be_watched_then_stale_each_told_once(project: Observed) -> None:
    state, run = looked(project)
    resource = f"staleproof.model.{MODEL}"
    assert (state.name, run.name) == ("Fresh", "watch kb fresh")
    assert tasks_of(run.id, f"look at {MODEL}") == [f"look at {MODEL}"]
    assert turned(run) == [("staleproof.model.fresh", resource)]
    page = artifacts_of(run.id)[f"drift-{MODEL}"]
    assert page.startswith(f"# {MODEL} {VERSION}: fresh")

    project.write("0.md", "# Other\n\nAltogether otherwise.\n")
    project.refresh()
    state, run = looked(project, MODEL, reason="a test")
    assert (state.name, run.name) == ("Watch", f"watch {MODEL} watch")
    assert "exposure 0.33" in (state.message or "")
    assert f"The artifact drift-{MODEL} shows the evidence." in (state.message or "")
    page = artifacts_of(run.id)[f"drift-{MODEL}"]
    assert "data:image/svg+xml;base64," in page
    assert "docs/0" in page
    for said in (page, state.message or "", logs_of(run.id)):
        assert "otherwise" not in said, "text of a document"

    project.configured(source(more=FORBIDDEN))
    state, run = looked(project)
    assert (state.name, state.is_completed()) == ("Stale", True)
    [(event, of, payload)] = events_of(run.id)
    assert (event, of) == ("staleproof.model.stale", resource)
    assert payload["id"] == f"{MODEL}/{VERSION}/stale/1"
    assert "docs/0.md" in payload["reasons"][0]
    page = artifacts_of(run.id)["knowledge-kb"]
    assert "| stale |" in page

    state, run = looked(project)
    assert state.name == "Stale", "it stays so"
    assert turned(run) == []
    assert artifacts_of(run.id) == {}, "nothing has happened"


def test_run_that_has_nothing_to_watch_says_why(project: Observed) -> None:
    project.demote()
    state, run = looked(project)
    assert (state.name, run.name) == ("Nothing to watch", "watch kb nothing to watch")
    assert f"{MODEL}: no version of it serves" in (state.message or "")
    project.configure(source())
    state, _ = looked(project)
    assert state.message == "The configuration has no [[models]]."


def test_run_beside_another_is_cancelled_as_busy(project: Observed) -> None:
    with watch_lock(project.store, run="somebody", now=project.now):
        state, run = looked(project)
    assert (state.name, state.is_cancelled()) == ("Busy", True)
    assert "somebody" in (state.message or "")
    assert run.name == "watch kb watch running"


def test_unknown_model_fails_with_what_readers_see(project: Observed) -> None:
    state, run = looked(project, "tunde")
    assert (state.name, run.name) == ("Failed", "watch tunde failed, unknown name")
    assert f"Did you mean {MODEL}?" in (state.message or "")

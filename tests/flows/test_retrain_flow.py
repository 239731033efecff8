"""The flow retrain on a real server: states, tasks, page and events of a run."""

import asyncio
import contextlib
import shutil
from pathlib import Path
from typing import Any

import pytest
from prefect import flow, get_client
from prefect.client.schemas.objects import FlowRun, State

from flows.retrain import retrain, retrain_version
from pipelines.registry import registry_lock, versions
from pipelines.retrain import Asked
from tests.flows.runs import ON_SERVER, artifacts_of, events_of, logs_of, run, tasks_of, until
from tests.planted import text
from tests.trained import LOSES, MODEL, Trained, has_ended, make_trained

pytestmark = [*ON_SERVER, pytest.mark.slow]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    made = make_trained(tmp_path_factory.mktemp("template"))
    for number in range(4):
        made.project.write(f"{number}.md", text(f"animal-{number}"))
    made.project.refresh()
    return made


@pytest.fixture
def trained(template: Trained, tmp_path: Path) -> Trained:
    return template.copied(tmp_path)


def ran(trained: Trained, **parameters: Any) -> tuple[State[Any], FlowRun]:
    async def body() -> State[Any]:
        given = {"model": MODEL, "config": str(trained.project.config.path), **parameters}
        state: State[Any] = await retrain(**given, return_state=True)
        return state

    state = asyncio.run(body())
    assert state.state_details.flow_run_id
    with get_client(sync_client=True) as client:
        return state, client.read_flow_run(state.state_details.flow_run_id)


def test_run_shows_its_steps_the_card_and_the_curves_and_a_second_one_makes_no_version(
    trained: Trained,
) -> None:
    state, flow_run = ran(trained, reason="a test")
    assert (state.name, flow_run.name) == ("Completed", f"retrain {MODEL} v0.0.1")
    assert f"To do it: staleproof promote {MODEL} v0.0.1" in (state.message or "")
    steps = ["snapshot", "track", "dataset", "train", "evaluate", "judge", "publish"]
    assert tasks_of(flow_run.id, "publish") == steps
    page = artifacts_of(flow_run.id)[f"evaluation-{MODEL}"]
    assert page.count("data:image/svg+xml;base64,") == 2
    assert "Gain over the base, MRR@10 on held-out questions: +0.500" in page
    for said in (page, state.message or "", logs_of(flow_run.id)):
        assert "sleeps by day" not in said, "text of a document"
    state, flow_run = ran(trained)
    assert (state.name, flow_run.name) == ("Nothing changed", f"retrain {MODEL} nothing changed")
    assert artifacts_of(flow_run.id) == {}


def test_version_that_the_gate_refuses_is_completed_as_refused_and_told(trained: Trained) -> None:
    trained.learning_rate(LOSES)
    state, flow_run = ran(trained)
    assert (state.name, flow_run.name) == ("Refused", f"retrain {MODEL} v0.0.1 refused")
    assert state.is_completed()
    assert "min_gain" in (state.message or "")
    told = [(name, resource) for name, resource, _ in events_of(flow_run.id)]
    assert told == [("staleproof.model.refused", f"staleproof.model.{MODEL}")]


def test_scheduled_run_that_is_not_needed_trains_nothing(trained: Trained) -> None:
    state, flow_run = ran(trained, scheduled=True)
    assert (state.name, flow_run.name) == ("Not needed", f"retrain {MODEL} not needed")
    assert "no version of words is in use" in (state.message or "")
    assert artifacts_of(flow_run.id) == {}


def test_run_that_cannot_start_says_why(trained: Trained) -> None:
    state, _ = ran(trained, model="nobody")
    assert state.is_failed()
    assert 'no model "nobody"' in (state.message or "")
    shutil.rmtree(trained.repo.root / ".git")
    state, _ = ran(trained)
    assert state.is_failed()
    assert "git init" in (state.message or "")


@flow(name="retrain")
async def tried_once(config: str) -> State[Any]:
    """The body of the flow, which is not tried again."""
    return await retrain_version(Path(config), MODEL, Asked(), retries=0)


def test_run_that_finds_another_at_work_is_cancelled_as_busy(trained: Trained) -> None:
    with registry_lock(trained.repo.root, "somebody"):
        state, _ = run(tried_once, trained.project.config.path)
    assert (state.name, state.is_cancelled()) == ("Busy", True)
    assert "somebody" in (state.message or "")


def test_run_that_is_cancelled_ends_its_training_and_leaves_nothing(
    trained: Trained, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    sleeping = tmp_path / "sleeping"
    monkeypatch.setenv("SLEEPS_IN", "train")
    monkeypatch.setenv("SLEEPING", str(sleeping))

    def pid() -> str:
        return sleeping.read_text() if sleeping.exists() else ""

    async def body() -> None:
        flow_run = asyncio.ensure_future(
            retrain(model=MODEL, config=str(trained.project.config.path), return_state=True)
        )
        await asyncio.to_thread(until, lambda: pid() or flow_run.done(), bool, seconds=300)
        flow_run.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await flow_run

    asyncio.run(body())  # joins the thread of the engine
    assert until(lambda: has_ended(int(pid())), bool)
    assert versions(trained.repo.root, MODEL) == []
    assert len(trained.repo.git("worktree", "list").splitlines()) == 1

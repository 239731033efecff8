"""The flows retrain and promote with a generator on a real server: pages and events, and no answer in them."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from prefect import flow, get_client
from prefect.client.schemas.objects import FlowRun, State

from flows.promote import promote_version
from flows.retrain import retrain
from pipelines import promote
from pipelines.promote.trial import Tried
from tests.adapters import make_adapter
from tests.flows.runs import ON_SERVER, artifacts_of, events_of, logs_of
from tests.quick_voice import VOICE, make_quick_voice
from tests.trained import Trained

pytestmark = [*ON_SERVER, pytest.mark.slow]

TEXTS = ("crowns", "price of tool", "challenger says", "In short")
"""Of documents, questions and answers."""


@pytest.fixture
def made(tmp_path: Path) -> Trained:
    return make_quick_voice(tmp_path / "voice", make_adapter(tmp_path / "adapter"))


def ran(body: Callable[[], Any]) -> tuple[State[Any], FlowRun]:
    state = asyncio.run(body())
    assert state.state_details.flow_run_id
    with get_client(sync_client=True) as client:
        return state, client.read_flow_run(state.state_details.flow_run_id)


def test_generator_is_trained_shown_tried_and_served(made: Trained) -> None:
    path = made.project.config.path

    async def train() -> State[Any]:
        state: State[Any] = await retrain(model=VOICE, config=str(path), return_state=True)
        return state

    state, trained = ran(train)
    assert (state.name, trained.name) == ("Completed", f"retrain {VOICE} v0.0.1")
    page = artifacts_of(trained.id)[f"evaluation-{VOICE}"]
    assert page.count("data:image/svg+xml;base64,") == 2
    assert "Score of answers of each model" in page
    assert "| challenger | 1.000 [" in page
    tried: list[tuple[Path, Path]] = []

    def try_out(folder: Path, adapter: Path) -> Tried:
        tried.append((folder, adapter))
        return Tried(8, 8)

    request = promote.Request(model=VOICE, version="v0.0.1", actor="somebody")
    ports = promote.Ports(try_out=try_out)

    @flow(name="promote", persist_result=False)
    async def body() -> State[Any]:
        return await promote_version(path, request, ports=ports, retries=0)

    state, promoted = ran(lambda: body(return_state=True))
    assert (state.name, promoted.name) == ("Completed", f"promote {VOICE} v0.0.1")
    assert len(tried) == 1
    told = [(name, resource) for name, resource, _ in events_of(promoted.id)]
    assert told == [("staleproof.model.promoted", f"staleproof.model.{VOICE}")]
    shown = artifacts_of(promoted.id)
    assert VOICE in "".join(shown.values())
    said = [page, state.message, logs_of(trained.id), logs_of(promoted.id), *shown.values()]
    assert [text for text in TEXTS if any(text in str(one) for one in said)] == []

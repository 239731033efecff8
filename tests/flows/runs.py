"""Runs flows on a server, over small projects with a stand-in encoder, and reads what it kept."""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID, uuid4

import pytest
from prefect import flow, get_client
from prefect.client.schemas.filters import (
    ArtifactFilter,
    ArtifactFilterFlowRunId,
    FlowRunFilter,
    FlowRunFilterId,
    LogFilter,
    LogFilterFlowRunId,
)
from prefect.client.schemas.objects import FlowRun, State
from prefect.events import emit_event

from flows.refresh import refresh_documents
from pipelines.config import load_config
from pipelines.refresh import Ports, Report, Request, refresh_knowledge
from tests.fakes import HashEncoder

T = TypeVar("T")

ON_SERVER = [
    pytest.mark.usefixtures("server", "leftovers"),
    # Prefect leaves sockets and loops of its own to the garbage collector.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
"""Marks of the modules that run flows."""

WORD = "quokkas"
CONFIG = """
[knowledge]
name = "{name}"
store = "store"
[[sources]]
name = "handbook"
kind = "files"
path = "docs"
domain = "hr"
labels = ["public"]
"""
PORTS = Ports(load_encoder=lambda model, *, root, batch_size=32: HashEncoder(max_tokens=256))


@flow(name="refresh")
async def with_stand_in(config: str) -> State[Any]:
    """The body of the flow, with another model."""
    return await refresh_documents(
        Path(config), Request(), ports=PORTS, retries=1, retry_delay_seconds=0
    )


def new_project(folder: Path) -> Path:
    """A configuration with three documents; its name is its own, for the server is shared."""
    docs = folder / "docs"
    docs.mkdir()
    for name in ("leave", "pay", "travel"):
        text = f"# About {name}\n\nAll {WORD} get {name} in the month of May.\n"
        (docs / f"{name}.md").write_text(text)
    config = folder / "staleproof.toml"
    config.write_text(CONFIG.format(name=f"kb-{uuid4().hex[:8]}"))
    return config


def ingest(project: Path) -> Report:
    now = datetime.now(UTC)
    return refresh_knowledge(load_config(project), now=now, run_id=uuid4().hex, ports=PORTS)


def run(a_flow: Any, config: Path, **parameters: Any) -> tuple[State[Any], FlowRun]:
    """Runs a flow; its final state, and the run as the server has it."""

    async def body() -> State[Any]:
        state: State[Any] = await a_flow(str(config), **parameters, return_state=True)
        return state

    state = asyncio.run(body())
    assert state.state_details.flow_run_id
    with get_client(sync_client=True) as client:
        return state, client.read_flow_run(state.state_details.flow_run_id)


def until(look: Callable[[], T], enough: Callable[[T], bool], *, seconds: float = 15) -> T:
    """What is recorded after the fact, a moment later; the last look if it never suffices."""
    deadline = time.monotonic() + seconds
    while not enough(seen := look()) and time.monotonic() < deadline:
        time.sleep(0.1)
    return seen


def tasks_of(flow_run_id: UUID, last: str) -> list[str]:
    """Names of the task runs, in order, once the last one is there."""

    def look() -> list[str]:
        with get_client(sync_client=True) as client:
            only = FlowRunFilter(id=FlowRunFilterId(any_=[flow_run_id]))
            runs = client.read_task_runs(flow_run_filter=only)
        ended = [r for r in runs if r.end_time and r.start_time]
        return [r.name for r in sorted(ended, key=lambda r: r.start_time or r.created)]

    return until(look, lambda names: last in names)


def artifacts_of(flow_run_id: UUID) -> dict[str, str]:
    with get_client(sync_client=True) as client:
        only = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[flow_run_id]))
        found = client.read_artifacts(artifact_filter=only)
    return {a.key or a.type or "": str(a.data) for a in found}


def events_of(flow_run_id: UUID) -> list[tuple[str, str, dict[str, Any]]]:
    """Our events that are related to a flow run: (event, resource, payload), oldest first."""
    run_id = f"prefect.flow-run.{flow_run_id}"
    end = {"prefect.resource.id": "staleproof.test"}
    related = [{"prefect.resource.id": run_id, "prefect.resource.role": "flow-run"}]
    emit_event("staleproof.test.end", resource=end, related=related)
    only = {"event": {"prefix": ["staleproof."]}, "related": {"id": [run_id]}, "order": "ASC"}

    def look() -> list[tuple[str, str, dict[str, Any]]]:
        with get_client(sync_client=True) as client:
            answer = client.request("POST", "/events/filter", json={"filter": only})
        found = answer.json()["events"]
        return [(e["event"], e["resource"]["prefect.resource.id"], e["payload"]) for e in found]

    events = until(look, lambda seen: any(e[0] == "staleproof.test.end" for e in seen))
    assert events.pop()[0] == "staleproof.test.end"
    return events


def logs_of(flow_run_id: UUID) -> str:
    """All that was logged, once the flow's last line is there."""
    with get_client(sync_client=True) as client:
        only = LogFilter(flow_run_id=LogFilterFlowRunId(any_=[flow_run_id]))

        def look() -> list[Any]:
            return list(client.read_logs(log_filter=only, limit=200))

        def ended(lines: list[Any]) -> bool:
            flows = [line.message for line in lines if line.name == "prefect.flow_runs"]
            return any(message.startswith("Finished in state") for message in flows)

        lines = until(look, ended)
    assert ended(lines)
    return "\n".join(line.message for line in lines)

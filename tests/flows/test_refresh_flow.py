"""The flow on a real server, over the real engine with a stand-in encoder."""

import asyncio
import re
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from prefect import flow
from prefect.client.schemas.objects import FlowRun, State
from prefect.runtime import flow_run
from prefect.settings import PREFECT_API_URL, temporary_settings

from flows.artifacts import ProgressBar
from flows.refresh import refresh, refresh_documents, run_on_server
from flows.tasks import as_task
from pipelines.config import load_config
from pipelines.decide import roll_back
from pipelines.errors import (
    ConfigError,
    ServerUnavailable,
    SourceUnavailable,
    StaleproofError,
    StoreFormat,
    UnknownName,
)
from pipelines.inbox import Delivery, inbox_of
from pipelines.knowledge import Signed
from pipelines.records import Progress
from pipelines.refresh import Ports, Request
from tests.fakes import HashEncoder
from tests.flows.runs import (
    ON_SERVER,
    WORD,
    artifacts_of,
    events_of,
    ingest,
    logs_of,
    new_project,
    run,
    tasks_of,
    with_stand_in,
)

pytestmark = ON_SERVER


@dataclass(frozen=True)
class Ran:
    """A flow run that ended."""

    knowledge: str
    state: State[Any]
    flow_run: FlowRun


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory, server: None) -> Ran:
    """The first refresh of three documents and one that cannot be decoded."""
    config = new_project(tmp_path_factory.mktemp("first"))
    (config.parent / "docs" / "bad.md").write_bytes(f"All {WORD} \xff".encode("latin-1"))
    return Ran(load_config(config).knowledge.name, *run(with_stand_in, config))


def test_first_refresh_reads_well_in_the_time_line(first: Ran) -> None:
    steps = ["scan:handbook", "plan", "embed:batch 1", "write:batch 1", "audit", "publish"]
    names = tasks_of(first.flow_run.id, "clean up")
    assert [name for name in names if name in steps] == steps
    assert first.flow_run.name == f"refresh {first.knowledge} +3"


def test_state_carries_the_report(first: Ran) -> None:
    assert first.state.name == "Completed"
    assert "Readers see #1." in str(first.state.message)
    report = first.state.result()
    assert (report["publication"], report["chunks"]["embedded"]) == (1, 3)
    assert report["run"] == first.flow_run.id.hex


def test_refresh_emits_what_others_wait_for(first: Ran) -> None:
    events = events_of(first.flow_run.id)
    assert [(event, resource) for event, resource, _ in events] == [
        ("staleproof.refresh.completed", f"staleproof.source.{first.knowledge}.handbook"),
        ("staleproof.knowledge.published", f"staleproof.knowledge.{first.knowledge}"),
    ]
    assert events[1][2] == {"run": first.flow_run.id.hex, "number": 1, "said": "+3"}


def test_receipt_and_quarantine_are_shown(first: Ran) -> None:
    artifacts = artifacts_of(first.flow_run.id)
    artifacts.pop("progress", None)  # where the machine is slow
    kinds = ("refresh", "quarantine", "knowledge", "audit")
    keys = [f"{kind}-{first.knowledge}" for kind in kinds]
    assert set(artifacts) == set(keys)
    assert all("handbook/bad.md" in artifacts[key] for key in keys[:3])
    pages = {key: re.findall(r"\]\(/v2/artifacts/key/(.*?)\)", artifacts[key]) for key in keys}
    others = {key: [other for other in keys if other != key] for key in keys}
    assert set(pages[keys[0]]) == set(others[keys[0]]), "the receipt leads to all others"
    assert set(pages[keys[2]]) == set(others[keys[2]]), "and so does the overview"


def test_flow_logs_to_the_server(first: Ran) -> None:
    assert f"Refresh of {first.knowledge}: +3" in logs_of(first.flow_run.id)


def test_no_text_of_a_document_reaches_the_server(first: Ran) -> None:
    run_id = first.flow_run.id
    told = [str(first.state), str(events_of(run_id)), logs_of(run_id)]
    assert WORD not in "\n".join([*told, *artifacts_of(run_id).values()])


def test_unchanged_knowledge_is_said_to_be_so(published: Path) -> None:
    state, seen = run(refresh, published)
    assert (state.name, state.result()["published"]) == ("Completed", False)
    assert seen.name == f"refresh {load_config(published).knowledge.name} nothing changed"
    assert tasks_of(seen.id, "plan") == ["scan:handbook", "plan"]


def test_quarantine_is_shown_anew_only_when_it_reads_differently(project: Path) -> None:
    bad = project.parent / "docs" / "bad.md"
    bad.write_bytes(b"\xff\xfe\x00")
    ingest(project)
    name = load_config(project).knowledge.name
    shown = [set(artifacts_of(run(refresh, project)[1].id)) - {"progress"} for _ in range(2)]
    bad.unlink()
    _, mended = run(refresh, project)
    every = {f"{kind}-{name}" for kind in ("refresh", "knowledge", "quarantine")}
    assert shown == [every, {f"refresh-{name}"}]
    assert "nothing in quarantine" in artifacts_of(mended.id)[f"quarantine-{name}"]


def test_waiting_for_a_person_is_completed_and_held(published: Path) -> None:
    for document in (published.parent / "docs").glob("[lp]*.md"):
        document.unlink()
    state, seen = run(refresh, published)
    assert (state.type.value, state.name) == ("COMPLETED", "Held")
    assert "2 of 3 documents" in str(state.message)
    hold = state.result()["holds"][0]
    assert f"staleproof accept {hold}, or staleproof drop {hold}" in str(state.message)
    assert "Readers see #1." in str(state.message)
    artifact = artifacts_of(seen.id)[f"refresh-{load_config(published).knowledge.name}"]
    assert f"staleproof accept {hold}" in artifact
    again, later = run(refresh, published)
    opened = [events_of(seen.id), events_of(later.id)]
    assert again.name == "Held"
    assert [[e[0] for e in events].count("staleproof.hold.opened") for events in opened] == [1, 0]


def test_pinned_knowledge_is_completed_and_pinned(published: Path) -> None:
    new = published.parent / "docs" / "new.md"
    new.write_text("# New\n\nSomething new.\n")
    ingest(published)
    now = datetime.now(UTC)
    roll_back(load_config(published), signed=Signed(uuid4().hex, "test", now))
    state, seen = run(refresh, published)
    assert (state.type.value, state.name) == ("COMPLETED", "Pinned")
    assert "staleproof unpin" in str(state.message)
    assert seen.name.endswith(" pinned")
    receipt = artifacts_of(seen.id)[f"refresh-{load_config(published).knowledge.name}"]
    assert "## What waits" in receipt
    assert "handbook/new.md" in receipt


def test_command_line_gets_the_report_and_the_exit_code(published: Path) -> None:
    config = load_config(published)
    report, exit_code = run_on_server(config, Request())
    assert (report["reason"], exit_code) == ("nothing changed", 0)
    (published.parent / "docs" / "pay.md").unlink()
    report, exit_code = run_on_server(config, Request())
    assert (report["documents"]["deleted"], report["publication"], exit_code) == (1, 2, 0)
    with pytest.raises(UnknownName):
        run_on_server(config, Request(sources=("hanbook",)))


def test_command_line_says_how_to_get_a_server(published: Path) -> None:
    config = load_config(published)
    with temporary_settings(restore_defaults={PREFECT_API_URL}), pytest.raises(ConfigError) as none:
        run_on_server(config, Request())
    assert "prefect server start" in none.value.hint
    nowhere = {PREFECT_API_URL: "http://127.0.0.1:9/api"}
    with temporary_settings(nowhere), pytest.raises(ServerUnavailable, match=r"127\.0\.0\.1:9"):
        run_on_server(config, Request())


def test_stage_that_heals_is_tried_again_and_its_result_comes_back() -> None:
    tries: list[str] = []

    def stage(said: object) -> object:
        tries.append("again")
        if len(tries) == 1:
            raise SourceUnavailable("It does not answer.")
        return said

    said = threading.Lock()  # cannot be pickled

    @flow(persist_result=True)
    async def one_stage() -> bool:
        back = await asyncio.to_thread(as_task, "scan:wiki", stage, said, retryable=True)
        return back is said

    assert asyncio.run(one_stage())
    assert len(tries) == 2


@pytest.mark.parametrize("retryable", [True, False])
def test_stage_that_cannot_heal_is_tried_once(retryable: bool) -> None:
    tries: list[str] = []

    def stage() -> None:
        tries.append("again")
        raise (StoreFormat if retryable else SourceUnavailable)("No.")

    @flow
    async def one_stage() -> None:
        with pytest.raises(StaleproofError, match="No"):
            await asyncio.to_thread(as_task, "audit", stage, retryable=retryable)

    asyncio.run(one_stage())
    assert tries == ["again"]


def test_progress_is_one_artifact_that_ends_at_100() -> None:
    @flow
    async def moving() -> UUID:
        bar = ProgressBar(asyncio.get_running_loop(), pause_seconds=0)
        for done in range(4):
            await asyncio.to_thread(bar.move, Progress("embed", done, 3))
        await bar.finish()
        return UUID(flow_run.get_id())

    [(kind, percent)] = artifacts_of(asyncio.run(moving())).items()
    assert (kind, float(percent)) == ("progress", 100)


def test_progress_shows_nothing_before_a_pause_has_passed() -> None:
    @flow
    async def moving() -> UUID:
        bar = ProgressBar(asyncio.get_running_loop(), pause_seconds=60)
        await asyncio.to_thread(bar.move, Progress("embed", 1, 3))
        await bar.finish()
        return UUID(flow_run.get_id())

    assert artifacts_of(asyncio.run(moving())) == {}


def test_run_form_explains_every_parameter() -> None:
    explained = refresh.parameters.model_dump()["properties"]
    assert all(shown.get("description") for shown in explained.values()), explained


def test_change_that_is_told_of_meanwhile_is_done_before_the_run_ends(project: Path) -> None:
    box, docs = inbox_of(load_config(project).store_uri), project.parent / "docs"

    def load(*_: Any, **__: Any) -> HashEncoder:
        if not (docs / "late.md").exists():
            (docs / "late.md").write_text(f"# Late\n\nAll {WORD} may be late.\n")
            box.take(Delivery("hook", "1", ("handbook",)), most=10, now=datetime.now(UTC))
        return HashEncoder(max_tokens=256)

    @flow(name="refresh")
    async def interrupted(config: str) -> State[Any]:
        return await refresh_documents(Path(config), Request(), ports=Ports(load_encoder=load))

    state, seen = run(interrupted, project)
    name = load_config(project).knowledge.name
    assert seen.name == f"refresh {name} +3, then +1"
    assert state.message == "+3, then +1. Readers see #2."
    assert box.waiting() == {}
    assert box.settled()["handbook"].run == f"{seen.id.hex}-again1"
    assert "Looks again" in logs_of(seen.id)


def test_refresh_whose_pages_cannot_be_shown_has_published_all_the_same(project: Path) -> None:
    def load_encoder(model: str, *, root: Path, batch_size: int = 32) -> HashEncoder:
        suite = project.parent / "data/expectations/documents.json"
        suite.parent.mkdir(parents=True, exist_ok=True)
        suite.write_text("{")  # by somebody who edits it meanwhile
        return HashEncoder(max_tokens=256)

    @flow(name="refresh")
    async def while_edited(config: str) -> State[Any]:
        return await refresh_documents(Path(config), Request(), ports=Ports(load_encoder))

    state, seen = run(while_edited, project)
    assert (state.type.value, str(state.message)) == ("COMPLETED", "+3. Readers see #1.")
    assert "documents.json" in logs_of(seen.id)

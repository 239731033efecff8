"""How a run that did not do what it should ends: its state, its name, and what is shown then."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from prefect import flow, get_client
from prefect.client.schemas.filters import ArtifactCollectionFilter, ArtifactCollectionFilterKey
from prefect.client.schemas.objects import ArtifactCollection, State

from flows.faults import fault, where
from flows.knowledge import show_knowledge
from flows.refresh import refresh, refresh_documents
from flows.watchdog import watchdog
from pipelines.config import load_config
from pipelines.errors import StoreFormat
from pipelines.knowledge import find_store, open_store, refresh_lock
from pipelines.refresh import Ports, Request
from tests.flows.runs import (
    ON_SERVER,
    artifacts_of,
    events_of,
    logs_of,
    run,
    with_stand_in,
)

pytestmark = ON_SERVER

TEXT = "the text of a document"


def overview_of(config: Path) -> ArtifactCollection:
    """The newest version of the page, as the server has it."""
    key = ArtifactCollectionFilterKey(any_=[f"knowledge-{load_config(config).knowledge.name}"])
    with get_client(sync_client=True) as client:
        only = ArtifactCollectionFilter(key=key)
        [found] = client.read_latest_artifacts(artifact_filter=only)
    return found


def test_users_mistake_fails_at_once_without_a_traceback(published: Path) -> None:
    state, seen = run(refresh, published, sources=["hanbook"])
    assert (state.name, seen.run_count) == ("Failed", 1)
    assert 'no source "hanbook"' in str(state.message)
    assert "Did you mean handbook?" in str(state.message)
    assert "Readers see #1." in str(state.message)
    [(event, resource, payload)] = events_of(seen.id)
    name = load_config(published).knowledge.name
    assert (event, resource) == ("staleproof.refresh.failed", f"staleproof.knowledge.{name}")
    assert payload["type"] == "UnknownName"
    assert "Traceback" not in logs_of(seen.id)


def test_broken_configuration_fails_and_names_the_key(project: Path) -> None:
    project.write_text(project.read_text().replace("store =", "stroe ="))
    state, seen = run(refresh, project)
    assert (state.name, seen.run_count) == ("Failed", 1)
    assert "stroe" in str(state.message)


def test_unreachable_source_is_tried_again_and_then_named(published: Path) -> None:
    docs = published.parent / "docs"
    docs.rename(published.parent / "elsewhere")
    state, seen = run(with_stand_in, published)
    assert (state.type.value, state.name, seen.run_count) == ("FAILED", "Unreachable", 2)
    assert "handbook" in str(state.message)
    assert "Readers see #1." in str(state.message)
    name = load_config(published).knowledge.name
    told = [e[:2] for e in events_of(seen.id)]
    assert told == [("staleproof.refresh.failed", f"staleproof.source.{name}.handbook")]


def test_held_store_is_tried_again_and_then_left_to_the_other_refresh(published: Path) -> None:
    (published.parent / "docs" / "pay.md").unlink()
    store = open_store(load_config(published).store_uri, now=datetime.now(UTC))
    with refresh_lock(store, run="other", now=datetime.now(UTC), wait_seconds=0):
        state, seen = run(with_stand_in, published)
    assert (state.type.value, state.name, seen.run_count) == ("CANCELLED", "Busy", 2)


def breaking(error: Exception) -> Ports:
    """Ports whose model breaks off."""

    def load(*_: Any, **__: Any) -> Any:
        raise error

    return Ports(load_encoder=load)


def run_breaking(config: Path, error: Exception) -> Any:
    @flow(name="refresh")
    async def breaks_off(config: str) -> State[Any]:
        return await refresh_documents(Path(config), Request(), ports=breaking(error))

    return run(breaks_off, config)


def test_fault_tells_its_kind_and_where_and_no_text(published: Path) -> None:
    (published.parent / "docs" / "new.md").write_text("# New\n\nSomething new.\n")
    state, seen = run_breaking(published, ValueError(TEXT))
    name = load_config(published).knowledge.name
    assert (state.name, seen.run_count) == ("Failed", 1)
    assert seen.name == f"refresh {name} broke off, ValueError"
    said = str(state.message)
    assert "Broke off with ValueError" in said
    assert "Readers see #1." in said
    assert "staleproof verify" in said
    logged = logs_of(seen.id)
    assert "in load" in logged
    [(_, _, payload)] = [e for e in events_of(seen.id) if e[0] == "staleproof.refresh.failed"]
    assert payload["type"] == "ValueError"
    assert TEXT not in "\n".join([said, logged, str(payload), *artifacts_of(seen.id).values()])


def test_other_flows_say_where_they_broke_off_too(
    published: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def look(*_: Any, **__: Any) -> Any:
        raise ValueError(TEXT)

    monkeypatch.setattr("flows.watchdog.watch_freshness", look)
    state, seen = run(watchdog, published)
    assert "Broke off with ValueError" in str(state.message)
    assert seen.name.endswith("broke off, ValueError")
    logged = logs_of(seen.id)
    assert "in look" in logged
    assert TEXT not in str(state.message) + logged


def test_full_disk_is_told(published: Path) -> None:
    (published.parent / "docs" / "new.md").write_text("# New\n\nSomething new.\n")
    state, _ = run_breaking(published, OSError(28, "No space", "/secret/place"))
    assert "Broke off with OSError (No space left on device)" in str(state.message)
    assert "/secret/place" not in str(state.message)


def test_store_that_cannot_be_read_says_so(published: Path) -> None:
    store = find_store(load_config(published).store_uri)
    assert store is not None
    store.table("store").update(values={"format": 99})
    state, seen = run(refresh, published)
    assert isinstance(state.result(raise_on_failure=False), StoreFormat)
    assert "has format 99" in str(state.message)
    assert "What is published is as it was." in str(state.message)
    assert seen.name.endswith("failed, store format")


def test_overview_has_a_new_version_only_where_something_happened(project: Path) -> None:
    _, first = run(with_stand_in, project)
    before = overview_of(project)
    _, second = run(with_stand_in, project)
    after = overview_of(project)
    name = load_config(project).knowledge.name
    assert f"knowledge-{name}" in artifacts_of(first.id)
    assert f"knowledge-{name}" not in artifacts_of(second.id)
    assert after.latest_id == before.latest_id
    assert after.data != before.data, "its ages are those of the last look"
    assert f"{name} is healthy, readers see #1" in str(after.description)
    assert f"(/v2/artifacts/artifact/{after.latest_id})" in str(after.description)


def test_overview_is_shown_before_there_is_a_store(project: Path) -> None:
    @flow
    async def looks() -> None:
        await show_knowledge(load_config(project), now=datetime.now(UTC))

    asyncio.run(looks())
    name = load_config(project).knowledge.name
    assert f"# {name} is unknown, nothing is published" in str(overview_of(project).data)


def test_fault_names_the_error_of_the_system_below_another() -> None:
    said = "lance error: LanceError(IO): External error: disk (os error 28), row 'secret'"
    assert fault(RuntimeError(said)) == "RuntimeError (No space left on device)"
    try:
        try:
            raise KeyError(TEXT)
        except KeyError as first:
            raise ValueError(TEXT) from first
    except ValueError as error:
        told = where(error)
    assert told.index("KeyError at") < told.index("ValueError at")
    assert TEXT not in told

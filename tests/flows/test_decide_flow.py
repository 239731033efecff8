"""The flows decide, maintain and watchdog on a real server."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from prefect import flow, get_client
from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterId
from prefect.client.schemas.objects import FlowRun, State
from prefect.settings import PREFECT_API_URL

from flows.cli import run as command_line
from flows.decide import decide
from flows.decisions import ACTIONS
from flows.maintain import maintain, maintain_knowledge
from flows.watchdog import watchdog
from pipelines.config import load_config
from pipelines.decide import open_holds
from pipelines.knowledge import find_store, newest, open_store, refresh_lock
from pipelines.refresh import refresh_knowledge
from tests.flows.runs import (
    ON_SERVER,
    PORTS,
    artifacts_of,
    events_of,
    ingest,
    logs_of,
    new_project,
    run,
    tasks_of,
    until,
)

pytestmark = ON_SERVER


@pytest.fixture
def held(published: Path) -> Path:
    """Two of three documents are gone, and that waits for a person."""
    for document in (published.parent / "docs").glob("[lp]*.md"):
        document.unlink()
    ingest(published)
    return published


def decided(config: Path, **parameters: Any) -> tuple[State[Any], FlowRun]:
    async def body() -> State[Any]:
        return await decide(config=str(config), **parameters, return_state=True)

    state = asyncio.run(body())
    assert state.state_details.flow_run_id
    with get_client(sync_client=True) as client:
        return state, client.read_flow_run(state.state_details.flow_run_id)


def name_of(config: Path) -> str:
    return load_config(config).knowledge.name


def test_accepting_lets_the_hold_through_and_says_what_comes_next(held: Path) -> None:
    [hold] = open_holds(load_config(held))
    state, seen = decided(held, action="accept", who="Ann", subject=hold.id, reason="moved house")
    assert (state.type.value, seen.name) == ("COMPLETED", f"decide accept {hold.id} by Ann")
    assert state.message == (
        f"Hold {hold.id} is accepted: 2 documents are let through. Readers see #1."
        " The next refresh carries it out."
    )
    report = ingest(held)
    assert (report.published, report.documents["deleted"]) == (True, 2)


def test_refresh_that_is_deployed_follows_a_decision_that_needs_one(held: Path) -> None:
    config = load_config(held)
    with get_client(sync_client=True) as client:
        flow_id = client.create_flow_from_name("refresh")
        deployment = client.create_deployment(flow_id, config.knowledge.name)
    [hold] = open_holds(config)
    state, _ = decided(held, action="accept", who="Ann", subject=hold.id)
    assert f"A run of refresh/{config.knowledge.name} is started" in str(state.message)
    only = DeploymentFilter(id=DeploymentFilterId(any_=[deployment]))
    with get_client(sync_client=True) as client:
        [follows] = client.read_flow_runs(deployment_filter=only)
    assert follows.parameters == {"reason": f"accept {hold.id} by Ann"}


def test_decision_leaves_an_event_with_who_and_why(held: Path) -> None:
    [hold] = open_holds(load_config(held))
    _, seen = decided(held, action="drop", who="Ann", subject=hold.id, reason="a mistake")
    [(event, resource, payload)] = events_of(seen.id)
    name = name_of(held)
    assert (event, resource) == ("staleproof.decision.made", f"staleproof.knowledge.{name}")
    told = (payload["action"], payload["subject"], payload["who"], payload["reason"])
    assert told == ("drop", hold.id, "prefect: Ann", "a mistake")
    assert f"knowledge-{name}" in artifacts_of(seen.id)


def test_rolling_back_and_unpinning_by_the_form(published: Path) -> None:
    (published.parent / "docs" / "new.md").write_text("# New\n\nSomething new.\n")
    ingest(published)
    state, _ = decided(published, action="rollback", who="Ann", subject="#1")
    assert "Readers see #1 again, published as #3." in str(state.message)
    state, _ = decided(published, action="unpin", who="Ann", refresh=False)
    assert str(state.message).startswith("Refreshes publish again. Readers see #4.")
    store = find_store(load_config(published).store_uri)
    last = newest(store) if store else None
    assert last is not None
    assert (last.actor, last.pinned) == ("prefect: Ann", False)


def test_withholding_and_lifting_by_the_form(published: Path) -> None:
    uri = "handbook/pay.md"
    taken, _ = decided(published, action="withhold", who="Ann", subject=uri, reason="wrong")
    given, _ = decided(published, action="lift", who="Ann", subject=uri, reason="right")
    assert f"Nobody sees {uri} any more" in str(taken.message)
    assert f"{uri} is seen again" in str(given.message)


def test_pausing_and_resuming_by_the_form(published: Path) -> None:
    paused, _ = decided(published, action="pause", who="Ann", subject="handbook")
    assert "leave source handbook out" in str(paused.message)
    assert ingest(published).reason == "every source is paused"
    decided(published, action="resume", who="Ann", subject="handbook")
    assert ingest(published).reason == "nothing changed"


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"action": "accept", "who": "Ann"}, "accept needs a subject: the id of a hold."),
        ({"action": "accept", "who": "Ann", "subject": "nope"}, "nope"),
        ({"action": "rollback", "who": "Ann", "subject": "twelve"}, "'twelve' is not the number"),
        ({"action": "rollback", "who": "Ann"}, "nothing earlier than #1"),
        ({"action": "withhold", "who": "Ann", "subject": "handbook/pay.md"}, "needs a reason"),
        ({"action": "pause", "who": "Ann", "subject": "hanbook"}, "Did you mean handbook?"),
        ({"action": "unpin", "who": " "}, "Write your name into who."),
    ],
)
def test_mistake_fails_with_a_clear_sentence(
    published: Path, asked: dict[str, str], said: str
) -> None:
    state, _ = decided(published, **asked)
    assert state.name == "Failed"
    assert said in str(state.message)
    assert "Nothing was decided." in str(state.message)


def test_form_explains_every_parameter_and_every_action() -> None:
    explained = decide.parameters.model_dump()["properties"]
    assert all(shown.get("description") for shown in explained.values()), explained
    assert explained["action"]["enum"] == list(ACTIONS)
    assert all(f"{action}:" in explained["action"]["description"] for action in ACTIONS)


def test_decision_at_the_command_line_is_told_to_the_server(
    published: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_API_URL", str(PREFECT_API_URL.value()))
    options = ["--reason", "wrong", "--config", str(published)]
    assert command_line(["withhold", "handbook/pay.md", *options]) == 0
    resource = f"staleproof.knowledge.{name_of(published)}"
    only = {"event": {"prefix": ["staleproof.decision"]}, "resource": {"id": [resource]}}

    def look() -> list[Any]:
        with get_client(sync_client=True) as client:
            found = client.request("POST", "/events/filter", json={"filter": only})
        return list(found.json()["events"])

    [event] = until(look, bool)
    told = (event["payload"]["action"], event["payload"]["subject"], event["payload"]["reason"])
    assert told == ("withhold", "handbook/pay.md", "wrong")


def test_decision_at_the_command_line_needs_no_server(
    published: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:9/api")
    options = ["--reason", "wrong", "--config", str(published)]
    assert command_line(["withhold", "handbook/pay.md", *options]) == 0


def test_maintenance_says_what_came_free(published: Path) -> None:
    state, seen = run(maintain, published)
    assert state.name == "Completed"
    assert str(state.message).endswith("1 states can be rolled back to. Readers see #1.")
    assert seen.name == f"maintain {name_of(published)} {str(state.message).partition(',')[0]}"
    assert tasks_of(seen.id, "pages") == ["clean up", "pages"]
    assert f"knowledge-{name_of(published)}" in artifacts_of(seen.id)


def test_maintenance_leaves_the_store_to_a_refresh_that_holds_it(published: Path) -> None:
    @flow(name="maintain")
    async def at_once(config: str) -> State[Any]:
        return await maintain_knowledge(Path(config), 0, retries=1, retry_delay_seconds=0)

    now = datetime.now(UTC)
    store = open_store(load_config(published).store_uri, now=now)
    with refresh_lock(store, run="other", now=now, wait_seconds=0):
        state, seen = run(at_once, published)
    assert (state.type.value, state.name, seen.run_count) == ("CANCELLED", "Busy", 2)
    assert "run other" in str(state.message)


def test_watchdog_tells_of_health_when_it_changes(published: Path) -> None:
    name = name_of(published)
    first, seen = run(watchdog, published)
    again, quiet = run(watchdog, published)
    assert (first.name, again.name) == ("Completed", "Completed")
    assert seen.name == f"watchdog {name} healthy"
    told = [(e, r, p["to"]) for e, r, p in events_of(seen.id)]
    subjects = (f"knowledge.{name}", f"source.{name}.handbook")
    assert told == [("staleproof.health.changed", f"staleproof.{s}", "healthy") for s in subjects]
    assert events_of(quiet.id) == []


def test_watchdog_that_finds_the_knowledge_degraded_has_done_its_work(tmp_path: Path) -> None:
    project = new_project(tmp_path)
    long_ago = datetime.now(UTC) - timedelta(days=5)
    refresh_knowledge(load_config(project), now=long_ago, run_id=uuid4().hex, ports=PORTS)
    state, seen = run(watchdog, project)
    assert (state.type.value, state.name) == ("COMPLETED", "Degraded")
    assert seen.name.endswith("degraded")
    assert "handbook" in str(state.message)


def test_broken_configuration_fails_with_a_clear_sentence(published: Path) -> None:
    published.write_text(published.read_text().replace("store =", "stroe ="))
    for a_flow in (watchdog, maintain):
        state, seen = run(a_flow, published)
        assert seen.name == f"{a_flow.name} failed, config error"
        assert state.name == "Failed"
        assert "stroe" in str(state.message)


def break_a_suite(config: Path) -> None:
    suite = config.parent / "data/expectations/documents.json"
    suite.parent.mkdir(parents=True)
    suite.write_text("{")


def test_page_that_cannot_be_shown_takes_nothing_from_what_was_done(published: Path) -> None:
    name = name_of(published)
    break_a_suite(published)
    state, _ = decided(published, action="pause", who="Ann", subject="handbook")
    assert (state.type.value, str(state.message)) == (
        "COMPLETED",
        "Refreshes leave source handbook out until it is resumed. Readers see #1.",
    )
    state, seen = run(watchdog, published)
    assert (state.type.value, seen.name) == ("COMPLETED", f"watchdog {name} unknown")
    state, seen = run(maintain, published)
    assert state.type.value == "COMPLETED"
    assert f"The page knowledge-{name} is as it was" in (logs := logs_of(seen.id))
    assert "documents.json" in logs

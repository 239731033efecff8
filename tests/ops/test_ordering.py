"""Events of a run whose predecessor never comes reach automations after seconds."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from prefect.server.events.ordering import EventArrivedEarly, get_triggers_causal_ordering
from prefect.server.events.schemas.events import ReceivedEvent
from prefect.settings import PREFECT_SERVER_EVENTS_CAUSAL_ORDERING, temporary_settings

from flows.ops.environment import server_environment
from flows.ops.ordering import PATIENCE, CausalOrdering
from tests.project import Project


def change(name: str, follows: ReceivedEvent | None = None, *, age: float = 0) -> ReceivedEvent:
    at = datetime.now(UTC) - timedelta(seconds=age)
    return ReceivedEvent.model_validate(
        {
            "occurred": at,
            "received": at,
            "event": f"prefect.flow-run.{name}",
            "resource": {"prefect.resource.id": "prefect.flow-run.1"},
            "id": uuid4(),
            "follows": follows.id if follows else None,
        }
    )


async def handled(ordering: CausalOrdering, *events: ReceivedEvent) -> list[str]:
    """The events that automations see, in that order."""
    seen: list[str] = []

    async def handle(event: ReceivedEvent, depth: int = 0) -> None:
        async with ordering.preceding_event_confirmed(handle, event, depth):
            seen.append(event.event.rpartition(".")[2])

    for one in events:
        try:
            await handle(one)
        except EventArrivedEarly:
            continue
    for lost in await ordering.get_lost_followers():
        await handle(lost)
    return seen


def test_event_whose_predecessor_was_never_sent_is_let_through_with_those_that_follow_it() -> None:
    scheduled = change("Scheduled")
    old = PATIENCE.total_seconds() + 1

    async def later() -> tuple[list[str], list[str]]:
        ordering = CausalOrdering(scope=uuid4().hex)
        young = change("Pending", scheduled)
        pending = young.model_copy(update={"received": young.received - timedelta(seconds=old)})
        running = change("Running", pending)
        at_first = await handled(ordering, young, running)
        await ordering.record_follower(pending)  # the same, ten seconds later
        return at_first, await handled(ordering)

    at_first, later_on = asyncio.run(later())
    assert at_first == []
    assert later_on == ["Pending", "Running"]


def test_events_that_come_in_the_wrong_order_are_seen_in_the_right_one() -> None:
    pending = change("Pending")
    running = change("Running", pending)
    seen = asyncio.run(handled(CausalOrdering(scope=uuid4().hex), running, pending))
    assert seen == ["Pending", "Running"]


def test_server_of_up_is_told_of_it(project: Project) -> None:
    told = server_environment(project.config, {})["PREFECT_SERVER_EVENTS_CAUSAL_ORDERING"]
    with temporary_settings({PREFECT_SERVER_EVENTS_CAUSAL_ORDERING: told}):
        assert isinstance(get_triggers_causal_ordering(), CausalOrdering)


@pytest.fixture
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    made = Project(tmp_path_factory.mktemp("project"))
    made.configure()
    return made

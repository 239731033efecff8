"""Schedule, webhook and person ask through one inbox: nothing that is asked for is lost or doubled."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pipelines.decide import pause_source
from pipelines.errors import RefreshRunning
from pipelines.inbox import Delivery, Inbox, inbox_of
from pipelines.knowledge import refresh_lock
from pipelines.refresh import Ports, Request, asked_meanwhile, refresh_knowledge
from tests.project import Project, source

TWO = (source("hr", "docs/hr"), source("it", "docs/it"))


def inbox(project: Project) -> Inbox:
    return inbox_of(project.config.store_uri)


def deliver(project: Project, id: str, *sources: str) -> None:
    taken = inbox(project).take(Delivery("hook", id, sources), most=100, now=datetime.now(UTC))
    assert taken == "accepted"


def refresh_while(project: Project, happens: Any, **asked: Any) -> Any:
    """A refresh in whose middle, after it listed its sources, something happens."""

    def load(*_: Any, **__: Any) -> Any:
        happens()
        return project.encoder

    project.later()
    return refresh_knowledge(
        project.config,
        now=project.now,
        run_id=f"run-{next(project.runs)}",
        request=Request(**asked),
        ports=Ports(load_encoder=load),
    )


def test_what_a_run_looked_at_waits_no_longer_and_the_run_is_named(project: Project) -> None:
    project.write("a.md", "# A\n\nIt says one.\n")
    deliver(project, "1", "docs")
    assert set(inbox(project).waiting()) == {"docs"}
    report = project.refresh()
    assert inbox(project).waiting() == {}
    settled = inbox(project).settled()["docs"]
    asked = inbox(project).sequence_of("hook", "1")
    assert asked is not None
    assert (settled.run, settled.sequence >= asked) == (report.run, True)


def test_what_is_asked_for_after_the_listing_is_still_waiting(project: Project) -> None:
    project.write("a.md", "# A\n\nIt says one.\n")

    def change() -> None:
        project.write("b.md", "# B\n\nIt says two.\n")
        deliver(project, "late", "docs")

    report = refresh_while(project, change)
    assert project.uris() == {"docs/a.md"}
    assert asked_meanwhile(project.config, Request(), report)
    [wish] = inbox(project).waiting().values()
    assert (wish.deliveries, wish.actor) == (1, "webhook: hook")
    again = project.refresh()
    assert project.uris() == {"docs/a.md", "docs/b.md"}
    assert not asked_meanwhile(project.config, Request(), again)


def test_run_that_finds_the_store_held_leaves_its_wish_to_the_holder(project: Project) -> None:
    project.write("a.md", "# A\n\nIt says one.\n")
    problems: list[str] = []

    def another() -> None:
        project.write("b.md", "# B\n\nIt says two.\n")
        with pytest.raises(RefreshRunning) as held:
            project.refresh(actor="prefect: schedule")
        problems.append(held.value.message)

    report = refresh_while(project, another)
    assert "Another refresh" in problems[0]
    assert asked_meanwhile(project.config, Request(), report)


def test_run_that_broke_off_leaves_what_was_asked_for(project: Project) -> None:
    project.write("a.md", "# A\n\nIt says one.\n")
    deliver(project, "1", "docs")

    def break_off() -> None:
        raise KeyError

    with pytest.raises(KeyError):
        refresh_while(project, break_off)
    assert set(inbox(project).waiting()) == {"docs"}
    assert inbox(project).settled() == {}


def test_listing_that_broke_off_settles_nothing_and_is_not_looked_at_again(
    project: Project,
) -> None:
    project.configure(*TWO)
    project.write("hr/a.md", "# A\n\nIt says one.\n")
    report = project.refresh()
    assert [s.complete for s in report.sources] == [True, False]
    assert set(inbox(project).waiting()) == {"it"}
    assert not asked_meanwhile(project.config, Request(), report)


def test_narrowed_run_settles_its_own_sources(project: Project) -> None:
    project.configure(*TWO)
    project.write("hr/a.md", "# A\n\nIt says one.\n")
    project.write("it/b.md", "# B\n\nIt says two.\n")
    deliver(project, "1", "hr", "it")
    report = project.refresh(sources=("it",))
    assert set(inbox(project).waiting()) == {"hr"}
    assert not asked_meanwhile(project.config, Request(sources=("it",)), report)


def test_wishes_that_no_run_will_see_to_do_not_wait_for_ever(project: Project) -> None:
    project.configure(*TWO)
    project.write("hr/a.md", "# A\n\nIt says one.\n")
    project.write("it/b.md", "# B\n\nIt says two.\n")
    project.refresh()
    pause_source(project.config, "it", reason="it moves", signed=project.signed())
    deliver(project, "1", "hr", "it", "gone")
    project.refresh()
    assert inbox(project).waiting() == {}


def test_candidate_that_waits_for_review_settles_nothing(project: Project) -> None:
    project.write("a.md", "# A\n\nIt says one.\n")
    deliver(project, "1", "docs")
    report = project.refresh(publish=False)
    assert set(inbox(project).waiting()) == {"docs"}
    assert not asked_meanwhile(project.config, Request(publish=False), report)


def test_runs_own_wishes_do_not_fill_the_inbox_for_webhooks(project: Project) -> None:
    project.write("a.md", "# A\n\nIt says one.\n")
    project.refresh()
    project.write("a.md", "# A\n\nIt says two.\n")
    with refresh_lock(project.store, run="other", now=project.now):
        for _ in range(3):
            with pytest.raises(RefreshRunning):
                project.refresh()
    [wish] = inbox(project).waiting().values()
    assert wish.deliveries == 0
    full = inbox(project).take(Delivery("hook", "1", ("docs",)), most=1, now=project.now)
    over = inbox(project).take(Delivery("hook", "2", ("docs",)), most=1, now=project.now)
    assert (full, over) == ("accepted", "full")


def test_what_came_later_waits_since_the_run_took_note(project: Project) -> None:
    now = datetime.now(UTC)
    box = inbox(project)
    box.ask(["docs"], actor="one", now=now)
    seen = box.waiting()
    box.ask(["docs"], actor="two", now=now)
    later = now + timedelta(minutes=5)
    box.settle(seen, run="r", taken_at=later, now=later)
    [wish] = box.waiting().values()
    assert wish == replace(wish, since=later, actor="two", deliveries=0)

"""What stays readable, and for how long, however often something is published."""

import dataclasses
import itertools
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.decide import roll_back
from pipelines.errors import PublicationNotFound
from pipelines.knowledge import (
    Publication,
    State,
    clean_up,
    find_store,
    kept_states,
    publications,
    readable_states,
)
from pipelines.refresh import refresh_knowledge
from tests.expectations import write_few
from tests.project import Project

NOW = datetime(2026, 6, 10, 12, 30, tzinfo=UTC)
DAY = timedelta(days=1)
PUBLICATIONS = 60


@dataclass
class Minute:
    """A store with one publication of yesterday, one reader of it, and sixty of one minute."""

    project: Project
    reader: Any
    """A handle pinned to yesterday's, opened before the minute began."""
    ended_at: datetime


def publish(project: Project, said: str, now: datetime) -> None:
    project.write("a.md", f"# A\n\nIt says {said}.\n")
    report = refresh_knowledge(
        project.config, now=now, run_id=f"run-{next(project.runs)}", ports=project.ports()
    )
    assert report.published


@pytest.fixture(scope="module")
def minute(tmp_path_factory: pytest.TempPathFactory) -> Minute:
    project = Project(tmp_path_factory.mktemp("minute"))
    project.configure(knowledge='keep_publications = 2\nkeep_days = 2\nlongest_read = "1h"')
    write_few(project.root / "data/expectations")
    now = datetime.now(UTC)
    publish(project, "yesterday", now - DAY)
    reader = project.store.at(*publications(project.store)[0].state)
    for number in range(PUBLICATIONS):
        publish(project, f"number {number}", now + timedelta(seconds=number))
    return Minute(project, reader, now + timedelta(minutes=1))


@pytest.fixture
def copy(minute: Minute, tmp_path: Path) -> Project:
    shutil.copytree(minute.project.root, tmp_path / "copy")
    return Project(tmp_path / "copy", now=minute.ended_at, runs=itertools.count(1000))


def tidy(project: Project, now: datetime, *, keep_days: float, longest_read: timedelta) -> None:
    clean_up(
        project.store, now=now, keep_publications=2, keep_days=keep_days, longest_read=longest_read
    )


def texts(table: Any) -> list[str]:
    return [row["text"] for row in table.to_arrow().to_pylist()]


def test_reader_pinned_before_sixty_publications_finishes(minute: Minute) -> None:
    assert len(publications(minute.project.store)) == PUBLICATIONS + 1
    assert "yesterday" in texts(minute.reader)[0]


def test_state_that_is_not_kept_stays_for_the_longest_read(copy: Project) -> None:
    first = publications(copy.store)[-1].state
    reader = copy.store.at(*first)
    tidy(copy, copy.now, keep_days=0, longest_read=timedelta(hours=1))
    assert "yesterday" in texts(reader)[0]
    assert first in readable_states(copy.store, [first[0]])
    tidy(copy, copy.now + timedelta(hours=1), keep_days=0, longest_read=timedelta(hours=1))
    assert first not in readable_states(copy.store, [first[0]])


def test_yesterdays_publication_can_be_rolled_back_to(copy: Project) -> None:
    assert roll_back(copy.config, signed=copy.signed(), to=1).restores == 1
    assert "yesterday" in copy.rows()[0]["text"]


def test_what_is_neither_new_nor_young_is_gone_and_said_to_be(copy: Project) -> None:
    tidy(copy, copy.now + 3 * DAY, keep_days=2, longest_read=timedelta(0))
    store = find_store(copy.config.store_uri)
    assert store is not None
    newest_two = {row.state for row in publications(store)[:2]}
    assert readable_states(store, [publications(store)[0].generation]) == newest_two
    with pytest.raises(PublicationNotFound, match="files of #1 are gone"):
        roll_back(copy.config, signed=copy.signed(), to=1)
    assert roll_back(copy.config, signed=copy.signed()).restores == PUBLICATIONS


def row(number: int, version: int, at: datetime) -> Publication:
    return Publication(
        number=number,
        kind="refresh",
        at=at,
        generation="chunks_g",
        version=version,
        fingerprint="f",
        model="m",
        run=f"r{number}",
        actor="somebody",
        reason="",
    )


@st.composite
def ledgers(draw: st.DrawFn) -> list[Publication]:
    """Rows, oldest first, minutes to days apart; a state may be published again."""
    gaps = draw(st.lists(st.integers(0, 20) | st.integers(0, 3000), min_size=1, max_size=40))
    ages = list(itertools.accumulate(gaps))[::-1]
    return [
        row(number, draw(st.integers(1, number)), NOW - timedelta(minutes=age))
        for number, age in enumerate(ages, start=1)
    ]


def replaced(rows: list[Publication]) -> Iterator[tuple[State, datetime]]:
    """Each row's state and when the next row took its place; the newest first."""
    ends = [*(r.at for r in rows[1:]), NOW]
    return zip([r.state for r in rows][::-1], ends[::-1], strict=True)


def newest_states(rows: list[Publication], count: int) -> set[State]:
    return set(list(dict.fromkeys(r.state for r in rows[::-1]))[:count])


def an_hour(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)


@given(ledgers(), st.integers(1, 12), st.integers(0, 20))
def test_newest_states_and_those_of_the_last_day_are_kept(
    rows: list[Publication], keep_publications: int, keep_days: int
) -> None:
    kept = kept_states(rows, now=NOW, keep_publications=keep_publications, keep_days=keep_days)
    young = {state for state, at in replaced(rows) if NOW - at < min(DAY, keep_days * DAY)}
    assert kept >= newest_states(rows, keep_publications) | young


@given(ledgers(), st.integers(1, 12), st.integers(0, 20))
def test_after_a_day_one_state_an_hour_is_kept_and_after_keep_days_none(
    rows: list[Publication], keep_publications: int, keep_days: int
) -> None:
    kept = kept_states(rows, now=NOW, keep_publications=keep_publications, keep_days=keep_days)
    older = [(s, at) for s, at in replaced(rows) if DAY <= NOW - at < keep_days * DAY]
    hours = {an_hour(at) for _, at in older}
    assert hours <= {an_hour(at) for state, at in replaced(rows) if state in kept}
    young = {state for state, at in replaced(rows) if NOW - at < min(DAY, keep_days * DAY)}
    only_by_hour = kept - newest_states(rows, keep_publications) - young
    assert only_by_hour <= {state for state, _ in older}
    assert len(only_by_hour) <= len(hours)


@given(ledgers(), st.integers(1, 12), st.integers(0, 20), st.randoms(use_true_random=False))
def test_what_is_kept_hangs_on_numbers_not_on_the_order_of_rows(
    rows: list[Publication], keep_publications: int, keep_days: int, chance: Any
) -> None:
    shuffled = list(rows)
    chance.shuffle(shuffled)
    options: dict[str, Any] = {
        "now": NOW,
        "keep_publications": keep_publications,
        "keep_days": keep_days,
    }
    assert kept_states(shuffled, **options) == kept_states(rows, **options)


@given(ledgers(), st.integers(1, 3), st.integers(0, 100), st.data())
def test_last_state_of_a_former_generation_is_kept_for_keep_previous(
    rows: list[Publication], keep_publications: int, hours: int, data: Any
) -> None:
    names = data.draw(st.lists(st.sampled_from("ab"), min_size=len(rows), max_size=len(rows)))
    mixed = [
        dataclasses.replace(one, generation=name) for one, name in zip(rows, names, strict=True)
    ]
    keep_previous = timedelta(hours=hours)
    kept = kept_states(
        mixed,
        now=NOW,
        keep_publications=keep_publications,
        keep_days=0,
        keep_previous=keep_previous,
    )
    previous = {
        before.state
        for before, after in itertools.pairwise(mixed)
        if before.generation != after.generation and NOW - after.at < keep_previous
    }
    assert kept >= newest_states(mixed, 1) | previous
    assert len(kept) <= keep_publications + len(previous)

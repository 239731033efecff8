"""What is usual for a source, and what is too far below it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pipelines.knowledge import Scan, unusual
from pipelines.knowledge.usual import ENOUGH_TIMES, LONG_SECONDS, USUAL_OF, usual_scans

START = datetime(2026, 3, 1, tzinfo=UTC)


def scan(run: int, listed: int = 100, seconds: float = 0.1, **said: Any) -> Scan:
    settings: dict[str, Any] = {"complete": True, "error": None, "source_version": None} | said
    return Scan(
        source="docs",
        run=f"r{run}",
        started_at=START + timedelta(hours=run),
        seconds=seconds,
        listing_seconds=seconds,
        listed=listed,
        **settings,
    )


def history(*listed: int) -> list[Scan]:
    """Newest first; the numbers are given oldest first."""
    return [scan(run, n) for run, n in enumerate(listed)][::-1]


@pytest.mark.parametrize(
    ("listed", "doubted"),
    [
        ((), False),
        ((100,), False),
        ((100, 5), False),
        ((100, 4), True),
        ((100, 0), True),
        ((0, 0), False),
        ((0, 100), False),
        ((100, 100, 100, 3, 100), False),
        ((100, 100, 2, 100, 4), True),
    ],
)
def test_under_five_percent_of_the_usual_number_is_doubted(
    listed: tuple[int, ...], doubted: bool
) -> None:
    assert bool(unusual(history(*listed))) is doubted


def test_too_few_do_not_become_usual_by_being_repeated() -> None:
    scans = history(*[100] * 3, *[2] * 50)
    why = unusual(scans)
    assert why is not None
    assert "listed 2 of usually 100 documents" in why
    assert {one.listed for one in usual_scans(scans)} == {100}


def test_a_source_that_shrinks_by_and_by_is_not_doubted() -> None:
    sizes = [round(1000 * 0.8**n) for n in range(30)]
    assert [unusual(history(*sizes[: n + 1])) for n in range(30)] == [None] * 30


def test_only_the_latest_say_what_is_usual() -> None:
    assert unusual(history(*[10_000] * 30, *[600] * USUAL_OF, 40)) is None
    assert unusual(history(*[10_000] * 30, *[600] * USUAL_OF, 20)) is not None


def test_listings_that_broke_off_say_nothing_about_what_is_usual() -> None:
    broken = [scan(run, 1, complete=False, error="gone") for run in range(10, 30)]
    assert unusual([scan(30, 3), *broken[::-1], *history(100, 100)]) is not None
    assert unusual([*broken[::-1], *history(100, 100)]) is None
    assert unusual(broken) is None


def test_from_a_persons_word_on_the_usual_is_counted_anew() -> None:
    scans = history(*[100] * 10, *[2] * 3)
    assert unusual(scans, since=START + timedelta(hours=10)) is None
    assert unusual(scans, since=START + timedelta(hours=9)) is not None
    assert unusual(scans, since=START + timedelta(hours=99)) is None


def timed(*seconds: float, **said: Any) -> list[Scan]:
    return [scan(run, seconds=s, **said) for run, s in enumerate(seconds)][::-1]


@pytest.mark.parametrize(
    ("before", "last", "doubted"),
    [
        ([60.0] * ENOUGH_TIMES, 2.9, True),
        ([60.0] * ENOUGH_TIMES, 3.0, False),
        ([60.0] * (ENOUGH_TIMES - 1), 0.1, False),
        ([LONG_SECONDS - 0.1] * ENOUGH_TIMES, 0.0, False),
        ([600.0] * 20 + [1.0] * USUAL_OF, 0.01, False),
        # One long listing, a clone for instance, makes no rule.
        ([600.0, *[0.5] * 8], 0.01, False),
    ],
)
def test_under_five_percent_of_the_usual_time_is_doubted_where_it_is_long(
    before: list[float], last: float, doubted: bool
) -> None:
    assert bool(unusual(timed(*before, last))) is doubted


def test_short_time_is_explained_by_the_sources_own_version() -> None:
    assert unusual(timed(*[60.0] * 8, 0.1, source_version="c0ffee")) is None
    older = timed(*[60.0] * 8, source_version="before")
    assert unusual([scan(9, seconds=0.1, source_version="c0ffee"), *older]) is not None


def test_a_listing_that_stays_fast_becomes_usual() -> None:
    assert unusual(timed(*[60.0] * USUAL_OF, 0.1)) is not None
    assert unusual(timed(*[60.0] * USUAL_OF, *[0.1] * (USUAL_OF // 2 + 2))) is None

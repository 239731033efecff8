"""The two clocks of a source, over any history of scans."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from pipelines.knowledge import Scan, data_as_of, freshness

START = datetime(2026, 3, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
WORDS = ("ok", "warn", "error")

waits = st.none() | st.integers(0, 200)
"""For how many hours the oldest change had waited when a scan began; None: nothing waits."""
scans = st.lists(st.tuples(st.booleans(), waits), max_size=12)
limits = st.tuples(st.integers(1, 100), st.integers(0, 100))


def history(drawn: list[tuple[bool, int | None]]) -> list[Scan]:
    """One scan an hour; newest first, as the store gives them."""
    return [_scan(hour, complete, waited) for hour, (complete, waited) in enumerate(drawn)][::-1]


def _scan(hour: int, complete: bool, waited: int | None) -> Scan:
    at = START + hour * HOUR
    waiting = {} if waited is None else {"docs/a.md": ("hash", (at - waited * HOUR).isoformat())}
    return Scan(
        source="docs", run=f"r{hour}", started_at=at, seconds=1.0, complete=complete, error=None,
        listed=1, source_version=None, waiting=waiting,
    )  # fmt: skip


def state(found: list[Scan], limit: tuple[int, int], now: datetime) -> str:
    warn, more = limit
    return freshness(found, warn_after=warn * HOUR, error_after=(warn + more) * HOUR, now=now)


def rank(word: str) -> int:
    return WORDS.index(word)


@given(scans, limits, st.integers(0, 300))
def test_state_follows_from_the_slower_of_the_two_clocks(
    drawn: list[tuple[bool, int | None]], limit: tuple[int, int], hours: int
) -> None:
    now = START + (len(drawn) + hours) * HOUR
    complete = [(hour, waited) for hour, (whole, waited) in enumerate(drawn) if whole]
    said = state(history(drawn), limit, now)
    if not complete:
        assert said == "unknown"
        return
    hour, waited = complete[-1]
    age = len(drawn) + hours - hour + (waited or 0)
    warn, more = limit
    expected = "error" if age >= warn + more else "warn" if age >= warn else "ok"
    assert said == expected


@given(scans, limits, st.lists(st.integers(0, 50), min_size=2, max_size=5))
def test_without_a_scan_time_alone_never_makes_a_source_fresher(
    drawn: list[tuple[bool, int | None]], limit: tuple[int, int], passed: list[int]
) -> None:
    found, now = history([*drawn, (True, None)]), START + len(drawn) * HOUR
    words = [rank(state(found, limit, now + hours * HOUR)) for hours in sorted(passed)]
    assert words == sorted(words)


@given(scans, st.lists(st.tuples(st.just(value=False), waits), max_size=5), limits)
def test_a_listing_that_broke_off_moves_no_clock(
    drawn: list[tuple[bool, int | None]],
    broken: list[tuple[bool, int | None]],
    limit: tuple[int, int],
) -> None:
    now = START + (len(drawn) + len(broken)) * HOUR
    assert state(history(drawn + broken), limit, now) == state(history(drawn), limit, now)


@given(scans, limits, waits)
def test_what_waits_never_makes_a_source_fresher(
    drawn: list[tuple[bool, int | None]], limit: tuple[int, int], waited: int | None
) -> None:
    now = START + (len(drawn) + 1) * HOUR
    with_it = state(history([*drawn, (True, waited)]), limit, now)
    assert rank(with_it) >= rank(state(history([*drawn, (True, None)]), limit, now))


@given(scans)
def test_data_is_never_newer_than_either_clock(drawn: list[tuple[bool, int | None]]) -> None:
    found = history(drawn)
    told = data_as_of(found)
    newest = next((scan for scan in found if scan.complete), None)
    if told is not None:
        assert newest is not None
        assert told <= newest.started_at
        assert told <= (newest.oldest_waiting_at or told)


@given(limits, st.integers(1, 10_000))
def test_a_clock_that_ran_ahead_is_told_and_never_green(limit: tuple[int, int], days: int) -> None:
    ahead = _scan(0, complete=True, waited=None)
    assert state([ahead], limit, START - timedelta(days=days)) == "warn"

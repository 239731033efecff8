"""A retraining that nobody asked for starts only where it is needed, and not too often."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pipelines.config import EmbedderModel
from pipelines.knowledge import VerdictRow
from pipelines.retrain.policy import MONTH, Decision, Run, may_start

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def model(**settings: Any) -> EmbedderModel:
    return EmbedderModel(name="words", **settings)


def run(version: str, days_ago: float, **more: Any) -> Run:
    plain = {"seconds": 600.0, "promote": True, "by_itself": True}
    return Run(version=version, at=NOW - days_ago * DAY, **(plain | more))


def verdict(word: str = "stale", hours_ago: float = 1.0) -> VerdictRow:
    at = NOW - timedelta(hours=hours_ago)
    return VerdictRow(id="1", model="words", version="v0.0.1", at=at, verdict=word)


def decide(*runs: Run, said: VerdictRow | None = None, **settings: Any) -> Decision:
    return may_start(
        model(**settings), served="v0.0.1", verdict=said or verdict(), runs=runs, now=NOW
    )


def test_stale_version_that_is_long_in_use_is_retrained() -> None:
    assert decide(run("v0.0.1", 40)).may


@pytest.mark.parametrize("word", ["fresh", "watch"])
def test_version_that_is_not_stale_is_not(word: str) -> None:
    found = decide(run("v0.0.1", 40), said=verdict(word))
    assert (found.may, found.why) == (False, f"v0.0.1 is {word}")


def test_version_that_nobody_looked_at_is_not() -> None:
    assert not may_start(model(), served="v0.0.1", verdict=None, runs=(), now=NOW).may


def test_the_first_version_is_for_a_person() -> None:
    found = may_start(model(), served=None, verdict=None, runs=(), now=NOW)
    assert (found.may, found.at) == (False, None)
    assert "a person starts the first one" in found.why


def test_nothing_starts_while_it_cools_down() -> None:
    found = decide(run("v0.0.1", 3), cooldown="7d")
    assert (found.may, found.at) == (False, NOW + 4 * DAY)
    assert decide(run("v0.0.1", 7), cooldown="7d").may


def test_a_run_of_a_person_cools_down_as_well() -> None:
    assert not decide(run("v0.0.2", 3, by_itself=False, promote=False), run("v0.0.1", 90)).may


def test_each_refused_candidate_doubles_the_wait_until_one_is_promoted() -> None:
    refused = [run(f"v0.0.{n}", 7 + n, promote=False) for n in (3, 2)]
    found = decide(*refused, run("v0.0.1", 90), cooldown="7d")
    assert found.at == refused[0].at + 28 * DAY
    assert "2 that the gate refused" in found.why
    promoted_since = may_start(
        model(cooldown="7d"), served="v0.0.3", verdict=verdict(), runs=refused, now=NOW
    )
    assert promoted_since.may, "the one that was refused was promoted by a person"


def test_a_candidate_that_waits_to_be_promoted_is_not_made_twice() -> None:
    found = decide(run("v0.0.2", 0.01), run("v0.0.1", 90), said=verdict(hours_ago=24))
    assert not found.may
    assert "waits to be promoted" in found.why


def test_runs_of_a_month_are_counted_and_the_day_is_named_on_which_one_is_free() -> None:
    runs = [run(f"v0.0.{n}", 30 - n, promote=False) for n in (4, 3, 2)]
    found = decide(*runs, run("v0.0.1", 90), max_runs_a_month=2, cooldown="1h")
    assert (found.may, found.why) == (False, "max_runs_a_month = 2 is reached")
    assert found.at == runs[1].at + MONTH
    assert decide(*runs, run("v0.0.1", 90), max_runs_a_month=4, cooldown="1h").may


def test_runs_that_a_person_started_do_not_count() -> None:
    runs = [run(f"v0.0.{n}", 30 - n, promote=False, by_itself=False) for n in (4, 3, 2)]
    assert decide(*runs, run("v0.0.1", 90), max_runs_a_month=1, cooldown="1h").may


def test_hours_of_a_month_are_counted() -> None:
    runs = [run("v0.0.2", 20, seconds=5400.0, promote=False), run("v0.0.1", 25, seconds=5400.0)]
    assert decide(*runs, max_hours_a_month=4, cooldown="1h").may
    found = decide(*runs, max_hours_a_month=3, cooldown="1h")
    assert (found.may, found.at) == (False, runs[1].at + MONTH)


def test_no_runs_or_hours_at_all_means_never() -> None:
    for settings in ({"max_runs_a_month": 0}, {"max_hours_a_month": 0}):
        found = decide(run("v0.0.1", 90), **settings)
        assert (found.may, found.at) == (False, None)

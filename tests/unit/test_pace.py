"""How often a source is looked at: soon, and never again and again."""

from flows.warm.pace import LONGEST_BACKOFF_SECONDS, LONGEST_SETTLE_SECONDS, Pace


def test_what_comes_after_a_quiet_end_is_looked_at_at_once() -> None:
    pace = Pace()
    assert pace.allowed(["a"], 0) == ("a",)
    pace.ran(["a"], (), more=False, now=10)
    assert pace.allowed(["a", "b"], 10) == ("a", "b")


def test_pauses_between_runs_grow_while_more_is_asked_for_and_are_over_with_that() -> None:
    pace, now, pauses = Pace(), 0.0, []
    for _ in range(5):
        pace.ran(["a"], (), more=True, now=now)
        pause = next(p for p in (1, 2, 4, 5, 8) if pace.allowed(["a"], now + p))
        assert pace.allowed(["a"], now + pause - 0.01) == ()
        pauses.append(pause)
        now += pause
    assert pauses == [1, 2, 4, LONGEST_SETTLE_SECONDS, LONGEST_SETTLE_SECONDS]
    pace.ran(["a"], (), more=False, now=now)
    assert pace.allowed(["a"], now) == ("a",)


def test_source_that_fails_waits_longer_each_time_and_keeps_no_other_waiting() -> None:
    pace, now, delays = Pace(), 0.0, []
    for _ in range(7):
        pace.ran(["away", "well"], {"away"}, more=False, now=now)
        assert pace.allowed(["away", "well"], now) == ("well",)
        delay = next(d for d in (2, 8, 32, 128, 512, 900) if pace.allowed(["away"], now + d))
        delays.append(delay)
        now += delay
    assert delays == [2, 8, 32, 128, 512, LONGEST_BACKOFF_SECONDS, LONGEST_BACKOFF_SECONDS]
    pace.ran(["away"], (), more=False, now=now)
    pace.ran(["away"], {"away"}, more=False, now=now)
    assert pace.allowed(["away"], now + 2) == ("away",)

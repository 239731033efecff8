"""How often a source may be looked at: at once when it is quiet, in a burst a handful of times."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

SETTLE_SECONDS, LONGEST_SETTLE_SECONDS = 1.0, 5.0
"""Between two runs where at the end of the first something waits again; doubles each time."""

BACKOFF_SECONDS, LONGEST_BACKOFF_SECONDS, BACKOFF_FACTOR = 2.0, 900.0, 4.0
"""Until a source is tried again that a run could not look at, and how that grows: each try is a
failed run, and somebody is told of it. After some minutes they are no more than the schedule's."""

FIRST_AWAY_SECONDS, LONGEST_AWAY_SECONDS = 1.0, 30.0
"""Until server or store are asked again that did not answer; doubles each time."""


@dataclass(slots=True)
class Away:
    """For how long what does not answer is left alone."""

    seconds: float = 0.0
    """0 where it answered."""

    def failed(self) -> bool:
        """It did not answer.

        Returns:
            Whether it did until now: people are told once.
        """
        first = not self.seconds
        self.seconds = min(2 * self.seconds or FIRST_AWAY_SECONDS, LONGEST_AWAY_SECONDS)
        return first

    def answered(self) -> None:
        """It did."""
        self.seconds = 0.0


@dataclass(slots=True)
class Pace:
    """What a lane remembers of its runs. Times are of one clock that only goes forward."""

    _settle: float = 0.0
    _free_at: float = float("-inf")
    _failures: dict[str, int] = field(default_factory=dict)
    _again_at: dict[str, float] = field(default_factory=dict)

    def allowed(self, sources: Iterable[str], now: float) -> tuple[str, ...]:
        """Those that may be looked at now."""
        if now < self._free_at:
            return ()
        return tuple(name for name in sources if now >= self._again_at.get(name, now))

    def ran(self, asked: Iterable[str], failed: Collection[str], *, more: bool, now: float) -> None:
        """A run has ended.

        Args:
            asked: The sources that it was to look at.
            failed: Those that it did not look at. More deliveries do not make it tried sooner.
            more: Whether something was asked for that it did not look at any more: it comes faster
                than it is looked at.
            now: The time.
        """
        longer = min(2 * self._settle or SETTLE_SECONDS, LONGEST_SETTLE_SECONDS)
        self._settle = longer if more else 0.0
        self._free_at = now + self._settle
        for name in asked:
            if name in failed:
                self._failures[name] = self._failures.get(name, 0) + 1
                delay = BACKOFF_SECONDS * BACKOFF_FACTOR ** (self._failures[name] - 1)
                self._again_at[name] = now + min(delay, LONGEST_BACKOFF_SECONDS)
            else:
                self._failures.pop(name, None)
                self._again_at.pop(name, None)

"""Watchdog: looks at freshness from our own store, and says what changed since it last told."""

from dataclasses import dataclass
from datetime import datetime

from pipelines.config import Config
from pipelines.knowledge import (
    HealthRow,
    Store,
    find_store,
    forget_told,
    remember_told,
    told_health,
)
from pipelines.records import Happened
from pipelines.status import Freshness, show_freshness

UNKNOWN = "unknown"
"""The word of what was never told."""


@dataclass(frozen=True, slots=True)
class Transition:
    """The health of a source, or of the whole knowledge base, is another than was last told."""

    subject: str
    """``knowledge.<name>`` or ``source.<knowledge>.<source>``."""
    before: str
    """The word that was last told: unknown, healthy, warning or degraded."""
    health: str
    """The word of now."""
    why: str
    """A sentence or two."""
    since: datetime
    """The look that first found it so."""

    @property
    def happened(self) -> Happened:
        """What others are told."""
        told = {"from": self.before, "to": self.health, "why": self.why}
        return Happened("health.changed", self.subject, told | {"since": self.since.isoformat()})


@dataclass(frozen=True, slots=True)
class Watched:
    """One look."""

    freshness: Freshness
    changed: tuple[Transition, ...]
    """The knowledge base first, then its sources."""


def watch_freshness(config: Config, *, now: datetime) -> Watched:
    """How fresh everything is, and which words of health changed. Writes nothing.

    The caller tells others of the changes, and then calls ``remember_health``. In this order every
    change is told at least once: who is stopped between the two is told again by the next look.

    Args:
        config: The configuration.
        now: The time.
    """
    freshness = show_freshness(config, now=now)
    told = told_health(find_store(config.store_uri))
    changed = []
    for subject, (health, why) in _words(freshness).items():
        before = told[subject].word if subject in told else UNKNOWN
        if before != health:
            changed.append(Transition(subject, before, health, why, now))
    return Watched(freshness, tuple(changed))


def remember_health(config: Config, watched: Watched, *, now: datetime) -> None:
    """Writes down what was told, so that it is told once. Nothing is written where nothing changed.

    Args:
        config: The configuration.
        watched: The look whose changes were told.
        now: The time.
    """
    store = find_store(config.store_uri)
    if store is None:
        return
    changed = (HealthRow(t.subject, t.health, t.since, now) for t in watched.changed)
    remember_told(store, changed)
    _forget_former(store, watched.freshness)


def _words(freshness: Freshness) -> dict[str, tuple[str, str]]:
    """The word of health of each subject, and why."""
    name = freshness.knowledge
    words = {f"knowledge.{name}": (freshness.health, freshness.why)}
    return words | {f"source.{name}.{s.name}": (s.health, s.why) for s in freshness.sources}


def _forget_former(store: Store, freshness: Freshness) -> None:
    """Sources that left the configuration; coming back, they begin anew."""
    here = set(_words(freshness))
    if not here.issuperset(told_health(store)):
        forget_told(store, but=here)

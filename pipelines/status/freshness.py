"""Freshness: two clocks a source, what is usual for it, and one word of health for all."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from pipelines.config import Config, FilesSource, GitSource
from pipelines.knowledge import (
    HoldRow,
    Pause,
    Publication,
    Scan,
    Store,
    find_store,
    found_right,
    freshness,
    holds,
    is_ahead,
    last_complete,
    pauses,
    publications,
    scans_of,
    unusual,
)
from pipelines.status.recall import fallen_recall

HEALTH = {
    "unknown": "unknown",
    "ok": "healthy",
    "warn": "warning",
    "error": "degraded",
    "paused": "unknown",
}
"""Of a source, by what its clocks say. One that is paused is not looked at: nobody knows."""
WORST = ("degraded", "warning", "unknown", "healthy")
LAG_DAYS = 7
TIME = "%Y-%m-%d %H:%M UTC"


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFreshness:
    """How fresh one source is, as of now."""

    name: str
    state: str
    """ok, warn, error (also where it was never scanned to the end) or paused."""
    health: str
    """healthy, warning or degraded, as the state says; unknown where it was never tried, or is
    paused."""
    why: str
    """A sentence or two."""
    last_complete_scan_at: datetime | None
    """The first clock: when it started."""
    oldest_pending_at: datetime | None
    """The second clock: when the oldest change that waits was first seen."""
    pending: int
    """Changes that wait, held ones among them."""
    warn_after: float
    """In seconds, for both clocks."""
    error_after: float
    lag_seconds: Mapping[str, float | None]
    """Of edits: publication minus source time over the last 7 days: p50, p95, max."""
    deletion_lag_seconds: Mapping[str, float | None]
    """Of deletions: publication minus first sight. They have no time of their own."""
    paused: Pause | None

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        said = {name: getattr(self, name) for name in self.__slots__}
        for name in ("last_complete_scan_at", "oldest_pending_at"):
            said[name] = iso(said[name])
        for name in ("lag_seconds", "deletion_lag_seconds"):
            said[name] = dict(said[name])
        return said | {"paused": told_pause(self.paused)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Freshness:
    """How fresh a knowledge base is, as of now."""

    knowledge: str
    health: str
    """The worst of its sources; paused ones do not count. At least warning where recall fell."""
    sources: tuple[SourceFreshness, ...]
    recall: str = ""
    """What to tell of golden questions that no longer find their documents; else empty."""

    @property
    def ok(self) -> bool:
        """Whether no source is at ``error``."""
        return all(source.state != "error" for source in self.sources)

    @property
    def why(self) -> str:
        """What the word of health rests on: the sources that have it."""
        if self.health == "healthy":
            return "Every source is as fresh as its settings ask for."
        worst = [s for s in self.sources if s.health == self.health and not s.paused]
        told = [f"{source.name}: {source.why}" for source in worst]
        return " ".join([*told, self.recall]).strip() or "No source is looked at."

    def to_dict(self) -> dict[str, Any]:
        """For JSON, as the interface gives it."""
        return {
            "ok": self.ok,
            "knowledge": self.knowledge,
            "health": self.health,
            "recall": self.recall,
            "sources": [source.to_dict() for source in self.sources],
        }


def iso(at: datetime | None) -> str | None:
    """A time for JSON."""
    return at.isoformat() if at else None


def told_pause(pause: Pause | None) -> dict[str, str] | None:
    """A pause for JSON."""
    if pause is None:
        return None
    return {"since": pause.at.isoformat(), "by": pause.actor, "reason": pause.reason}


def show_freshness(config: Config, *, now: datetime) -> Freshness:
    """Whether every source is as fresh as its settings ask for. Works without store and server."""
    store = find_store(config.store_uri)
    return freshness_of(
        config, store, {s.name: scans_of(store, s.name) for s in config.sources}, now
    )


def freshness_of(
    config: Config,
    store: Store | None,
    scans: Mapping[str, list[Scan]],
    now: datetime,
) -> Freshness:
    """The same for scans that were read.

    Args:
        config: The configuration.
        store: The store.
        scans: By source, newest first.
        now: The time.
    """
    since = now - timedelta(days=LAG_DAYS)
    told = _Told(
        holds=holds(store),
        pauses=pauses(store),
        rows=publications(store, since=since) if store else [],
    )
    sources = tuple(_source(s, scans[s.name], told, now) for s in config.sources)
    recall = fallen_recall(store)
    words = [s.health for s in sources if not s.paused]
    return Freshness(
        knowledge=config.knowledge.name,
        health=_worst([*words, "warning"] if recall else words),
        sources=sources,
        recall=recall,
    )


def _worst(words: Iterable[str]) -> str:
    said = set(words)
    return next((word for word in WORST if word in said), "unknown")


@dataclass(frozen=True, slots=True)
class _Told:
    """What the store says, read once for all sources."""

    holds: Sequence[HoldRow]
    pauses: Sequence[Pause]
    rows: Sequence[Publication]
    """Of the days that lag is told of."""


def _source(
    settings: FilesSource | GitSource, scans: list[Scan], told: _Told, now: datetime
) -> SourceFreshness:
    name, newest = settings.name, last_complete(scans)
    standing = [p for p in told.pauses if p.source == name and p.resumed_at is None]
    paused = standing[0] if standing else None
    since = found_right(name, holds=told.holds, pauses=told.pauses)
    doubt = unusual(scans, since=since)
    state = "paused" if paused else _state(settings, scans, doubt, now)
    return SourceFreshness(
        name=name,
        state="error" if state == "unknown" else state,
        health=HEALTH[state],
        why=_sentence(str(paused)) if paused else _why(scans, state, doubt, now),
        last_complete_scan_at=newest.started_at if newest else None,
        oldest_pending_at=newest.oldest_waiting_at if newest else None,
        pending=len(newest.waiting) if newest else 0,
        warn_after=settings.warn_after.total_seconds(),
        error_after=settings.error_after.total_seconds(),
        lag_seconds=_spread(s for row in told.rows for s in row.lag.get(name, [])),
        deletion_lag_seconds=_spread(
            s for row in told.rows for s in row.deletion_lag.get(name, [])
        ),
        paused=paused,
    )


def _state(
    settings: FilesSource | GitSource, scans: list[Scan], doubt: str | None, now: datetime
) -> str:
    """unknown, ok, warn or error."""
    ages = {"warn_after": settings.warn_after, "error_after": settings.error_after}
    state = freshness(scans, now=now, **ages)
    if state == "unknown":
        return "error" if scans else state  # it was tried, and nothing of it is known
    return "warn" if doubt and state == "ok" else state


def _why(scans: list[Scan], state: str, doubt: str | None, now: datetime) -> str:
    """What a state rests on."""
    newest = last_complete(scans)
    said = []
    if newest is None:
        said.append("Never scanned to the end." if scans else "Never scanned.")
    elif is_ahead(newest, now):
        said.append("Its last scan is dated in the future: a clock is wrong.")
    if doubt:
        said.append(_sentence(f"{doubt}: see that the source is whole"))
    if scans and not scans[0].complete:
        said.append(f"Its last listing broke off ({scans[0].error}).")
    if newest is not None:
        late = state in ("warn", "error") and not said
        said.append(_clocks(newest, late=late))
    return " ".join(said)


def _clocks(newest: Scan, *, late: bool) -> str:
    oldest, scanned = newest.oldest_waiting_at, f"{newest.started_at:{TIME}}"
    if oldest is None:
        return f"{'No' if late else 'Last'} complete scan {'since' if late else 'at'} {scanned}."
    count = len(newest.waiting)
    waits = "1 change waits" if count == 1 else f"{count:,} changes wait"
    return f"{waits} to be published since {oldest:{TIME}}; last complete scan at {scanned}."


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def _spread(seconds: Iterable[float]) -> dict[str, float | None]:
    lags = list(seconds)
    if not lags:
        return {"p50": None, "p95": None, "max": None}
    p50, p95 = np.percentile(lags, [50, 95])
    return {"p50": round(float(p50), 3), "p95": round(float(p95), 3), "max": max(lags)}

"""Status: every source as of now, and what needs a person."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pipelines.config import Config
from pipelines.knowledge import (
    ACCEPTED,
    OPEN,
    HoldRow,
    Publication,
    Scan,
    Store,
    as_of,
    documents_by_source,
    find_store,
    holds,
    last_complete,
    newest,
    quarantine,
    scans_of,
)
from pipelines.quality import verdict_basis
from pipelines.status.freshness import SourceFreshness, freshness_of, iso


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceStatus:
    """One source, as of now."""

    fresh: SourceFreshness
    data_as_of: datetime | None
    documents: int
    pending: int
    """Found, not published, and not held."""
    held: int
    quarantined: int
    withheld: int

    @property
    def name(self) -> str:
        """As the configuration spells it."""
        return self.fresh.name

    @property
    def health(self) -> str:
        """unknown, healthy, warning or degraded."""
        return self.fresh.health

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        fresh = self.fresh.to_dict()
        counts = ("documents", "pending", "held", "quarantined", "withheld")
        return {
            **{key: fresh[key] for key in ("name", "health", "state", "why", "paused")},
            "last_scan_at": fresh["last_complete_scan_at"],
            "oldest_pending_at": fresh["oldest_pending_at"],
            "data_as_of": iso(self.data_as_of),
            **{key: getattr(self, key) for key in counts},
            **{key: fresh[key] for key in ("lag_seconds", "deletion_lag_seconds")},
        }


@dataclass(frozen=True, slots=True)
class Status:
    """A knowledge base, as of now."""

    publication: int | None
    pinned: bool
    health: str
    sources: tuple[SourceStatus, ...]
    attention: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "publication": self.publication,
            "pinned": self.pinned,
            "health": self.health,
            "sources": [source.to_dict() for source in self.sources],
            "attention": list(self.attention),
        }


def show_status(config: Config, *, now: datetime) -> Status:
    """How fresh every source is, what waits, and what needs a person. Works without a store."""
    store = find_store(config.store_uri)
    last = newest(store) if store else None
    standing = [h for h in holds(store) if h.state in (OPEN, ACCEPTED)]
    failed = Counter(q.source for q in quarantine(store, verdict_basis(config)))
    documents: Counter[str] = Counter()
    if store and last:
        documents = documents_by_source(store, last.state)
    scans = {s.name: scans_of(store, s.name) for s in config.sources}
    fresh = freshness_of(config, store, scans, now)
    told = _Told(store, last, standing, failed, documents)
    sources = tuple(_source(one, scans[one.name], told) for one in fresh.sources)
    return Status(
        last.number if last else None,
        bool(last and last.pinned),
        fresh.health,
        sources,
        (*_attention(config, last, standing, sources, scans), *filter(None, [fresh.recall])),
    )


@dataclass(frozen=True, slots=True)
class _Told:
    """What the store says, read once for all sources."""

    store: Store | None
    last: Publication | None
    standing: list[HoldRow]
    failed: Counter[str]
    documents: Counter[str]


def _source(fresh: SourceFreshness, scans: list[Scan], told: _Told) -> SourceStatus:
    store, last, name = told.store, told.last, fresh.name
    held = {uri for h in told.standing for uri, _ in h.items if uri.split("/", 1)[0] == name}
    newest_scan = last_complete(scans)
    waiting = set(newest_scan.waiting) if newest_scan else set()
    return SourceStatus(
        fresh=fresh,
        data_as_of=as_of(store, last, name) if store and last else None,
        documents=told.documents[name],
        pending=len(waiting - held),
        held=len(held),
        quarantined=told.failed[name],
        withheld=sum(u.split("/", 1)[0] == name for u in (last.withheld if last else ())),
    )


def _attention(
    config: Config,
    last: Publication | None,
    standing: list[HoldRow],
    sources: tuple[SourceStatus, ...],
    scans: dict[str, list[Scan]],
) -> list[str]:
    said = []
    if last is None:
        said.append("Nothing is published yet. To begin: staleproof refresh.")
    elif last.pinned:
        said.append(f"Pinned to #{last.number} by {last.actor}. To go on: staleproof unpin.")
    said += [
        f"Hold {h.id} ({h.kind}, {len(h.items)} documents, since {h.since:%Y-%m-%d %H:%M}):"
        f" {h.why}. "
        + (
            "Accepted; the next refresh applies it."
            if h.state == ACCEPTED
            else f"To decide: staleproof accept {h.id}, or staleproof drop {h.id}."
        )
        for h in standing
    ]
    said += [
        f"Source {s.name} has {s.quarantined} documents in quarantine: staleproof quarantine list."
        for s in sources
        if s.quarantined
    ]
    said += [line for s in sources if (line := _not_well(s.fresh, scans[s.name], last))]
    wanted = config.embedder.model
    if last is not None and wanted != last.model and not last.embedder:
        said.append(
            f"The configuration wants the embedder {wanted}, {last.model} serves and goes on."
            " To move: staleproof fill."
        )
    return said


def _not_well(fresh: SourceFreshness, scans: list[Scan], last: Publication | None) -> str:
    """A line about a source that is late, in doubt, broken or paused; empty where none is needed."""
    name = fresh.name
    if fresh.paused:
        return f"Source {name} is {fresh.paused}. To go on: staleproof sources resume {name}."
    if not scans:
        # Before anything is published one line says it for all.
        return f"Source {name}: never scanned. To begin: staleproof refresh." if last else ""
    broken = not scans[0].complete
    if fresh.state == "ok" and not broken:
        return ""
    return f"Source {name}: {fresh.why[0].lower()}{fresh.why[1:]}"

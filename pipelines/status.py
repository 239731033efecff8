"""What a person asks about a store: status, history, differences, freshness, head."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from pipelines.answers import published_store
from pipelines.config import Config, FilesSource, GitSource
from pipelines.errors import PublicationNotFound
from pipelines.knowledge import (
    ACCEPTED,
    OPEN,
    Filter,
    HoldRow,
    Publication,
    Scan,
    Store,
    as_of,
    find_publication,
    find_store,
    freshness,
    holds,
    last_complete,
    newest,
    publications,
    published_documents,
    quarantine,
    readable_states,
    scans_of,
)
from pipelines.quality import verdict_basis

HEALTH = {"unknown": "unknown", "ok": "healthy", "warn": "warning", "error": "degraded"}
WORST = ("degraded", "warning", "unknown", "healthy")
LAG_DAYS = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceStatus:
    """One source, as of now."""

    name: str
    health: str
    last_scan_at: datetime | None
    """The start of the last complete scan."""
    data_as_of: datetime | None
    documents: int
    pending: int
    """Found, not published, and not held."""
    held: int
    quarantined: int
    withheld: int
    lag_seconds: dict[str, float | None]
    """Publication minus source time over the last 7 days: p50, p95, max."""

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        said = {name: getattr(self, name) for name in self.__slots__}
        times = {name: _iso(said[name]) for name in ("last_scan_at", "data_as_of")}
        return said | times


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


def _iso(at: datetime | None) -> str | None:
    return at.isoformat() if at else None


def show_status(config: Config, *, now: datetime) -> Status:
    """How fresh every source is, what waits, and what needs a person. Works without a store."""
    store = find_store(config.store_uri)
    last = newest(store) if store else None
    rows = publications(store) if store else []
    standing = [h for h in holds(store) if h.state in (OPEN, ACCEPTED)]
    failed = Counter(q.source for q in quarantine(store, verdict_basis(config)))
    documents: Counter[str] = Counter()
    if store and last:
        documents = Counter(d.source for d in published_documents(store, last.state).values())
    told = _Told(store, last, rows, standing, failed, documents, now)
    sources = tuple(_source(s, told) for s in config.sources)
    words = {s.health for s in sources}
    health = next((word for word in WORST if word in words), "unknown")
    return Status(
        last.number if last else None,
        bool(last and last.pinned),
        health,
        sources,
        tuple(_attention(config, store, last, standing, sources)),
    )


@dataclass(frozen=True, slots=True)
class _Told:
    """What the store says, read once for all sources."""

    store: Store | None
    last: Publication | None
    rows: list[Publication]
    standing: list[HoldRow]
    failed: Counter[str]
    documents: Counter[str]
    now: datetime


def _source(settings: FilesSource | GitSource, told: _Told) -> SourceStatus:
    store, last, now = told.store, told.last, told.now
    name = settings.name
    scans = scans_of(store, name)
    newest_scan = last_complete(scans)
    held = {uri for h in told.standing for uri, _ in h.items if uri.split("/", 1)[0] == name}
    waiting = set(newest_scan.waiting) if newest_scan else set()
    state = freshness(
        scans, warn_after=settings.warn_after, error_after=settings.error_after, now=now
    )
    return SourceStatus(
        name=name,
        health=HEALTH[state],
        last_scan_at=newest_scan.started_at if newest_scan else None,
        data_as_of=as_of(store, last, name) if store and last else None,
        documents=told.documents[name],
        pending=len(waiting - held),
        held=len(held),
        quarantined=told.failed[name],
        withheld=sum(u.split("/", 1)[0] == name for u in (last.withheld if last else ())),
        lag_seconds=_lag(told.rows, name, now),
    )


def _lag(rows: list[Publication], source: str, now: datetime) -> dict[str, float | None]:
    since = now - timedelta(days=LAG_DAYS)
    lags = [s for row in rows if row.at >= since for s in row.lag.get(source, [])]
    if not lags:
        return {"p50": None, "p95": None, "max": None}
    p50, p95 = np.percentile(lags, [50, 95])
    return {"p50": round(float(p50), 3), "p95": round(float(p95), 3), "max": max(lags)}


def _attention(
    config: Config,
    store: Store | None,
    last: Publication | None,
    standing: list[HoldRow],
    sources: tuple[SourceStatus, ...],
) -> list[str]:
    if last is None or store is None:
        return ["Nothing is published yet. To begin: staleproof refresh."]
    said = []
    if last.pinned:
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
    said += [f"Source {s.name}: {_broken(s, scans_of(store, s.name))}" for s in sources
             if _broken(s, scans_of(store, s.name))]  # fmt: skip
    wanted = config.embedder.model
    if wanted != last.model:
        said.append(
            f"The configuration wants the embedder {wanted}, {last.model} serves and goes on."
        )
    return said


def _broken(source: SourceStatus, scans: list[Scan]) -> str:
    if not scans:
        return "never scanned. To begin: staleproof refresh."
    if not scans[0].complete:
        return f"its last listing broke off ({scans[0].error})."
    return "late." if source.health == "degraded" else ""


def show_history(config: Config) -> dict[str, Any]:
    """All publications, newest first, as the interface gives them."""
    store = find_store(config.store_uri)
    rows = publications(store) if store else []
    kept = readable_states(store, {p.generation for p in rows}) if store else set()
    return {
        "publication": rows[0].number if rows else None,
        "pinned": bool(rows and rows[0].pinned),
        "publications": [
            {
                "number": p.number,
                "at": p.at.isoformat(),
                "kind": p.kind,
                "actor": p.actor,
                "reason": p.reason,
                "documents": p.documents,
                "chunks": p.chunks,
                "tokens_embedded": p.tokens_embedded,
                "embedder": p.model,
                "run": p.run,
                "data_as_of": min(p.data_as_of.values(), default=None),
                "restores": p.restores,
                "withheld": len(p.withheld),
                "kept": p.state in kept,
            }
            for p in rows
        ],
    }


def compare_publications(config: Config, first: int, second: int) -> dict[str, Any]:
    """What differs between two publications, by document.

    Raises:
        PublicationNotFound: One of them does not exist, or its files are gone.
    """
    store, _ = published_store(config)
    rows = [find_publication(store, number) for number in (first, second)]
    kept = readable_states(store, {row.generation for row in rows})
    for row in rows:
        if row.state not in kept:
            raise PublicationNotFound(
                f"The files of #{row.number} are gone.", hint="See staleproof history."
            )
    a, b = (published_documents(store, row.state) for row in rows)
    both = sorted(set(a) & set(b))
    return {
        "from": first,
        "to": second,
        "added": sorted(set(b) - set(a)),
        "deleted": sorted(set(a) - set(b)),
        "changed": [u for u in both if a[u].content_hash != b[u].content_hash],
        "relabelled": [
            u for u in both
            if a[u].content_hash == b[u].content_hash and a[u].policy != b[u].policy
        ],
        "withheld": sorted(set(rows[1].withheld) - set(rows[0].withheld)),
        "shown_again": sorted(set(rows[0].withheld) - set(rows[1].withheld)),
    }  # fmt: skip


def show_head(config: Config, *, labels: frozenset[str]) -> dict[str, Any]:
    """What a plain LanceDB reader needs: table, version, and the filter that access demands.

    Raises:
        PublicationNotFound: Nothing is published yet.
    """
    _, last = published_store(config)
    return {
        "publication": last.number,
        "uri": config.store_uri,
        "table": last.generation,
        "version": last.version,
        "filter": Filter(labels, last.withheld).to_sql(),
    }


def show_freshness(config: Config, *, now: datetime) -> dict[str, Any]:
    """Whether every source is as fresh as its settings ask for."""
    store = find_store(config.store_uri)
    sources = []
    for settings in config.sources:
        scans = scans_of(store, settings.name)
        newest_scan = last_complete(scans)
        state = freshness(
            scans, warn_after=settings.warn_after, error_after=settings.error_after, now=now
        )
        oldest = newest_scan.oldest_waiting_at if newest_scan else None
        sources.append(
            {
                "name": settings.name,
                "state": "error" if state == "unknown" else state,
                "last_complete_scan_at": _iso(newest_scan.started_at if newest_scan else None),
                "oldest_pending_at": _iso(oldest),
            }
        )
    return {"ok": all(s["state"] != "error" for s in sources), "sources": sources}

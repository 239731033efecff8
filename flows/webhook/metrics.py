"""How fresh the sources are, what waits in the inbox and what came in, in Prometheus' words."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from pipelines.config import Config
from pipelines.errors import StaleproofError, StoreError
from pipelines.inbox import inbox_of

if TYPE_CHECKING:
    from pipelines.status import SourceStatus, Status

CACHE_SECONDS = 10.0
"""The status of a large store takes a while, and several may ask."""

UNKNOWN = "_unknown"
"""In the place of an endpoint that does not exist: whoever asks must not make new series."""

OUTCOMES = ("accepted", "known", "full", "refused", "too_large", "broken_off", "unavailable")
_HEALTH = ("healthy", "warning", "degraded", "unknown")
_QUANTILES = {"0.5": "p50", "0.95": "p95", "1": "max"}


@dataclass(slots=True, eq=False)
class Metrics(Collector):
    """What an app tells Prometheus; counts from its start."""

    config: Config
    clock: Callable[[], datetime]
    seconds: Callable[[], float] = time.monotonic
    _counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    _counting: threading.Lock = field(default_factory=threading.Lock)
    _reading: threading.Lock = field(default_factory=threading.Lock)
    _status: "Status | None" = None
    _readable: bool = True
    _until: float = float("-inf")

    def count(self, endpoint: str, outcome: str) -> None:
        """One more delivery."""
        with self._counting:
            self._counts[endpoint, outcome] += 1

    def text(self) -> bytes:
        """All of it, as Prometheus reads it."""
        registry = CollectorRegistry()
        registry.register(self)
        return generate_latest(registry)

    def describe(self) -> Iterable[Metric]:
        """Nothing: what there is hangs on the store."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """The families."""
        yield self._deliveries()
        yield from self._inbox()
        with self._reading:
            if self.seconds() >= self._until:
                self._read()
                self._until = self.seconds() + CACHE_SECONDS
            status, readable = self._status, self._readable
        yield _one("staleproof_store_readable", "1 where the status could be read", readable)
        if status is not None:
            yield from self._knowledge(status)
            yield from self._sources(status.sources)

    def _deliveries(self) -> Metric:
        family = CounterMetricFamily(
            "staleproof_webhook_deliveries",
            "Deliveries by endpoint and outcome",
            labels=("endpoint", "outcome"),
        )
        names = [endpoint.name for endpoint in self.config.webhook.endpoints]
        with self._counting:
            counts = Counter(self._counts)
        # Series that begin with their first event hide it: rates need the zero before.
        for key in sorted({(n, o) for n in (*names, UNKNOWN) for o in OUTCOMES} | set(counts)):
            family.add_metric(key, counts[key])
        return family

    def _inbox(self) -> Iterator[Metric]:
        try:
            waiting = inbox_of(self.config.store_uri).waiting()
        except StoreError:
            yield _one("staleproof_inbox_readable", "1 where the inbox could be read", value=False)
            return
        now = self.clock()
        oldest = max(((now - wish.since).total_seconds() for wish in waiting.values()), default=0.0)
        deliveries = sum(wish.deliveries for wish in waiting.values())
        yield _one("staleproof_inbox_readable", "1 where the inbox could be read", value=True)
        yield _one("staleproof_inbox_sources", "Sources that wait for a refresh", len(waiting))
        yield _one("staleproof_inbox_deliveries", "Deliveries that wait for a refresh", deliveries)
        yield _one(
            "staleproof_inbox_oldest_age_seconds",
            "Since when the oldest wish waits; 0 where none does",
            max(oldest, 0.0),
        )

    def _read(self) -> None:
        # Not on import: the store's libraries are large, and not everybody asks for metrics.
        from pipelines.knowledge import find_store
        from pipelines.status import show_status

        try:
            there = find_store(self.config.store_uri) is not None
            self._status = show_status(self.config, now=self.clock()) if there else None
            self._readable = True
        except (StaleproofError, OSError, RuntimeError, ValueError):
            self._status, self._readable = None, False

    def _knowledge(self, status: "Status") -> Iterator[Metric]:
        name = self.config.knowledge.name
        as_of = [one.data_as_of for one in status.sources if one.data_as_of is not None]
        family = _family("staleproof_knowledge_health", "1 for the health that it has", "state")
        for labels, value in _states(status.health):
            family.add_metric((name, *labels), float(value or 0))
        yield family
        if status.publication is not None:
            family = _family("staleproof_publication", "Number of the newest publication")
            family.add_metric((name,), status.publication)
            yield family
        if as_of:
            family = _family(
                "staleproof_knowledge_data_as_of_timestamp_seconds",
                "What is published is as the sources were then; the oldest of them",
            )
            family.add_metric((name,), min(as_of).timestamp())
            yield family

    def _sources(self, sources: Iterable["SourceStatus"]) -> Iterator[Metric]:
        for gauge in _SOURCES:
            family = _family(gauge.name, gauge.described, "source", *gauge.labels)
            for one in sources:
                for labels, value in gauge.of(one):
                    if value is not None:
                        family.add_metric((self.config.knowledge.name, one.name, *labels), value)
            yield family


Values = Iterable[tuple[tuple[str, ...], float | None]]
"""By labels; None is not told."""


@dataclass(frozen=True, slots=True)
class _Gauge:
    """What is told of each source."""

    name: str
    described: str
    of: Callable[["SourceStatus"], Values]
    labels: tuple[str, ...] = ()


def _at(moment: datetime | None) -> Values:
    yield (), moment.timestamp() if moment else None


def _spread(seconds: Mapping[str, float | None]) -> Values:
    return (((quantile,), seconds[key]) for quantile, key in _QUANTILES.items())


def _states(health: str) -> Values:
    return (((state,), state == health) for state in _HEALTH)


_SOURCES = (
    _Gauge(
        "staleproof_data_as_of_timestamp_seconds",
        "What is published is as the source was then",
        lambda one: _at(one.data_as_of),
    ),
    _Gauge(
        "staleproof_last_complete_scan_timestamp_seconds",
        "When it began",
        lambda one: _at(one.fresh.last_complete_scan_at),
    ),
    _Gauge(
        "staleproof_oldest_pending_timestamp_seconds",
        "When the oldest change that waits to be published was first seen",
        lambda one: _at(one.fresh.oldest_pending_at),
    ),
    _Gauge(
        "staleproof_lag_seconds",
        "From an edit to its publication, over the last 7 days",
        lambda one: _spread(one.fresh.lag_seconds),
        ("quantile",),
    ),
    _Gauge(
        "staleproof_deletion_lag_seconds",
        "From the first sight of a deletion to its publication, over the last 7 days",
        lambda one: _spread(one.fresh.deletion_lag_seconds),
        ("quantile",),
    ),
    _Gauge(
        "staleproof_source_health",
        "1 for the health that it has",
        lambda one: _states(one.health),
        ("state",),
    ),
    _Gauge("staleproof_documents", "Documents published", lambda one: [((), one.documents)]),
    _Gauge(
        "staleproof_pending_documents",
        "Documents that changed, are not published and not held",
        lambda one: [((), one.pending)],
    ),
    _Gauge(
        "staleproof_held_documents",
        "Documents that wait for a person",
        lambda one: [((), one.held)],
    ),
    _Gauge(
        "staleproof_quarantined_documents",
        "Document versions that failed a check",
        lambda one: [((), one.quarantined)],
    ),
    _Gauge(
        "staleproof_withheld_documents",
        "Documents that nobody may see",
        lambda one: [((), one.withheld)],
    ),
)


def _family(name: str, described: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, described, labels=("knowledge", *labels))


def _one(name: str, described: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, described, value=float(value))

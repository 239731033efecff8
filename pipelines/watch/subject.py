"""What a look looks at: a version that serves, what is published, and the looks before."""

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Any

from pipelines.answers import check_fingerprint
from pipelines.config import AnyWatch, Config, ModelConfig
from pipelines.drift.records import Observation
from pipelines.knowledge import Evaluation, LookRow, Publication, Reference, Store, publications
from pipelines.quality import check_unchanged
from pipelines.records import Encoder
from pipelines.retrain.allowed import Allowed, Today, part, today_of
from pipelines.watch.learned import Learned, fetched
from pipelines.watch.memory import Memory
from pipelines.watch.ports import Ports

_NOTHING: Mapping[str, Any] = {}
GRACE = timedelta(minutes=5)
"""Questions are written a hundred at a time: a look leaves the newest ones to the next."""


@dataclass
class Encoders:
    """The models of one watch, each loaded once, and only if something is to be embedded."""

    config: Config
    store: Store
    last: Publication
    now: datetime
    ports: Ports
    least: float | None = None
    """The least cosine of a fixed text, then and now; None where no vector was to be compared."""
    _loaded: dict[str, Encoder] = field(default_factory=dict)

    def named(self, model: str) -> Encoder:
        """An encoder by its name.

        Raises:
            ConfigError: There is no such model.
        """
        if model not in self._loaded:
            self._loaded[model] = self.ports.load_encoder(
                model, root=self.config.root, batch_size=self.config.embedder.batch_size
            )
        return self._loaded[model]

    def serving(self) -> Encoder:
        """The one that made the vectors of the store, seen to give the same ones still.

        Raises:
            EmbedderMismatch: Its weights are others.
            EmbedderChanged: They are the same, and give other vectors.
        """
        encoder = self.named(self.last.model)
        if self.least is None:
            check_fingerprint(encoder, self.last.fingerprint)
            self.least = check_unchanged(self.store, encoder, now=self.now)
        return encoder


@dataclass(frozen=True)
class Subject:
    """One version, at one look."""

    config: Config
    model: ModelConfig
    version: str
    store: Store
    last: Publication
    """What readers see."""
    past: tuple[LookRow, ...]
    """Looks at the version that were kept, oldest first."""
    run: str
    now: datetime
    encoders: Encoders
    ports: Ports
    memory: Memory

    @property
    def policy(self) -> AnyWatch:
        """When it counts as stale."""
        return self.model.watch

    @property
    def until(self) -> datetime:
        """Questions from then on are left to the next look."""
        return self.now - GRACE

    @functools.cached_property
    def began(self) -> Publication:
        """The publication by which the version came to serve."""
        rows = [
            row
            for row in publications(self.store)
            if row.models.get(self.model.name) == self.version
        ]
        return rows[-1]

    @functools.cached_property
    def seen(self) -> tuple[Observation, ...]:
        """What the looks before saw, oldest first."""
        return tuple(Observation.from_dict(row.observation) for row in self.past)

    @functools.cached_property
    def kept(self) -> frozenset[tuple[str, datetime]]:
        """Looks that count, each with its time: one that is tried again has another."""
        return frozenset((row.look, row.at) for row in self.past)

    @functools.cached_property
    def today(self) -> Today:
        """What is known today of the published documents."""
        return today_of(self.config, self.store, self.last, now=self.now)

    @functools.cached_property
    def allowed(self) -> Allowed:
        """What the model may learn from today."""
        return part(self.today, self.model.domains)

    @functools.cached_property
    def learned(self) -> Learned:
        """What the version learned from; fetched where it is not there yet.

        Raises:
            UnknownName: There is no such version, or it has no manifest.
            RemoteUnavailable: Its data cannot be fetched now.
            DataMissing: They are gone, or damaged.
        """
        return fetched(self.config.root, self.model.name, self.version, self.ports)

    def row(
        self, seen: Observation, *, state: str = "", verdict: Mapping[str, Any] = _NOTHING
    ) -> LookRow:
        """The row of the look: what it saw, what has accumulated and what followed from it."""
        return LookRow(
            model=self.model.name,
            version=self.version,
            number=self.past[-1].number + 1 if self.past else 1,
            look=self.run,
            at=self.now,
            publication=self.last.number,
            observation=seen.to_dict(),
            state=state,
            verdict=dict(verdict),
        )

    def counts(self, one: Reference | Evaluation) -> bool:
        """Whether it was written by a look that was kept, not by an attempt that was stopped."""
        return (one.look, one.at) in self.kept

    def seed(self, channel: str) -> int:
        """For what a version draws once, the same in every look."""
        name = "\0".join((self.model.name, self.version, channel))
        return int.from_bytes(blake2b(name.encode(), digest_size=4).digest(), "big")

"""What a run of refresh works with, and what it saw when it looked."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from time import monotonic

from pipelines.config import Config
from pipelines.embedding import load_encoder
from pipelines.knowledge import (
    HoldRow,
    Known,
    Pause,
    Publication,
    QuarantineRow,
    Scan,
    Signed,
    Store,
    Write,
    directly,
    last_complete,
)
from pipelines.planning import Change, Hold, Plan, Published, Rules, World
from pipelines.quality import Checks
from pipelines.records import Happened, LoadEncoder, Progress, Source, Step
from pipelines.refresh.scan import SourceScan


@dataclass(frozen=True, slots=True)
class Ports:
    """Where a run meets what a test wants to replace: the model, and the store's write verbs."""

    load_encoder: LoadEncoder = load_encoder
    write: Write = directly


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked for."""

    sources: tuple[str, ...] = ()
    """Empty: all of the configuration."""
    recheck: bool = False
    """Read every document, whatever its token says."""
    publish: bool = True
    wait_seconds: float = 0.0
    """How long to wait for another refresh."""
    actor: str = "unknown"


@dataclass(frozen=True, slots=True)
class Context:
    """One run."""

    config: Config
    request: Request
    store: Store
    rules: Rules
    checks: Checks
    basis: str
    """The hash of what verdicts rest on."""
    released: Sequence[QuarantineRow]
    """What people let out of quarantine."""
    sources: Mapping[str, Source]
    """Those that this run looks at."""
    paused: Mapping[str, Pause]
    """Those that it leaves out because a person paused them."""
    run: str
    now: datetime
    started: float
    """Of the monotonic clock."""
    step: Step
    on_event: Callable[[Progress | Happened], None]
    ports: Ports

    def clock(self) -> datetime:
        """The time, counted from the ``now`` that the run was given."""
        return self.now + timedelta(seconds=monotonic() - self.started)

    def signed(self) -> Signed:
        """Who does what this run does, at this moment."""
        return Signed(self.run, self.request.actor, self.clock())


@dataclass(frozen=True, slots=True)
class Look:
    """The world as one run saw it, and what it plans."""

    last: Publication | None
    published: Mapping[str, Published]
    known: Mapping[str, Known]
    scans: tuple[SourceScan, ...]
    scanned_before: Mapping[str, Sequence[Scan]]
    """By source, what other runs saw of it before, newest first."""
    plan: Plan
    world: World
    """What the plan was made from."""
    plan_seconds: float
    open_before: Mapping[str, HoldRow] = field(default_factory=dict)
    """By id, the holds that were open when it looked."""
    reviews: Mapping[Hold, tuple[Change, ...]] = field(default_factory=dict)
    """What a person is to review: its changes are not in the plan."""
    built: frozenset[str] = frozenset()
    """Ids of the reviews that have a candidate to look at."""

    @property
    def unbuilt(self) -> dict[Hold, tuple[Change, ...]]:
        """Reviews for which no candidate was built yet."""
        return {h: c for h, c in self.reviews.items() if h.id not in self.built}

    @property
    def duplicates(self) -> dict[str, str]:
        """Of what changed, the documents whose bytes stand under another uri too, and which."""
        changes = (*self.plan.changes, *(c for some in self.reviews.values() for c in some))
        by_hash: dict[str, list[str]] = {c.found.content_hash: [] for c in changes if c.found}
        for scan in self.scans:
            for uri, found in scan.scanned.found.items():
                if found.content_hash in by_hash:
                    by_hash[found.content_hash].append(uri)
        return {
            uri: next(other for other in uris if other != uri)
            for uris in map(sorted, by_hash.values())
            if len(uris) > 1
            for uri in uris
        }

    @property
    def complete(self) -> set[str]:
        """The sources whose listing came to its end."""
        return {s.source.name for s in self.scans if s.listing.complete}

    def waits_since(self, source: str) -> Mapping[str, str]:
        """What waited of a source when this run began: uri -> since when (ISO).

        A document that changes again while it waits has waited all the time: what readers see of it
        is not right since then. A listing that broke off does not know what waits.
        """
        earlier = last_complete(list(self.scanned_before.get(source, ())))
        return {} if earlier is None else {uri: at for uri, (_, at) in earlier.waiting.items()}

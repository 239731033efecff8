"""What a run of refresh works with, and what it saw when it looked."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import monotonic

from pipelines.config import Config
from pipelines.embedding import load_encoder
from pipelines.knowledge import Known, Publication, Scan, Signed, Store, Write, directly
from pipelines.planning import Plan, Published, SourceRules, World
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
    rules: Mapping[str, SourceRules]
    sources: Mapping[str, Source]
    """Those that this run looks at."""
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

    @property
    def complete(self) -> set[str]:
        """The sources whose listing came to its end."""
        return {s.source.name for s in self.scans if s.listing.complete}

"""What a fill is asked for, works with, and says at its end."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from time import monotonic
from typing import Any, Protocol

from pipelines.config import Config
from pipelines.embedding import load_encoder
from pipelines.knowledge import Signed, Store, Write, directly
from pipelines.records import Encoder, Happened, LoadEncoder, Progress, Step

SERVES = "it serves already"
"""Why readers were not switched to the embedder that they have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The embedder that is to serve."""

    model: str
    """As the ledger will name it: a folder relative to the project's, or the name of a base."""
    serves: Mapping[str, str] = field(default_factory=dict)
    """The entry of the ledger's ``models`` that says so: name -> version; empty for a base."""
    reason: str
    """Of the ledger's row."""
    actor: str
    noted: Mapping[str, Any] = field(default_factory=dict)
    """More for the row's audit: who overrode the gate, and why."""
    wait_seconds: float = 600.0
    """How long to wait for a refresh that holds the lock when readers are to be switched."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a serving process is to try: a model, and the state that it is to answer from."""

    config: Path
    model: str
    fingerprint: str
    generation: str
    version: int


@dataclass(frozen=True, slots=True)
class Answered:
    """What came of it."""

    asked: int
    """Golden questions."""
    found: int
    """Of them, those that found their document."""


class Answer(Protocol):
    """Loads a model as a serving process would and lets it answer the golden questions."""

    def __call__(self, asked: Asked) -> Answered:
        """Answers from the state that is to be published.

        Raises:
            FillFailed: The model cannot be loaded, or does not give the vectors of the state.
        """
        ...


@dataclass(slots=True)
class Tally:
    """What a fill did, counted as it goes."""

    embedded: int = 0
    """Passages."""
    reused: int = 0
    tokens_embedded: int = 0
    embed_seconds: float = 0.0
    rounds: int = 0
    unchanged: bool = False
    """Whether the embedder was seen to give the vectors that it gave."""


@dataclass(frozen=True, slots=True)
class FillEstimate:
    """What a fill would take, at the most."""

    documents: int
    passages: int
    tokens: int
    seconds: float | None
    """None where no throughput was measured yet."""
    cost: float

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Filled:
    """How a fill ended."""

    publication: int
    """What readers see."""
    switched: bool
    """Whether they see it by the new embedder."""
    reason: str | None = None
    """Why not."""
    generation: str
    documents: int
    chunks: int
    embedded: int
    reused: int
    tokens_embedded: int
    canaries: Mapping[str, float | int | None] = field(default_factory=dict)
    """How many golden questions count, and the share that found their document, before and now."""
    loaded_by: str = ""
    """Which process loaded the new model before readers were switched."""
    attention: tuple[str, ...] = ()
    seconds: float = 0.0

    @property
    def serves(self) -> bool:
        """Whether the embedder serves now, by this fill or before it."""
        return self.switched or self.reason == SERVES

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        told = asdict(self) | {"attention": list(self.attention)}
        return told | {"seconds": round(self.seconds, 3)}


@dataclass(frozen=True, slots=True)
class Ports:
    """Where a fill meets what a test wants to replace."""

    load_encoder: LoadEncoder = load_encoder
    write: Write = directly
    answer: Answer | None = None
    """None: in a process of its own."""
    patience_seconds: float = 120.0
    """How long to wait for serving processes that are to load the new model."""


@dataclass(frozen=True, slots=True)
class Work:
    """One fill."""

    config: Config
    wanted: Wanted
    store: Store
    encoder: Encoder
    run: str
    now: datetime
    started: float
    """Of the monotonic clock."""
    step: Step
    on_event: Callable[[Progress | Happened], None]
    ports: Ports
    tally: Tally = field(default_factory=Tally)

    def clock(self) -> datetime:
        """The time, counted from the ``now`` that the fill was given."""
        return self.now + timedelta(seconds=monotonic() - self.started)

    def signed(self) -> Signed:
        """Who does what this fill does, at this moment."""
        return Signed(self.run, self.wanted.actor, self.clock())

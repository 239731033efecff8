"""The words that two or more rooms use, as frozen records."""

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

T = TypeVar("T")

PUBLIC = "public"
"""The label that everyone holds."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a listing."""

    path: str
    """Below the source's root, ``/``-separated, spelled as the source spells it."""
    token: str
    """A cheap mark of "maybe changed": equal tokens may mean equal bytes, see ``trusted``."""
    trusted: bool = True
    """False where an equal token proves nothing (modified too close to the moment of listing)."""
    size: int | None = None
    """In bytes, where the listing says it."""


@dataclass(frozen=True, slots=True)
class Listing:
    """What a source says it has, and whether it said everything."""

    source: str
    started_at: datetime
    entries: tuple[Entry, ...]
    complete: bool
    """False: broken off. What is missing from it is not gone."""
    error: str | None = None
    """Why it was broken off."""
    version: str | None = None
    """The version of the whole source (a commit), where it has one."""


@dataclass(frozen=True, slots=True)
class SourceVersion:
    """The version of a source that last touched one document."""

    id: str
    at: datetime


class Source(Protocol):
    """Where documents come from. Opening one reads nothing."""

    @property
    def name(self) -> str:
        """As the configuration spells it."""
        ...

    def list(self, *, now: datetime) -> Listing:
        """List everything; an error is a listing broken off, never an empty one.

        Raises:
            SourceUnavailable: The source cannot be reached at all.
        """
        ...

    def read(self, entry: Entry, *, most: int | None = None) -> bytes:
        """The bytes of one document, as listed.

        Args:
            entry: The document.
            most: Read no more than so many of them.

        Raises:
            SourceUnavailable: It cannot be read now.
        """
        ...

    def versions(self, entries: Sequence[Entry]) -> dict[str, SourceVersion]:
        """For each path the version that last touched it; paths that have none are absent."""
        ...


@dataclass(frozen=True, slots=True)
class FrontMatter:
    """What a document asks for itself. It can only narrow what the configuration grants."""

    title: str | None = None
    domain: str | None = None
    labels: tuple[str, ...] | None = None
    train: bool | None = None
    owner: str | None = None
    effective: str | None = None
    """ISO date."""
    valid_until: str | None = None
    """ISO date."""

    def to_dict(self) -> dict[str, Any]:
        """Only what was said, for JSON."""
        return {k: v for k, v in dataclasses.asdict(self).items() if v is not None}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "FrontMatter":
        """The inverse of ``to_dict``."""
        labels = data.get("labels")
        return cls(**{**data, "labels": None if labels is None else tuple(labels)})


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a document version cannot be published: what was expected and what was there."""

    expectation: str
    """Snake case, e.g. ``text_is_utf8``."""
    observed: str
    """Counts, names and positions; never the document's text."""
    withhold: bool = False
    """Whether even the published version must not be seen until this is mended."""


@dataclass(frozen=True, slots=True)
class Document:
    """The text of a document, taken out of its bytes."""

    title: str
    """From front matter, else the first heading, else empty. Never from the path."""
    text: str
    """Without front matter, newlines as ``\\n``. Character spans of chunks refer to it."""
    markdown: bool
    """Whether headings, lists, tables and fences mean something in it."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """A passage of a document."""

    position: int
    """0-based, in document order."""
    start: int
    """Character offset into the document's text, inclusive."""
    end: int
    """Character offset, exclusive."""
    heading_path: tuple[str, ...]
    """Headings above the passage's body, outermost first."""
    prefix: str
    """What is embedded before the passage: title and the headings that it does not hold itself."""
    text: str
    """``document.text[start:end]``."""
    tokens: int
    """Of the embedded text, special tokens counted."""

    @property
    def embedded(self) -> str:
        """The exact text that is embedded."""
        return f"{self.prefix}\n\n{self.text}" if self.prefix else self.text


Vectors = npt.NDArray[np.float32]


class Tokens(Protocol):
    """Counts tokens as an encoder would. Needs no heavy import."""

    @property
    def max_tokens(self) -> int:
        """The longest text that the encoder takes, special tokens counted."""
        ...

    def count(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, special tokens counted, nothing cut off."""
        ...


class Encoder(Tokens, Protocol):
    """Turns texts into vectors."""

    @property
    def model(self) -> str:
        """As the configuration spells it."""
        ...

    @property
    def fingerprint(self) -> str:
        """What makes two vectors comparable, as hexadecimal."""
        ...

    @property
    def dimension(self) -> int:
        """How many values a vector has."""
        ...

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Passages -> ``(n, d)`` float32 of unit norm, in the order given."""
        ...

    def encode_query(self, text: str) -> Vectors:
        """A question -> ``(d,)`` float32 of unit norm."""
        ...


class LoadEncoder(Protocol):
    """Finds an encoder by the name that the configuration gives it."""

    def __call__(self, model: str, *, root: Path, batch_size: int = 32) -> Encoder:
        """The encoder; its weights are loaded at the first encoding."""
        ...


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a phase has come."""

    phase: str
    done: int
    total: int
    note: str = ""
    """What else is known of it, in a few words: ``loss 0.214, 3 min left``."""


@dataclass(frozen=True, slots=True)
class Happened:
    """Something that others may want to know; the door decides what becomes of it."""

    event: str
    """As in INTERFACE.md 5 without the leading ``staleproof.``."""
    resource: str
    """``knowledge.<name>`` or ``source.<knowledge>.<source>``."""
    payload: dict[str, Any]


class Step(Protocol):
    """Runs one stage of a use case: directly, or as a task of a flow."""

    def __call__(
        self, name: str, function: Callable[..., T], *args: Any, retryable: bool = False
    ) -> T:
        """Call ``function(*args)`` under ``name``; what may heal by itself is ``retryable``."""
        ...


def call(name: str, function: Callable[..., T], *args: Any, retryable: bool = False) -> T:
    """The step that just calls."""
    del name, retryable
    return function(*args)


def ignore(event: Progress | Happened) -> None:
    """The listener that does not listen."""
    del event


def may_see(reader: Iterable[str], labels: Iterable[str]) -> bool:
    """Whether a reader who holds ``reader`` may see what carries ``labels``."""
    return not set(labels).isdisjoint({PUBLIC, *reader})

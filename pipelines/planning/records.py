"""What planning reads and what it says, as frozen records."""

from dataclasses import dataclass, field
from enum import StrEnum

from pipelines.planning.access import Policy
from pipelines.records import Entry, Failure, FrontMatter


@dataclass(frozen=True, slots=True)
class Published:
    """One document of a published state, read from the chunk table."""

    uri: str
    source: str
    content_hash: str
    recipe: str
    policy: Policy
    asked: FrontMatter | None
    """What its front matter asked for, or was last known to ask for."""
    source_version: str
    source_at: float
    """When its source version was made, seconds since the epoch."""
    findings: tuple[str, ...] = ()
    """What its audit found and a policy may forbid to learn from: secrets, personal_data."""


@dataclass(frozen=True, slots=True)
class Found:
    """One document that a listing has, read or known by its token."""

    uri: str
    source: str
    entry: Entry
    content_hash: str
    front_matter: FrontMatter | Failure | None
    """As in the bytes: None where no front matter is recognised."""
    unreadable: Failure | None = None
    """Set where the bytes could not be read; ``content_hash`` is then the token's."""


@dataclass(frozen=True, slots=True)
class Remembered:
    """What is known of the newest version of a document that a source ever showed."""

    content_hash: str
    asked: FrontMatter | None
    withhold: bool = False
    """Its front matter is broken: nobody may see any version until it is mended."""
    moved_to: str | None = None
    """The uri under which its bytes stand since it is gone: whoever may not read there may not
    read an earlier state of it here."""


class Kind(StrEnum):
    """What becomes of a document."""

    ADDED = "added"
    CHANGED = "changed"
    RELABELLED = "relabelled"
    MOVED = "moved"
    DELETED = "deleted"


@dataclass(frozen=True, slots=True)
class Change:
    """One thing to do, with its reason."""

    kind: Kind
    uri: str
    source: str
    reason: str
    policy: Policy | None = None
    """What holds from now on; None for a deletion."""
    asked: FrontMatter | None = None
    found: Found | None = None
    """Where the bytes are; None where none are needed."""
    previous: Published | None = None
    """What is published of it now (of its former uri, where it moved)."""
    accepted: bool = False
    """Whether a person let exactly this through."""
    moved_to: str | None = None
    """Where the bytes of ``previous`` stand now, of a move."""

    @property
    def key(self) -> tuple[str, str]:
        """What a person decides about: the uri and the hash it would get, empty for a deletion."""
        gone = self.kind is Kind.DELETED or self.found is None
        return self.uri, "" if gone or self.found is None else self.found.content_hash


@dataclass(frozen=True, slots=True)
class Rejected:
    """A document version that may not be published, and why."""

    found: Found
    failure: Failure
    known: bool
    """Whether it stood in quarantine before this run."""


@dataclass(frozen=True, slots=True)
class Hold:
    """A named set that waits for a person."""

    id: str
    kind: str
    """deletions, cost, audit or review."""
    source: str
    items: tuple[tuple[str, str], ...]
    """(uri, content hash that it would get; empty for a deletion), sorted."""
    why: str
    suites: str | None = None
    """Of one of kind audit: the hash of the suites under which it failed."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a refresh would do."""

    changes: tuple[Change, ...] = ()
    unchanged: int = 0
    rejected: tuple[Rejected, ...] = ()
    holds: tuple[Hold, ...] = ()
    dropped: tuple[tuple[str, str], ...] = ()
    """Keys that a person refused and that the source still shows the same way."""
    remembered: dict[str, Remembered] = field(default_factory=dict)
    """What is known now of the newest version of every document listed."""

    def of(self, kind: Kind) -> tuple[Change, ...]:
        """The changes of one kind."""
        return tuple(change for change in self.changes if change.kind is kind)

"""The words of training: what a snapshot holds, what a version learned from.

Tables are ``pyarrow`` tables of ``DOCUMENTS`` and ``PASSAGES``; what comes a few hundred at a time
are frozen records, kept as JSON lines. Everything here is text of documents that may be learned
from today, or a name of one; nothing knows an embedder.
"""

import dataclasses
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

if TYPE_CHECKING:
    import pyarrow as pa

R = TypeVar("R", bound="Line")

SnapshotQuestionKind = Literal["accepted", "golden"]
ExampleKind = Literal["title", "heading", "accepted", "own", "voice", "abstention", "beside"]
BESIDE: ExampleKind = "beside"
"""Of a passage in a prompt that the answer does not rest on: it was learned from all the same."""


class Line:
    """A record that is one line of a file of JSON lines."""

    __slots__ = ()

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return dataclasses.asdict(self)  # type: ignore[call-overload, no-any-return]

    @classmethod
    def from_dict(cls: type[R], data: dict[str, Any]) -> R:
        """The inverse of ``to_dict``; lists become tuples."""
        return cls(**{k: tuple(v) if isinstance(v, list) else v for k, v in data.items()})


@dataclass(frozen=True, slots=True)
class Question(Line):
    """A question and the documents that answer it."""

    id: str
    kind: SnapshotQuestionKind
    """``accepted``: a person took an answer for right; ``golden``: one of the golden questions."""
    text: str
    documents: tuple[str, ...]
    """Ids of documents; each of them by itself answers."""
    answer_contains: str = ""
    """Words of the answer: passages that hold them are meant, where there are any."""


@dataclass(frozen=True, slots=True)
class OwnPair(Line):
    """A question of the user's and the passage that answers it."""

    question: str
    passage: str
    document: str = ""
    """Id of the document that the passage comes from, where it is known."""


@dataclass(frozen=True, slots=True)
class GeneralPair(Line):
    """A question on another subject and the passage that answers it."""

    question: str
    passage: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VoiceExample(Line):
    """A question and its answer, as the house writes it."""

    id: str
    question: str
    answer: str
    """``[1]`` in it cites the first of ``documents``, ``[2]`` the second."""
    documents: tuple[str, ...] = ()
    """Ids of the documents that it rests on; none: an answer without evidence."""
    fact: str = ""
    """Words of the answer, and of a passage of its documents, that carry what may change."""
    domain: str = ""


@dataclass(frozen=True, slots=True)
class GeneralText(Line):
    """A plain sentence, or a prompt for an assistant, on another subject."""

    kind: Literal["sentence", "chat"]
    text: str


@dataclass(frozen=True, slots=True)
class House(Line):
    """What the house asks of an answer."""

    format: str = ""
    """A regular expression that the whole answer matches; empty: any form."""
    json_schema: str = ""
    """A JSON schema, as JSON, that the answer obeys; empty: none."""
    abstention: str = ""
    """The words where the passages do not answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestLine(Line):
    """One example that a version learned from, without its text."""

    example: str
    document: str
    """Empty where the user's own pair names none."""
    uri: str
    text_hash: str
    content_hash: str
    source_version: str
    domain: str
    labels: tuple[str, ...]
    publication: int
    kind: ExampleKind
    sketch: tuple[int, ...]
    """Of the passage's words: it finds near duplicates when the text is gone."""


@dataclass(frozen=True, slots=True)
class Weights:
    """A model, by name and by what identifies it."""

    model: str
    """As the configuration spells it; a folder is relative to the project."""
    fingerprint: str
    revision: str = ""
    """Of a model of the hub: the commit that was asked for."""


@dataclass(frozen=True, slots=True)
class Champion:
    """What serves today."""

    version: str | None
    """A version of this model, e.g. ``v0.0.3``; None where the base serves."""
    fingerprint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Where a snapshot comes from."""

    model: str
    kind: str
    """Of the model, as the configuration says it."""
    knowledge: str
    publication: int
    run: str
    created_at: datetime
    base: Weights
    champion: Champion
    left_out: dict[str, int] = field(default_factory=dict)
    """How many documents may not be learned from, by reason."""


@cache
def documents_schema() -> "pa.Schema":
    """Columns of ``documents.parquet``; a row is a document that may be learned from."""
    import pyarrow as pa

    text = pa.string()
    return pa.schema(
        [
            pa.field("document", text, nullable=False),  # an id that is kept when it moves
            pa.field("uri", text, nullable=False),
            pa.field("source", text, nullable=False),
            pa.field("domain", text, nullable=False),
            pa.field("labels", pa.list_(text), nullable=False),
            pa.field("content_hash", text, nullable=False),
            pa.field("source_version", text, nullable=False),
            pa.field("source_at", pa.timestamp("us", tz="UTC"), nullable=False),
        ]
    )


@cache
def passages_schema() -> "pa.Schema":
    """Columns of ``passages/*.parquet``; a row is a passage of one of the documents."""
    import pyarrow as pa

    text, whole = pa.string(), pa.int32()
    return pa.schema(
        [
            pa.field("document", text, nullable=False),
            pa.field("uri", text, nullable=False),
            pa.field("position", whole, nullable=False),
            pa.field("heading_path", pa.list_(text), nullable=False),
            pa.field("title", text, nullable=False),
            pa.field("prefix", text, nullable=False),
            pa.field("text", text, nullable=False),
            pa.field("text_hash", text, nullable=False),  # of prefix and text, as in the store
            pa.field("content_hash", text, nullable=False),
            pa.field("domain", text, nullable=False),
            pa.field("labels", pa.list_(text), nullable=False),
            pa.field("tokens", whole, nullable=False),
            pa.field("start", whole, nullable=False),
            pa.field("end", whole, nullable=False),
        ]
    )


def digest(*parts: str) -> str:
    """A name of several texts together, 32 hexadecimal digits."""
    text = json.dumps(parts, ensure_ascii=True)
    return blake2b(text.encode(), digest_size=16).hexdigest()


def write_lines(path: Path, lines: Iterable[Line]) -> None:
    """Write JSON lines in the order given: the same records, the same bytes."""
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for line in lines:
            file.write(json.dumps(line.to_dict(), sort_keys=True, ensure_ascii=False) + "\n")


def read_lines(path: Path, kind: type[R]) -> Iterator[R]:
    """The records of a file of JSON lines, one at a time; none of a file that is not there."""
    if not path.is_file():
        return
    # By "\n" alone: JSON may hold characters that others take for the end of a line.
    with path.open(encoding="utf-8", newline="\n") as file:
        for line in file:
            yield kind.from_dict(json.loads(line))

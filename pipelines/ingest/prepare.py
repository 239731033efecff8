"""One document: read, then cut, and its texts named."""

from dataclasses import dataclass
from hashlib import blake2b, sha256
from pathlib import PurePosixPath

from pipelines.documents import RECIPE, cut, read_document
from pipelines.errors import SourceUnavailable
from pipelines.planning import Change, Kind
from pipelines.records import Chunk, Document, Failure, FrontMatter, Source, Tokens


def content_hash_of(data: bytes) -> str:
    """SHA-256 of a document's bytes, hexadecimal."""
    return sha256(data).hexdigest()


def text_hash_of(embedded: str) -> str:
    """The name of an exact text that is embedded, hexadecimal."""
    return blake2b(embedded.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


@dataclass(frozen=True, slots=True)
class Read:
    """One document, read."""

    change: Change
    document: Document


@dataclass(frozen=True, slots=True)
class Prepared:
    """One document, read, checked and cut."""

    change: Change
    document: Document
    chunks: tuple[Chunk, ...]
    hashes: tuple[str, ...]
    """Of the embedded texts."""
    findings: tuple[str, ...] = ()
    """What its audit found and a policy may forbid to learn from."""


def needs_bytes(change: Change) -> bool:
    """Whether a change is made from the document's bytes, not from its published rows."""
    if change.found is None:
        return False
    if change.kind is Kind.MOVED:
        old = change.previous
        return old is None or old.recipe != RECIPE or _format(old.uri) != _format(change.uri)
    return change.kind in (Kind.ADDED, Kind.CHANGED)


def _format(uri: str) -> str:
    """What decides how bytes are read: the same ones are other text under another suffix."""
    return PurePosixPath(uri).suffix.lower()


def read(change: Change, source: Source) -> Read | Failure | str:
    """Reads one document.

    Returns:
        Its text; or why this version cannot be published; or why it has to wait.
    """
    found = change.found
    if found is None:
        raise ValueError(f"{change.uri} has no bytes to read")
    try:
        data = source.read(found.entry)
    except SourceUnavailable as error:
        return error.message
    if content_hash_of(data) != found.content_hash:
        return "it changed while it was read"
    asked = found.front_matter if isinstance(found.front_matter, FrontMatter) else None
    document = read_document(data, path=found.entry.path, front_matter=asked)
    return document if isinstance(document, Failure) else Read(change, document)


def prepare(one: Read, tokens: Tokens, findings: tuple[str, ...] = ()) -> Prepared:
    """Cuts one document into passages."""
    chunks = cut(one.document, tokens)
    hashes = tuple(text_hash_of(c.embedded) for c in chunks)
    return Prepared(one.change, one.document, chunks, hashes, findings)

"""Looks at one source: what it has, read only where nothing cheaper tells."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from pipelines.config import Limits
from pipelines.documents import read_front_matter
from pipelines.errors import SourceError
from pipelines.ingest import content_hash_of
from pipelines.knowledge import Known
from pipelines.planning import Found, Remembered, Scanned
from pipelines.records import Entry, Failure, FrontMatter, Listing, Source

FRONT_MATTER_BYTES = 1 << 17
"""Of a document that is too large: more than any front matter may have."""

UNUSABLE = ""
"""Stored instead of a token that proves nothing: the next listing reads the document again."""


@dataclass(frozen=True, slots=True)
class SourceScan:
    """What one look at a source found."""

    source: Source
    listing: Listing
    scanned: Scanned
    fresh: Mapping[str, Known]
    """What was learned by reading, by uri."""
    read: int
    """Documents whose bytes were read."""
    seconds: float
    listing_seconds: float
    """Of which the source took for its listing."""


def scan_source(
    source: Source,
    *,
    known: Mapping[str, Known],
    recheck: bool,
    limits: Limits,
    now: datetime,
) -> SourceScan:
    """Lists a source and hashes what its tokens do not vouch for.

    Args:
        source: The source.
        known: What is known of its documents, by uri.
        recheck: Read everything, whatever the tokens say.
        limits: Bounds on what is read.
        now: The start of the listing.

    Returns:
        The scan; an error makes it broken off, never empty.
    """
    started = time.perf_counter()
    try:
        listing = source.list(now=now)
    except SourceError as error:
        listing = Listing(source.name, now, (), complete=False, error=error.message)
    listing_seconds = time.perf_counter() - started
    found: dict[str, Found] = {}
    fresh: dict[str, Known] = {}
    for entry in listing.entries:
        uri = f"{source.name}/{entry.path}"
        before = known.get(uri)
        fits = entry.size is None or entry.size <= limits.max_document_bytes
        same = before is not None and before.token == entry.token and entry.trusted
        if before is not None and same and fits and not recheck:
            found[uri] = before.found(entry)
            continue
        found[uri] = _read(source, uri, entry, limits)
        if found[uri].unreadable is None or found[uri].front_matter is not None:
            fresh[uri] = _learned(found[uri], entry, before, now)
    scanned = Scanned(source.name, listing.complete, found)
    seconds = time.perf_counter() - started
    return SourceScan(source, listing, scanned, fresh, len(fresh), seconds, listing_seconds)


def _read(source: Source, uri: str, entry: Entry, limits: Limits) -> Found:
    most = limits.max_document_bytes
    large = entry.size is not None and entry.size > most
    try:
        # What a document asks stands at its start and counts, however large it is.
        data = source.read(entry, most=FRONT_MATTER_BYTES) if large else source.read(entry)
    except SourceError as error:
        failure = Failure("document_can_be_read", error.message)
        return Found(uri, source.name, entry, f"unread:{entry.token}", None, unreadable=failure)
    size = max(len(data), entry.size or 0)
    if size > most:
        failure = Failure("size_is_within_limit", f"{size:,} bytes, max_document_bytes is {most:,}")
        asked = read_front_matter(data[:FRONT_MATTER_BYTES])
        return Found(uri, source.name, entry, f"unread:{entry.token}", asked, unreadable=failure)
    return Found(uri, source.name, entry, content_hash_of(data), read_front_matter(data))


def _learned(found: Found, entry: Entry, before: Known | None, now: datetime) -> Known:
    """Without front matter a document asks what it asked before; that is settled by the plan."""
    said = found.front_matter
    asked = said if isinstance(said, FrontMatter) else before.remembered.asked if before else None
    withhold = isinstance(said, Failure) and said.withhold
    token = entry.token if entry.trusted and found.unreadable is None else UNUSABLE
    remembered = Remembered(found.content_hash, asked, withhold)
    return Known(found.uri, found.source, token, found.content_hash, said, remembered, now)

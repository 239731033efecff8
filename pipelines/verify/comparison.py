"""One source as it is now beside what is published of it, and why the two may differ."""

from collections.abc import Mapping
from dataclasses import dataclass

from pipelines.knowledge import Store
from pipelines.records import Entry, Listing, Source
from pipelines.verify.facts import Key, LastScan
from pipelines.verify.rows import DocumentRow
from pipelines.verify.today import Today


@dataclass(frozen=True, slots=True)
class Comparison:
    """What is compared."""

    store: Store
    today: Today
    source: Source
    listing: Listing
    documents: Mapping[str, DocumentRow]
    """Published, of this source."""
    remembered: frozenset[str]
    """Those of them that a scan has read."""
    scan: LastScan | None
    """Its last complete listing by a refresh."""
    max_bytes: int

    @property
    def reconfigured(self) -> bool:
        """Whether the configuration was written after that listing."""
        return self.today.is_newer_than_listing(self.source.name)

    @property
    def unchanged(self) -> bool:
        """Whether the source is at the version of that listing: nothing can be newer."""
        version = self.listing.version
        same = self.scan is not None and version is not None and version == self.scan.version
        return same and not self.reconfigured


def reason(one: Comparison, key: Key) -> str | None:
    """Why a version that its source shows is known not to be published."""
    return one.today.reason(one.source.name, key)


def reason_gone(one: Comparison, uri: str) -> str | None:
    """Why a document whose source lacks it is still published: it waits, or its move does."""
    return reason(one, (uri, "")) or one.today.facts.moving.get(one.documents[uri].content_hash)


def newer(one: Comparison, uri: str, entry: Entry, content_hash: str) -> str | None:
    """Whether no refresh can have seen the version that a source shows now."""
    known = one.today.facts.known.get(uri)
    if one.scan is None:
        return "newer"
    if one.unchanged:
        return None
    if known is None:
        return "newer"
    if known.content_hash == content_hash:
        # Read after that listing: by a plan, or by a refresh whose listing broke off.
        return None if known.hashed_at <= one.scan.started_at else "newer"
    # The token of the version that was read last: the next refresh would not read this one.
    overlooked = entry.trusted and entry.token == known.token
    return None if overlooked else "newer"


def never_listed(one: Comparison, uri: str) -> bool:
    """Whether no scan ever read a document, though others of its source are remembered."""
    return bool(one.remembered) and uri not in one.remembered


def beyond_listing(one: Comparison) -> int:
    """How many documents are published that were listed once, and not by the last complete listing.

    What waited to be deleted or moved is not counted; neither is anything where a later listing
    broke off, for what that one added the complete one did not have.
    """
    if one.scan is None or one.scan.newest_at != one.scan.started_at:
        return 0
    settled = sum(reason_gone(one, uri) is None for uri in one.remembered)
    return max(0, settled - one.scan.listed)

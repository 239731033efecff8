"""A published state against the sources: what differs, and whether there is a reason for it."""

import hashlib
from collections.abc import Mapping
from datetime import datetime

from pipelines.errors import SourceError
from pipelines.knowledge import Store
from pipelines.records import Entry, Listing, Source
from pipelines.verify.comparison import (
    Comparison,
    beyond_listing,
    never_listed,
    newer,
    reason,
    reason_gone,
)
from pipelines.verify.contents import Passage, read_passages, verify_document
from pipelines.verify.report import Findings
from pipelines.verify.rows import DocumentRow
from pipelines.verify.today import Today

BATCH_DOCUMENTS = 50
"""Documents whose passages are in memory at a time."""


def verify_source(
    source: Source,
    store: Store,
    documents: Mapping[str, DocumentRow],
    today: Today,
    findings: Findings,
    *,
    now: datetime,
    max_bytes: int,
) -> None:
    """Lists one source, reads every document of it, and tells what differs from the published.

    Args:
        source: The source.
        store: The store.
        documents: Of the published state, of all sources.
        today: What else is known.
        findings: Gets problems and explained differences.
        now: The time of the listing.
        max_bytes: Larger documents are not read.
    """
    here = {uri: row for uri, row in documents.items() if row.source == source.name}
    listing = _list(source, now)
    if not listing.complete:
        findings.explain("not_compared", len(here))
        findings.unreachable[source.name] = listing.error or "its listing broke off"
        return
    remembered = frozenset(uri for uri in here if uri in today.facts.known)
    scan = today.facts.scans.get(source.name)
    one = Comparison(store, today, source, listing, here, remembered, scan, max_bytes)
    suspects = Findings()
    _compare_listed(one, suspects)
    _compare_gone(one, suspects)
    _settle(one, suspects, findings, now)


def _list(source: Source, now: datetime) -> Listing:
    try:
        return source.list(now=now)
    except SourceError as error:
        return Listing(source.name, now, (), complete=False, error=error.message)


def _uris(listing: Listing) -> dict[str, Entry]:
    return {f"{listing.source}/{entry.path}": entry for entry in listing.entries}


def _settle(one: Comparison, suspects: Findings, findings: Findings, now: datetime) -> None:
    """What changed while it was read is newer, not wrong: the source is asked once more."""
    findings.explained.update(suspects.explained)
    problems = suspects.problems()
    again = _list(one.source, now) if problems else one.listing
    before = {uri: entry.token for uri, entry in _uris(one.listing).items()}
    after = {uri: entry.token for uri, entry in _uris(again).items()}
    for problem in problems:
        if again.complete and before.get(problem.uri) != after.get(problem.uri):
            findings.explain("newer")
        else:
            findings.add(problem.kind, problem.uri, problem.detail)


def _compare_listed(one: Comparison, findings: Findings) -> None:
    listed = list(_uris(one.listing).items())
    for start in range(0, len(listed), BATCH_DOCUMENTS):
        batch = listed[start : start + BATCH_DOCUMENTS]
        passages = read_passages(one, [uri for uri, _ in batch if uri in one.documents])
        for uri, entry in batch:
            _compare_entry(one, uri, entry, passages.get(uri, []), findings)


def _compare_entry(
    one: Comparison, uri: str, entry: Entry, passages: list[Passage], findings: Findings
) -> None:
    row = one.documents.get(uri)
    if row is not None and uri in one.today.publication.withheld:
        findings.explain("withheld")
    data = _read(one, entry)
    if data is None:
        failed = uri in one.today.facts.quarantined_uris
        findings.explain("quarantined" if failed else "not_compared")
        return
    content_hash = hashlib.sha256(data).hexdigest()
    if row is not None and row.content_hash == content_hash:
        verify_document(one, uri, entry, data, passages, findings)
        return
    why = reason(one, (uri, content_hash)) or newer(one, uri, entry, content_hash)
    if why:
        findings.explain(why)
    elif row is None:
        findings.add("missing", uri, "its source has it, and nothing says why it is not published")
    else:
        detail = "its source has other bytes, and nothing says why they are not published"
        findings.add("stale", uri, detail)


def _read(one: Comparison, entry: Entry) -> bytes | None:
    if entry.size is not None and entry.size > one.max_bytes:
        return None
    try:
        return one.source.read(entry)
    except SourceError:
        return None


def _compare_gone(one: Comparison, findings: Findings) -> None:
    """What is published and not listed any more."""
    unexplained = []
    for uri in sorted(set(one.documents) - set(_uris(one.listing))):
        why = reason_gone(one, uri)
        if why:
            findings.explain(why)
        elif one.unchanged or never_listed(one, uri):
            findings.add("extra", uri, "it is published and its source does not have it")
        else:
            unexplained.append(uri)
    too_many = min(len(unexplained), beyond_listing(one)) if unexplained else 0
    if too_many == len(unexplained):
        for uri in unexplained:
            findings.add("extra", uri, "the last complete listing of its source did not have it")
        return
    if too_many:
        detail = f"its last complete listing did not have {too_many} of what is published"
        findings.add("extra", one.source.name, detail)
    findings.explain("newer", len(unexplained) - too_many)

"""Documents in quarantine: why, and letting them out."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from pipelines.config import Config, nearest
from pipelines.errors import ConfigError, UnknownName
from pipelines.knowledge import (
    QuarantineRow,
    Signed,
    all_taken_down,
    find_store,
    known_documents,
    newest,
    open_takedowns,
    published_documents,
    quarantine,
    release,
    try_again,
)
from pipelines.planning import labels_today, rules_on
from pipelines.quality import load_suites, verdict_basis
from pipelines.records import may_see


def quarantined(config: Config) -> list[QuarantineRow]:
    """Document versions that fail now, oldest first."""
    return quarantine(find_store(config.store_uri), verdict_basis(config))


@dataclass(frozen=True, slots=True)
class Shown:
    """One document in quarantine, with an excerpt where the reader may see one."""

    row: QuarantineRow
    excerpt: str | None


def show_quarantined(config: Config, uri: str, *, labels: Iterable[str], on: date) -> Shown:
    """Why a document is in quarantine; an excerpt only for those who may read the document.

    Raises:
        UnknownName: It is not in quarantine.
    """
    row = _find(config, uri)
    readable = not row.failure.withhold and bool(row.excerpt) and _may_read(config, row, labels, on)
    return Shown(row, row.excerpt if readable else None)


def _find(config: Config, uri: str) -> QuarantineRow:
    found = {q.uri: q for q in quarantined(config)}
    if uri not in found:
        near = nearest(uri, found)
        raise UnknownName(
            f"{uri} is not in quarantine.",
            hint=f"Did you mean {near}?" if near else "See staleproof quarantine list.",
        )
    return found[uri]


def _may_read(config: Config, row: QuarantineRow, labels: Iterable[str], on: date) -> bool:
    """Whether a reader may see the document today; never what is withheld or taken down."""
    store = find_store(config.store_uri)
    last = newest(store) if store else None
    if (last and row.uri in last.withheld) or all_taken_down(open_takedowns(store).values()).covers(
        row.uri, row.content_hash
    ):
        return False
    known = known_documents(store)
    here = published_documents(store, last.state) if store and last else {}
    today = labels_today(
        row.uri,
        sources=rules_on(config, on),
        newest=here.get,
        remembered=lambda uri: known[uri].remembered if uri in known else None,
    )
    return may_see(labels, today)


def retry_quarantined(config: Config, uris: Iterable[str]) -> list[str]:
    """Lets the next refresh try documents again; of none named: all.

    Raises:
        UnknownName: One of them is not in quarantine.
    """
    store = find_store(config.store_uri)
    standing = [q.uri for q in quarantined(config)]
    wanted = list(uris) or standing
    unknown = [uri for uri in wanted if uri not in standing]
    if unknown:
        raise UnknownName(
            f"{unknown[0]} is not in quarantine.", hint="See staleproof quarantine list."
        )
    if store is not None:
        try_again(store, wanted)
    return wanted


def release_quarantined(config: Config, uri: str, *, reason: str, signed: Signed) -> QuarantineRow:
    """Lets exactly this version of a document through what its text was checked for.

    The next refresh publishes it, and the ledger says who let it out and why. What cannot be read,
    or asks for more than it was granted, cannot be let out: there is nothing to publish.

    Raises:
        UnknownName: It is not in quarantine.
        ConfigError: No reason was given, or nothing could be published.
    """
    if not reason.strip():
        raise ConfigError("A release needs a reason.", hint='Add --reason "...".')
    row = _find(config, uri)
    if row.failure.expectation not in releasable_expectations(config):
        raise ConfigError(
            f"{uri} cannot be released: {row.failure.expectation} ({row.failure.observed})"
            " leaves nothing that could be published.",
            hint=f"Mend it at its source, or try it again: staleproof quarantine retry {uri}.",
        )
    store = find_store(config.store_uri)
    if store is not None:
        release(store, row.uri, row.content_hash, actor=signed.actor, reason=reason, now=signed.at)
    return row


def releasable_expectations(config: Config) -> frozenset[str]:
    """What a person may see otherwise: the expectations of documents, not those of passages."""
    return frozenset(e.name for e in load_suites(config.expectations).documents.expectations)

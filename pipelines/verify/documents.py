"""The documents of a state against configuration and decisions: known sources, who may see them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from pipelines.config import Config
from pipelines.knowledge import Publication
from pipelines.verify.access import Rights, asked_in, shown_beyond
from pipelines.verify.facts import Facts
from pipelines.verify.report import Findings
from pipelines.verify.rows import DocumentRow


@dataclass(frozen=True, slots=True)
class Today:
    """What a state is compared with."""

    publication: Publication
    facts: Facts
    rights: Mapping[str, Rights]
    """By source of the configuration."""
    configured_at: datetime
    """When the configuration file was last written."""
    restored_at: datetime | None
    """When a rollback made the state what readers see; None where a refresh did."""


def verify_documents(
    documents: Mapping[str, DocumentRow], today: Today, findings: Findings
) -> None:
    """Checks what is the same in all rows of a document."""
    withheld = frozenset(today.publication.withheld)
    for uri, row in documents.items():
        if not row.labels or not all(row.labels):
            findings.add("labels", uri, "no labels, or an empty one")
        if row.source != uri.partition("/")[0]:
            findings.add("source", uri, f"its rows say {row.source}")
        elif row.source not in today.rights:
            _unknown_source(uri, row, today, findings)
        why = _must_be_withheld(uri, row, today, findings)
        if why and uri not in withheld:
            findings.add("not_withheld", uri, f"{why}; a refresh withholds it")


def configured_since(config: Config) -> datetime:
    """When the configuration file was last written."""
    return datetime.fromtimestamp(config.path.stat().st_mtime, UTC)


def _unknown_source(uri: str, row: DocumentRow, today: Today, findings: Findings) -> None:
    """A source that left the configuration: a person decides, or the next refresh asks one."""
    facts, publication = today.facts, today.publication
    if (uri, "") in facts.held:
        findings.explain("held")
    elif (uri, "") in facts.dropped:
        findings.explain("dropped")
    elif uri in publication.withheld:
        findings.explain("withheld")
    elif (uri, "") in facts.accepted or today.restored_at is not None:
        findings.explain("pending")
    elif today.configured_at > publication.at:
        findings.explain("newer")
    else:
        findings.add("source", uri, f"the configuration has no source {row.source}")


def _must_be_withheld(uri: str, row: DocumentRow, today: Today, findings: Findings) -> str | None:
    facts = today.facts
    if uri in facts.taken_uris or row.content_hash in facts.taken_hashes:
        return "it is taken down"
    rights = today.rights.get(row.source)
    if rights is None:
        return None
    known = facts.known.get(uri)
    if known is not None and not facts.seen_by_refresh(known):
        known = None  # only a plan looked; withdrawing is for the next refresh
    if known is not None and known.withhold:
        return "nobody knows what its newest version asks for"
    asks = []
    for name, text in (
        ("its rows", row.front_matter),
        ("documents", known.asked if known else None),
    ):
        try:
            asks.append(asked_in(text))
        except ValueError:
            findings.add("front_matter", uri, f"what {name} say of it cannot be read")
    granted = rights.of(uri.partition("/")[2]).labels
    beyond = shown_beyond(row.labels, granted, asks)
    return "its labels let somebody read who may not today" if beyond else None

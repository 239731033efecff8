"""The documents of a state against configuration and decisions: who may see and learn from them."""

from collections.abc import Mapping

from pipelines.documents import RECIPE
from pipelines.verify.access import asked_in, domain_of
from pipelines.verify.domains import FINDINGS, forbidding
from pipelines.verify.facts import Failed
from pipelines.verify.report import Findings
from pipelines.verify.rows import DocumentRow
from pipelines.verify.today import Today
from pipelines.verify.withheld import asks_of, must_be_withheld

OF_CONFIGURATION = ("labels_are_granted", "domain_is_granted")
"""Failures of a version that was fit before the configuration was written anew."""


def verify_documents(
    documents: Mapping[str, DocumentRow], today: Today, findings: Findings
) -> None:
    """Checks what is the same in all rows of a document."""
    withheld = frozenset(today.publication.withheld)
    for uri, row in documents.items():
        _verify_columns(uri, row, today, findings)
        if uri in withheld:
            continue
        why = must_be_withheld(uri, documents, today)
        if why:
            findings.add("not_withheld", uri, f"{why}; a refresh withholds it")
        reasons = {check(uri, row, today, findings) for check in (_training, _fitness)}
        for reason in reasons - {None}:
            findings.explain(str(reason))


def _verify_columns(uri: str, row: DocumentRow, today: Today, findings: Findings) -> None:
    if not row.labels or not all(row.labels):
        findings.add("labels", uri, "no labels, or an empty one")
    if not set(row.findings) <= set(FINDINGS):
        findings.add(
            "findings", uri, "its rows say that something was found that nothing looks for"
        )
    if row.source != uri.partition("/")[0]:
        findings.add("source", uri, f"its rows say {row.source}")
    elif row.source not in today.rights:
        _unknown_source(uri, row, today, findings)
    known = today.facts.seen(uri)
    said = {"its rows": row.front_matter, "documents": known.asked if known else None}
    for name, text in said.items():
        try:
            asked_in(text)
        except ValueError:
            findings.add("front_matter", uri, f"what {name} say of it cannot be read")


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


def _training(uri: str, row: DocumentRow, today: Today, findings: Findings) -> str | None:
    """Nobody may learn from what may not be learned from today; or why rows say otherwise yet."""
    why = _untrainable(uri, row, today) if row.train else None
    if why is None:
        return None
    reason = _not_relabelled(uri, row, today)
    if reason is None:
        findings.add("train", uri, f"its rows let models learn from it, and {why}")
    return reason


def _not_relabelled(uri: str, row: DocumentRow, today: Today) -> str | None:
    """Why policy of today may not have reached the rows."""
    known = today.facts.seen(uri)
    for content_hash in (row.content_hash, "", known.content_hash if known else ""):
        reason = today.reason(row.source, (uri, content_hash))
        # Policy reaches what is published, fit or not: only a newer version may be why it waits.
        if reason and (reason != "quarantined" or content_hash != row.content_hash):
            return reason
    return "newer" if today.is_newer_than_listing(row.source) else None


def _untrainable(uri: str, row: DocumentRow, today: Today) -> str | None:
    rights = today.rights.get(row.source)
    if rights is None:
        return None
    path = uri.partition("/")[2]
    if not rights.of(path).train:
        return "its source does not let them"
    asks = asks_of(uri, row, today.facts)
    if any(asked is not None and asked.train is False for asked in asks):
        return "it asks them not to"
    found = forbidding(today.domains, domain_of(rights, path, asks[0]), row.findings)
    return f"its domain forbids it for {', '.join(found)}" if found else None


def _fitness(uri: str, row: DocumentRow, today: Today, findings: Findings) -> str | None:
    """A version in quarantine is published only if it was before it failed."""
    failed = today.facts.quarantined.get((uri, row.content_hash))
    if failed is None:
        return None
    if _was_fit(row, failed, today):
        return "quarantined"
    said = f"this very version is in quarantine ({failed.expectation})"
    findings.add("quarantined", uri, f"{said}, and nobody let it out")
    return None


def _was_fit(row: DocumentRow, failed: Failed, today: Today) -> bool:
    if failed.expectation in OF_CONFIGURATION or row.recipe != RECIPE:
        return True
    if today.rolled_back_at is not None and today.rolled_back_at >= failed.since:
        return True
    # Tried again, it may have passed: then a refresh that comes to its end forgets the failure.
    scan, served_at = today.facts.scans.get(row.source), today.served.at
    looked_again = scan is not None and scan.ended and scan.started_at > served_at
    return failed.since < served_at and not looked_again

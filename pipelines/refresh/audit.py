"""Audits what a run built, and says which sources have to wait for a person."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from pipelines.ingest import Tally, needs_bytes
from pipelines.knowledge import (
    ACCEPTED,
    AuditRow,
    Publication,
    State,
    holds,
    quarantine,
    record_audit,
)
from pipelines.planning import Change, Hold, Kind, hold, items_of, may_wait
from pipelines.quality import Audit, Subject, Verdict, audit_candidate, described
from pipelines.records import Encoder
from pipelines.refresh.context import Context, Look


def audit_built(
    context: Context,
    seen: Look,
    built: State,
    fingerprint: str,
    encoder: Callable[[], Encoder],
) -> Audit:
    """Audits exactly the version that the ledger is to name, against the published one.

    Raises:
        AuditFailed: It is not whole, or could not be checked.
    """
    rejected = _rejected(context, seen)
    read = Counter(change.source for change in seen.plan.changes if needs_bytes(change))
    subject = Subject(
        store=context.store,
        published=seen.last,
        candidate=built,
        fingerprint=fingerprint,
        changes=seen.plan.changes,
        accepted=frozenset(uri for uri, _ in seen.world.expected),
        rejected=rejected,
        looked=read + rejected,
        moved_earlier={
            uri: known.remembered.moved_to
            for uri, known in seen.known.items()
            if known.remembered.moved_to is not None
        },
        withheld=frozenset(seen.last.withheld) if seen.last else frozenset(),
    )
    return audit_candidate(subject, context.checks, encoder=encoder, now=context.clock())


def _rejected(context: Context, seen: Look) -> Counter[str]:
    """By source, document versions that failed in this run, or since the source is held.

    Where most of a source fails and it waits for a person, another edit of it changes neither.
    """
    held_since = {h.source: h.since for h in seen.open_before.values() if h.kind == "audit"}
    failed = quarantine(context.store, context.basis) if held_since else []
    still = {
        (q.uri, q.content_hash)
        for q in failed
        if q.source in held_since and q.since >= held_since[q.source]
    }
    return Counter(
        r.found.source
        for r in seen.plan.rejected
        if not r.known or (r.found.uri, r.found.content_hash) in still
    )


def failing_holds(context: Context, seen: Look, audit: Audit) -> dict[Hold, tuple[Change, ...]]:
    """What must wait because its source fails a critical expectation.

    Where a failing source has no change of its own, what changed in the others did it, unless it
    is as it is published. What a person accepted goes through, and so does policy: where nothing
    else is left, nothing is held.
    """
    waiting: dict[str, list[Change]] = defaultdict(list)
    decided: set[str] = set()
    for change in seen.plan.changes:
        if may_wait(change, seen.world.expected):
            waiting[change.source].append(change)
        elif change.kind is not Kind.RELABELLED:
            decided.add(change.source)
    failing = audit.failing
    blamed = {source: v for source, v in failing.items() if source in waiting}
    harmed = [
        verdict
        for source, verdict in failing.items()
        if source not in decided and not _is_as_published(audit.measures.get(source, {}))
    ]
    if harmed and not blamed:
        blamed = dict.fromkeys(waiting, harmed[0])
    return {
        hold(
            "audit",
            source,
            items_of(waiting[source]),
            _why(verdict, source, audit),
            suites=context.basis,
        ): tuple(waiting[source])
        for source, verdict in sorted(blamed.items())
    }


def _is_as_published(measured: Mapping[str, Any]) -> bool:
    """Whether a source without changes has what it had: what it fails, it failed before this run."""
    same = ("documents", "chunks", "canary_recall")
    none = ("documents_without_chunks", "documents_unplanned", "unexplained_shift")
    return bool(measured.get("documents")) and not (
        any(measured[name] != measured[f"{name}_before"] for name in same)
        or any(measured[name] for name in none)
    )


def _why(verdict: Verdict, source: str, audit: Audit) -> str:
    observed = verdict.failed.get(source) or verdict.observed
    where = "" if source in audit.failing else f" in {', '.join(sorted(audit.failing))}"
    return f"fails {verdict.expectation}{where}: {observed}, expected {verdict.expected}"


Refused = dict[str, Any]
"""A source that was held: ``hold``, ``source``, ``items``, the failed ``verdicts``, ``measures``."""


def refused_by(audit: Audit, held: Iterable[Hold]) -> list[Refused]:
    """What an audit says against the sources that it holds."""
    report = audit.report()
    critical = [v for v in report["verdicts"] if not v["passed"] and v["severity"] == "critical"]
    return [
        {
            "hold": one.id,
            "source": one.source,
            "items": len(one.items),
            "why": one.why,
            "verdicts": critical,
            "measures": report["measures"].get(one.source, {}),
        }
        for one in held
    ]


def remember_audit(
    context: Context,
    seen: Look,
    tally: Tally,
    audit: Audit,
    refused: Sequence[Refused],
    publication: Publication | None,
) -> None:
    """Writes down what was found out, what was held for it, and who let what through."""
    report = audit.report()
    report["verdicts"] = [*map(described, tally.verdicts), *report["verdicts"]]
    record_audit(
        context.store,
        AuditRow(
            context.run,
            publication.number if publication else None,
            context.clock(),
            {
                "passed": not audit.failing,
                **report,
                "held": list(refused),
                **let_through(context, seen),
            },
        ),
    )


def let_through(context: Context, seen: Look) -> dict[str, list[dict[str, str]]]:
    """Who accepted or released what this run wrote, and why: for the ledger."""
    written = items_of(seen.plan.changes)
    accepted = [
        {"hold": h.id, "kind": h.kind, "actor": h.actor or "", "reason": h.reason or ""}
        for h in holds(context.store, ACCEPTED)
        if not written.isdisjoint(h.remaining)
    ]
    let_out = [
        {"uri": q.uri, "expectation": q.failure.expectation}
        | {"actor": q.released.actor, "reason": q.released.reason}
        for q in context.released
        if q.released is not None and (q.uri, q.content_hash) in written
    ]
    return {"accepted": accepted, "released": let_out}

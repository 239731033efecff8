"""The end of a refresh: writes down what was seen and what waits, tells, and makes the receipt."""

import time
from collections.abc import Iterable, Mapping

from pipelines.ingest import Tally
from pipelines.knowledge import (
    ACCEPTED,
    DROPPED,
    Publication,
    Scan,
    close_hold,
    counts,
    forget_mended,
    found_right,
    holds,
    newest,
    pauses,
    put_in_quarantine,
    record_holds,
    record_scans,
    strike_off,
    tag,
    unusual,
    withdraw,
)
from pipelines.planning import Change, Hold, Rejected, hold, items_of
from pipelines.records import Happened
from pipelines.refresh.context import Context, Look
from pipelines.refresh.publish import Candidate
from pipelines.refresh.report import Report, SourceReport, attention_of, count_documents

NOT_ASKED = "not asked to publish"
PINNED = "pinned"
NOTHING_PASSED = "nothing that changed passed its checks"
NOTHING_CHANGED = "nothing changed"
WAITS = "what changed waits for a person"
UNREACHABLE = "a source could not be listed, and nothing else changed"
ALL_PAUSED = "every source is paused"

SETTLED = (None, NOTHING_PASSED)
"""Reasons after which decisions count as carried out."""


def end(
    context: Context,
    seen: Look,
    candidate: Candidate | None = None,
    tally: Tally | None = None,
    reason: str | None = None,
    seconds: Mapping[str, float] | None = None,
    publication: Publication | None = None,
) -> Report:
    """Everything that is written when a run is done, whether it published or not.

    Args:
        context: The run.
        seen: What it saw.
        candidate: What it built, if it did.
        tally: What it did.
        reason: Why it did not publish; None where it did or had nothing to do.
        seconds: By stage, what the caller measured.
        publication: The row that it appended.
    """
    tally = tally or Tally()
    standing = list(seen.plan.holds)
    if reason == NOT_ASKED and candidate is not None:
        standing.append(_review(context, candidate))
    waits = waiting_items(seen) if publication is None else held_items(seen)
    waits |= dict.fromkeys(tally.unread, "")
    record_scans(context.store, scans_of_run(context, seen, waits, order=1))
    looked_at = seen.complete | _left(context) | {""}
    # Before the quarantine: once its failures are known, a broken source no longer looks like one.
    opened = record_holds(
        context.store, standing, sources=looked_at, run=context.run, now=context.clock()
    )
    rejected = tuple(r for r in seen.plan.rejected if not r.known)
    put_in_quarantine(
        context.store,
        rejected,
        excerpts=tally.excerpts,
        suites=context.basis,
        run=context.run,
        now=context.clock(),
    )
    forget_mended(
        context.store,
        sources=seen.complete,
        standing=_standing(context, seen),
    )
    _strike_off(context, seen)
    if reason in SETTLED and not (seen.last and seen.last.pinned):
        _close_applied(context, tally, looked_at)
        if publication is None:
            withdraw(
                context.store,
                rules=context.rules,
                known=seen.known,
                signed=context.signed(),
                shrink=True,
                documents={seen.last.state: dict(seen.published)} if seen.last else None,
            )
    _tell(context, seen, opened, publication)
    return _report(context, seen, tally, tuple(standing), rejected, reason, seconds, publication)


def _standing(context: Context, seen: Look) -> set[tuple[str, str]]:
    """Document versions that fail now, and those let out of quarantine that a source shows."""
    failing = {(r.found.uri, r.found.content_hash) for r in seen.plan.rejected}
    shown = {(uri, f.content_hash) for s in seen.scans for uri, f in s.scanned.found.items()}
    return failing | (shown & context.checks.released)


def _review(context: Context, candidate: Candidate) -> Hold:
    items = items_of(candidate.changes)
    review = hold("review", "", items, "a refresh was asked not to publish")
    tag(context.store, f"hold-{review.id}", candidate.state)
    return review


def _left(context: Context) -> set[str]:
    """Sources of holds that are no longer in the configuration."""
    return {h.source for h in holds(context.store)} - set(context.rules)


def held_items(seen: Look) -> dict[str, str]:
    """What holds keep waiting: uri -> the hash that it would get, empty for a deletion."""
    return {uri: content_hash for h in seen.plan.holds for uri, content_hash in h.items}


def waiting_items(seen: Look) -> dict[str, str]:
    """Everything found that is not published: uri -> the hash that it would get."""
    changes = seen.plan.changes
    return held_items(seen) | _former(changes) | dict(change.key for change in changes)


def _former(changes: Iterable[Change]) -> dict[str, str]:
    """The uris that moves leave, which are to be gone."""
    return {c.previous.uri: "" for c in changes if c.previous and c.previous.uri != c.uri}


def counts_of(seen: Look, *, withheld: int, unread: Iterable[str] = ()) -> dict[str, int]:
    """Documents by what became of them, each once; what could not be read yet is held."""
    unfit = {r.found.uri for r in seen.plan.rejected}
    held = (set(held_items(seen)) | set(unread)) - unfit
    return count_documents(seen.plan, rejected=len(unfit), waiting=len(held), withheld=withheld)


def scans_of_run(
    context: Context, seen: Look, waiting: Mapping[str, str], *, order: int
) -> list[Scan]:
    """A row for each source looked at; what waited before keeps when it was first seen."""
    rows = []
    for scan in seen.scans:
        name = scan.source.name
        since, at = seen.waits_since(name), scan.listing.started_at.isoformat()
        rows.append(
            Scan(
                source=name,
                run=context.run,
                started_at=scan.listing.started_at,
                seconds=scan.seconds,
                listing_seconds=scan.listing_seconds,
                complete=scan.listing.complete,
                error=scan.listing.error,
                listed=len(scan.listing.entries),
                source_version=scan.listing.version,
                waiting={
                    uri: (wanted, since.get(uri, at))
                    for uri, wanted in waiting.items()
                    if uri.split("/", 1)[0] == name
                },
                order=order,
            )
        )
    return rows


def _strike_off(context: Context, seen: Look) -> None:
    """Of what people decided, keeps only what the sources still show the same way."""
    found = {uri: f for s in seen.scans for uri, f in s.scanned.found.items()}

    def stands(item: tuple[str, str]) -> bool:
        uri, wanted = item
        if uri in found:
            return bool(wanted) and found[uri].content_hash == wanted
        return not wanted or uri.split("/", 1)[0] not in seen.complete

    for decided in (*holds(context.store, ACCEPTED), *holds(context.store, DROPPED)):
        remaining = frozenset(item for item in decided.remaining if stands(item))
        if remaining != decided.remaining:
            strike_off(context.store, decided, remaining)


def _close_applied(context: Context, tally: Tally, looked_at: set[str]) -> None:
    """Ends accepted holds that were applied; one over all sources takes a look at all of them."""
    for accepted in holds(context.store, ACCEPTED):
        waits = looked_at.union(context.rules) - looked_at
        left = {
            uri
            for uri, _ in accepted.remaining
            if uri in tally.unread or (not accepted.source and uri.split("/", 1)[0] in waits)
        }
        if accepted.source in looked_at and not left:
            close_hold(context.store, accepted.id)


def _tell(
    context: Context, seen: Look, opened: list[Hold], publication: Publication | None
) -> None:
    name = context.config.knowledge.name
    if context.paused and not context.sources:
        # So that nobody takes what people have paused for a knowledge base that nothing refreshes.
        told = {"run": context.run, "paused": sorted(context.paused)}
        context.on_event(Happened("refresh.completed", f"knowledge.{name}", told))
    for scan in seen.scans:
        if scan.listing.complete:
            payload = {"run": context.run, "listed": len(scan.listing.entries)}
            source = f"source.{name}.{scan.source.name}"
            context.on_event(Happened("refresh.completed", source, payload))
    for new in opened:
        told = {"id": new.id, "kind": new.kind, "source": new.source, "why": new.why}
        context.on_event(
            Happened("hold.opened", f"knowledge.{name}", {**told, "items": len(new.items)})
        )
        if new.kind == "audit":
            context.on_event(Happened("audit.failed", f"source.{name}.{new.source}", told))
    if publication is not None:
        said = {"run": context.run, "number": publication.number, "said": publication.reason}
        context.on_event(Happened("knowledge.published", f"knowledge.{name}", said))


def _report(
    context: Context,
    seen: Look,
    tally: Tally,
    standing: tuple[Hold, ...],
    rejected: tuple[Rejected, ...],
    reason: str | None,
    seconds: Mapping[str, float] | None,
    publication: Publication | None,
) -> Report:
    current = newest(context.store)
    if publication is None and reason is None:
        reason = WAITS if standing else _quiet(context, seen)
    total = counts(context.store, current.state)[1] if current else 0
    return Report(
        knowledge=context.config.knowledge.name,
        run=context.run,
        publication=current.number if current else None,
        published=publication is not None,
        reason=None if publication is not None else reason,
        documents=counts_of(
            seen, withheld=len(current.withheld) if current else 0, unread=tally.unread
        ),
        chunks={
            "embedded": tally.embedded,
            "reused": tally.reused,
            "deleted": tally.deleted,
            "total": total,
        },
        tokens_embedded=tally.tokens_embedded,
        seconds=_seconds(context, seen, tally, seconds or {}),
        sources=sources_of(seen),
        attention=(
            *_doubts(context, seen),
            *attention_of(
                context, seen, tally.unread, standing, rejected, current, verdicts=tally.verdicts
            ),
        ),
        changes=seen.plan.changes,
        rejected=rejected,
        holds=standing,
        slowest=tuple(tally.slowest),
        pinned=bool(current and current.pinned),
    )


def _doubts(context: Context, seen: Look) -> list[str]:
    """Sources whose listing came to its end and is far below what is usual for them."""
    said = []
    decided, paused = holds(context.store), pauses(context.store)
    for scan in scans_of_run(context, seen, {}, order=1):
        since = found_right(scan.source, holds=decided, pauses=paused)
        why = unusual([scan, *seen.scanned_before.get(scan.source, ())], since=since)
        if scan.complete and why:
            said.append(f"Source {scan.source}: {why}: see that the source is whole.")
    return said


def _quiet(context: Context, seen: Look) -> str:
    """Why there was nothing to do."""
    if context.paused and not context.sources:
        return ALL_PAUSED
    broken = any(not scan.listing.complete for scan in seen.scans)
    return UNREACHABLE if broken else NOTHING_CHANGED


def sources_of(seen: Look) -> tuple[SourceReport, ...]:
    """How each source did."""
    return tuple(
        SourceReport(
            s.source.name,
            s.listing.complete,
            s.listing.error,
            len(s.listing.entries),
            s.listing.version,
            s.read,
        )
        for s in seen.scans
    )


def _seconds(
    context: Context, seen: Look, tally: Tally, measured: Mapping[str, float]
) -> dict[str, float]:
    stages = {"scan": sum(s.seconds for s in seen.scans), "plan": seen.plan_seconds}
    stages |= {"embed": tally.embed_seconds, "write": tally.write_seconds}
    stages |= {"audit": measured.get("audit", 0.0), "publish": measured.get("publish", 0.0)}
    return stages | {"total": time.monotonic() - context.started}

"""Audit and publish: appends the row that makes a candidate what readers see."""

import dataclasses
from collections.abc import Mapping
from datetime import datetime
from functools import partial

from pipelines.errors import Overtaken
from pipelines.ingest import Tally
from pipelines.knowledge import (
    BESIDE,
    Publication,
    Scan,
    State,
    all_taken_down,
    append,
    data_as_of,
    is_tagged,
    newest,
    open_takedowns,
    publications,
    published_documents,
    spill_retired,
    still_unknown,
    tag,
    withheld_of,
)
from pipelines.planning import Change, Kind, Published
from pipelines.quality import Audit
from pipelines.refresh.context import Context, Look

SIGNS = {
    Kind.ADDED: "+",
    Kind.CHANGED: "~",
    Kind.RELABELLED: "=",
    Kind.MOVED: ">",
    Kind.DELETED: "-",
}
"""How a run's name says what it did."""


def summary(documents: Mapping[str, int]) -> str:
    """``+12 ~3 -1``: the kinds of change that happened, counted."""
    parts = [f"{sign}{documents[kind]}" for kind, sign in SIGNS.items() if documents.get(kind)]
    return " ".join(parts) or "no change"


@dataclasses.dataclass(frozen=True, slots=True)
class Candidate:
    """A table version that passed its audit."""

    state: State
    fingerprint: str
    model: str
    changes: tuple[Change, ...]
    tally: Tally
    audit: Audit
    let_through: Mapping[str, list[dict[str, str]]]
    """Who accepted or released what is in it, and why."""
    counts: dict[str, int]
    scans: dict[str, Scan]
    """By source, what this run will have left waiting."""


def publish(context: Context, seen: Look, candidate: Candidate) -> Publication:
    """Compare-and-set on the ledger.

    Rows that only withhold do not overtake: what is withheld is computed again for the candidate.

    Raises:
        Overtaken: Somebody else published, rolled back or unpinned meanwhile.
    """
    store, last = context.store, seen.last
    here = published_documents(store, candidate.state)
    if last is not None and last.generation == candidate.state[0]:
        touched = {c.uri for c in candidate.changes}
        touched |= {c.previous.uri for c in candidate.changes if c.previous}
        context.step(
            "retire",
            partial(
                spill_retired,
                store,
                candidate.fingerprint,
                published=last.state,
                candidate=candidate.state,
                uris=touched,
                now=context.clock(),
            ),
        )
    tag(store, f"pub-{context.run}", candidate.state)
    return context.step("publish", partial(_append, context, seen, candidate, here))


def _append(
    context: Context, seen: Look, candidate: Candidate, here: Mapping[str, Published]
) -> Publication:
    template = _row(context, seen, candidate, here)
    while True:
        current = newest(context.store)
        if overtaken(context, seen.last, current):
            raise was_overtaken()
        row = dataclasses.replace(
            template,
            number=1 if current is None else current.number + 1,
            withheld=_withheld(context, seen, here, current),
            # Since this run planned, a generator may have been promoted.
            models={} if current is None else current.models,
        )
        # Asked last: whoever slept for longer than clean-ups wait finds out here.
        if not is_tagged(context.store, f"pub-{context.run}", candidate.state):
            raise _cleaned_away()
        if append(context.store, row):
            return row


def _cleaned_away() -> Overtaken:
    return Overtaken(
        "What this refresh built was cleaned away before it was published."
        " Nothing of it is published; what it embedded is kept.",
        hint="Refresh again.",
    )


def overtaken(context: Context, planned: Publication | None, current: Publication | None) -> bool:
    """Whether the ledger has a row since that names another state, or might have."""
    if current is None or planned is None:
        return current is not planned
    if current.number == planned.number:
        return False
    since = publications(context.store, after=planned.number)
    return any(row.kind not in BESIDE for row in since)


def was_overtaken() -> Overtaken:
    """The error of a run whose place in the ledger is taken."""
    return Overtaken(
        "Somebody else published, rolled back or unpinned while this refresh ran."
        " Nothing of it is published; what it embedded is kept.",
        hint="Refresh again.",
    )


def _withheld(
    context: Context, seen: Look, here: Mapping[str, Published], current: Publication | None
) -> tuple[str, ...]:
    needed = withheld_of(
        here,
        newest=here,
        rules=context.rules,
        known=seen.known,
        taken_down=all_taken_down(open_takedowns(context.store).values()),
    )
    before = frozenset(current.withheld) if current else frozenset[str]()
    # Withdrawn since this run planned, maybe by a later configuration: the next refresh decides.
    since = before.difference(seen.last.withheld if seen.last else ()) & here.keys()
    return tuple(sorted(needed | since | still_unknown(before, here, seen.known)))


def _row(
    context: Context, seen: Look, candidate: Candidate, here: Mapping[str, Published]
) -> Publication:
    at = context.clock()
    tally = candidate.tally
    generation, version = candidate.state
    return Publication(
        number=0,
        kind="refresh",
        at=at,
        generation=generation,
        version=version,
        fingerprint=candidate.fingerprint,
        model=candidate.model,
        restored=_still_restored(seen),
        run=context.run,
        actor=context.request.actor,
        reason=summary(candidate.counts),
        documents=candidate.audit.documents,
        chunks=candidate.audit.chunks,
        tokens_embedded=tally.tokens_embedded,
        counts=candidate.counts
        | {"embedded": tally.embedded, "reused": tally.reused, "gone": tally.deleted}
        | {"embed_ms": round(tally.embed_seconds * 1000) if tally.embedded else 0},
        deletions=_unaccepted(candidate.changes),
        lag=_lag(seen, candidate.changes, here, at),
        deletion_lag=_deletion_lag(seen, candidate.changes, at),
        data_as_of=_as_of(context, seen, candidate),
        audit={**candidate.audit.to_dict(), **candidate.let_through},
    )


def _unaccepted(changes: tuple[Change, ...]) -> dict[str, int]:
    counted: dict[str, int] = {}
    for change in changes:
        if change.kind is Kind.DELETED and not change.accepted:
            counted[change.source] = counted.get(change.source, 0) + 1
    return counted


def _lag(
    seen: Look, changes: tuple[Change, ...], here: Mapping[str, Published], at: datetime
) -> dict[str, list[float]]:
    """Seconds from source to readers, of versions made since their source is looked at."""
    first: dict[str, float] = {}
    lag: dict[str, list[float]] = {}
    for change in changes:
        document = here.get(change.uri)
        if document is None or change.kind not in (Kind.ADDED, Kind.CHANGED, Kind.MOVED):
            continue
        if document.source not in first:
            scans = seen.scanned_before.get(document.source, ())
            first[document.source] = min(
                (s.started_at.timestamp() for s in scans), default=at.timestamp()
            )
        if document.source_at >= first[document.source]:
            lag.setdefault(document.source, []).append(
                round(max(0.0, at.timestamp() - document.source_at), 3)
            )
    return lag


def _deletion_lag(seen: Look, changes: tuple[Change, ...], at: datetime) -> dict[str, list[float]]:
    """Seconds from the first sight of a deletion to readers.

    No source says when a document went. It was seen to be gone by the first listing that lacked
    it, so the true lag is longer by at most the time between that listing and the one before.
    """
    lag: dict[str, list[float]] = {}
    for scan in seen.scans:
        name = scan.source.name
        since, started = seen.waits_since(name), scan.listing.started_at.isoformat()
        for change in changes:
            if change.kind is Kind.DELETED and change.source == name:
                seen_at = datetime.fromisoformat(since.get(change.uri, started))
                waited = max(0.0, (at - seen_at).total_seconds())
                lag.setdefault(name, []).append(round(waited, 3))
    return lag


def _as_of(context: Context, seen: Look, candidate: Candidate) -> dict[str, str]:
    """By source, how fresh what is published now is."""
    said = dict(seen.last.data_as_of) if seen.last else {}
    restored = _still_restored(seen)
    for name, scan in candidate.scans.items():
        as_of = data_as_of([scan, *seen.scanned_before.get(name, ())])
        if as_of is not None and name not in restored:
            said[name] = as_of.isoformat()
    return {name: at for name, at in said.items() if name in context.rules}


def _still_restored(seen: Look) -> tuple[str, ...]:
    """Sources that a rollback restored and that this run did not see whole."""
    before = seen.last.restored if seen.last else ()
    return tuple(name for name in before if name not in seen.complete)

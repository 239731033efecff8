"""Builds what a run planned, audits it, publishes what passed, and builds what is to be reviewed."""

import dataclasses
import time
from collections.abc import Callable
from functools import partial

from pipelines.errors import EmbedderMismatch
from pipelines.ingest import Tally, Work, build_candidate
from pipelines.knowledge import (
    State,
    clean_up,
    create_generation,
    generation_name,
    newest,
    record_scans,
    tag,
)
from pipelines.pages import keep_audit_page, remove_audit_pages
from pipelines.planning import Hold, held_back, review_hold
from pipelines.quality import Audit
from pipelines.records import Encoder
from pipelines.refresh.audit import (
    Refused,
    audit_built,
    failing_holds,
    let_through,
    refused_by,
    remember_audit,
)
from pipelines.refresh.context import Context, Look
from pipelines.refresh.ending import (
    NOT_ASKED,
    NOTHING_PASSED,
    counts_of,
    end,
    held_items,
    scans_of_run,
    waiting_items,
)
from pipelines.refresh.look import serving_encoder
from pipelines.refresh.publish import Candidate, publish
from pipelines.refresh.report import Report


@dataclasses.dataclass(frozen=True, slots=True)
class _Base:
    """What a run builds upon."""

    state: State
    fingerprint: str
    model: str
    encoder: Callable[[], Encoder]


def apply(context: Context, seen: Look) -> Report:
    """Everything that needs the lock.

    Raises:
        Overtaken: Somebody else published or took over the table meanwhile.
        EmbedderMismatch: The weights found are not the ones of the store.
        AuditFailed: The candidate is not whole, or could not be checked.
    """
    record_scans(context.store, scans_of_run(context, seen, waiting_items(seen), order=0))
    base = _base(context, seen)
    seconds = {"audit": 0.0, "publish": 0.0}
    tally, candidate, publication, reason = Tally(), None, None, None
    if seen.plan.changes:
        seen, candidate, refused = _build(context, seen, base, seconds)
        tally = candidate.tally
        reason = None if context.request.publish else NOT_ASKED
        if not candidate.changes:
            reason = None if seen.plan.holds else NOTHING_PASSED
        elif context.request.publish:
            started = time.perf_counter()
            publication = publish(context, seen, candidate)
            seconds["publish"] = time.perf_counter() - started
        remember_audit(context, seen, tally, candidate.audit, refused, publication)
        if publication is not None:
            name = context.config.knowledge.name
            keep_audit_page(context.store, publication.number, knowledge=name)
        tally = tally.plus(Tally(verdicts=candidate.audit.verdicts))
    seen, tally = _build_reviews(context, seen, base, tally)
    report = end(context, seen, candidate, tally, reason, seconds, publication)
    if publication is not None:
        context.step("clean up", partial(_clean_up, context))
    return report


def _build(
    context: Context, seen: Look, base: _Base, seconds: dict[str, float]
) -> tuple[Look, Candidate, list[Refused]]:
    """A candidate whose every source passed; what failed is held and built no more.

    Building again embeds nothing: the vectors are in the spill.
    """
    tally: Tally | None = None
    refused: list[Refused] = []
    while True:
        work = _work(context, seen, base, base.state)
        built, tally = build_candidate(work, seen.plan.changes, tally)
        seen = _without(seen, tally)
        started = time.perf_counter()
        audit = context.step(
            "audit", partial(audit_built, context, seen, built, base.fingerprint, base.encoder)
        )
        seconds["audit"] += time.perf_counter() - started
        held = failing_holds(context, seen, audit)
        refused += refused_by(audit, held)
        if held:
            seen = dataclasses.replace(seen, plan=held_back(seen.plan, held, seen.world))
        if not held or not seen.plan.changes:
            return seen, _candidate(context, seen, built, base, tally, audit), refused


def _build_reviews(context: Context, seen: Look, base: _Base, tally: Tally) -> tuple[Look, Tally]:
    """Tags a candidate for each new set to be reviewed: what is published now, and that set."""
    for planned, changes in seen.unbuilt.items():
        last = newest(context.store)
        if last is not None and (last.pinned or last.generation != base.state[0]):
            break
        work = _work(context, seen, base, base.state if last is None else last.state)
        built, one = build_candidate(work, changes)
        seen = _without(seen, one)
        out = {r.found.uri for r in one.rejected} | set(one.unread)
        left = tuple(change for change in changes if change.uri not in out)
        review = review_hold(planned.source, left)
        if left:
            tag(context.store, f"hold-{review.id}", built)
        seen = _reviewed(seen, planned, review if left else None)
        tally = tally.plus(one)
    return seen, tally


def _reviewed(seen: Look, planned: Hold, review: Hold | None) -> Look:
    holds = (review if h == planned else h for h in seen.plan.holds)
    plan = dataclasses.replace(seen.plan, holds=tuple(h for h in holds if h is not None))
    return dataclasses.replace(seen, plan=plan)


def _work(context: Context, seen: Look, base: _Base, published: State) -> Work:
    return Work(
        store=context.store,
        published=published,
        fingerprint=base.fingerprint,
        sources=context.sources,
        encoder=base.encoder,
        checks=context.checks,
        duplicates=seen.duplicates,
        now=context.clock(),
        step=context.step,
        on_event=context.on_event,
    )


def _base(context: Context, seen: Look) -> _Base:
    """The state to build upon, and whose vectors it has; made empty for a first refresh."""
    encoder = _encoder(context, seen)
    if seen.last is not None:
        return _Base(seen.last.state, seen.last.fingerprint, seen.last.model, encoder)
    found = encoder()
    name = generation_name(context.run, found.fingerprint)
    state = create_generation(context.store, name, found.dimension)
    return _Base(state, found.fingerprint, found.model, encoder)


def _encoder(context: Context, seen: Look) -> Callable[[], Encoder]:
    """Loads the serving encoder once, at the first document that needs it, and checks it."""
    loaded: list[Encoder] = []

    def encoder() -> Encoder:
        if not loaded:
            found = serving_encoder(context, seen.last)
            if seen.last is not None and found.fingerprint != seen.last.fingerprint:
                raise EmbedderMismatch(
                    f"The embedder {found.model!r} has other weights than those that made the"
                    f" vectors of the store (fingerprint {found.fingerprint[:12]}, the ledger says"
                    f" {seen.last.fingerprint[:12]}). Nothing was changed.",
                    hint="Bring the former weights back under that name, or start another store"
                    " under [knowledge] store.",
                )
            loaded.append(found)
        return loaded[0]

    return encoder


def _without(seen: Look, tally: Tally) -> Look:
    """What was planned, less what turned out unfit or had to wait."""
    known = {(r.found.uri, r.found.content_hash) for r in seen.plan.rejected}
    unfit = [r for r in tally.rejected if (r.found.uri, r.found.content_hash) not in known]
    out = {r.found.uri for r in tally.rejected} | set(tally.unread)
    plan = dataclasses.replace(
        seen.plan,
        changes=tuple(c for c in seen.plan.changes if c.uri not in out),
        rejected=(*seen.plan.rejected, *unfit),
    )
    return dataclasses.replace(seen, plan=plan)


def _candidate(
    context: Context, seen: Look, state: State, base: _Base, tally: Tally, audit: Audit
) -> Candidate:
    waiting = dict.fromkeys(tally.unread, "")
    return Candidate(
        state,
        base.fingerprint,
        base.model,
        seen.plan.changes,
        tally,
        audit,
        let_through(context, seen),
        counts_of(seen, withheld=0),
        {s.source: s for s in scans_of_run(context, seen, held_items(seen) | waiting, order=1)},
    )


def _clean_up(context: Context) -> None:
    knowledge = context.config.knowledge
    clean_up(
        context.store,
        now=context.clock(),
        keep_publications=knowledge.keep_publications,
        keep_days=knowledge.keep_days,
        longest_read=knowledge.longest_read,
        keep_previous=context.config.keep_previous,
    )
    remove_audit_pages(
        context.store,
        now=context.clock(),
        keep_publications=knowledge.keep_publications,
        keep_days=knowledge.keep_days,
    )

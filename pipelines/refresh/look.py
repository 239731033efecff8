"""Scan and plan: looks at the sources, withdraws first, and says what there is to do."""

import dataclasses
import time
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from functools import partial

from pipelines.documents import RECIPE
from pipelines.ingest import Cost, estimate, needs_bytes, rejected_by_cost
from pipelines.knowledge import (
    ACCEPTED,
    DROPPED,
    OPEN,
    Known,
    Publication,
    Scan,
    State,
    Store,
    follow_takedowns,
    holds,
    known_documents,
    newest,
    publications,
    published_documents,
    quarantine,
    remember,
    scans_of,
    withdraw,
)
from pipelines.planning import (
    Hold,
    Kind,
    Plan,
    Published,
    Remembered,
    World,
    cost_holds,
    held_back,
    hold,
    plan_changes,
    relabelled_as_they_are,
    review_holds,
    standing_audit_holds,
)
from pipelines.records import Encoder, Progress
from pipelines.refresh.context import Context, Look
from pipelines.refresh.scan import UNUSABLE, SourceScan, scan_source

States = dict[State, dict[str, Published]]
"""The documents of states that were read: reading one costs a query over all documents."""


def look(context: Context, *, dry: bool = False) -> Look:
    """Scans the sources and plans, without a lock.

    What configuration narrowed is withdrawn before the first listing, what a listing showed to be
    narrowed right after it: withdrawing waits for nothing.

    Args:
        context: The run.
        dry: Withdraw nothing and hold nothing for its cost: only look.
    """
    store = context.store
    known = known_documents(store)
    before = dict(known)
    states: States = {}
    if not dry:
        _withdraw(context, known, states)
    scans = []
    for number, (name, source) in enumerate(context.sources.items()):
        context.on_event(Progress("scan", number, len(context.sources)))
        scan = context.step(
            f"scan:{name}",
            partial(
                scan_source,
                source,
                known=known,
                recheck=context.request.recheck,
                limits=context.config.limits,
                now=context.clock(),
            ),
        )
        scans.append(scan)
        known |= scan.fresh
        if not dry:
            follow_takedowns(store, scan.scanned.found, moved={}, signed=context.signed())
            _withdraw(context, known, states)
    context.on_event(Progress("scan", len(scans), len(scans)))
    plan = partial(_plan, context, tuple(scans), before, known, states, dry=dry)
    return context.step("plan", plan)


def _withdraw(context: Context, known: Mapping[str, Known], states: States) -> None:
    signed = context.signed()
    withdraw(context.store, rules=context.rules, known=known, signed=signed, documents=states)


def _plan(
    context: Context,
    scans: tuple[SourceScan, ...],
    before: Mapping[str, Known],
    known: Mapping[str, Known],
    states: States,
    *,
    dry: bool,
) -> Look:
    started = time.perf_counter()
    last = newest(context.store)
    published: dict[str, Published] = {}
    if last is not None:
        read = states.get(last.state)
        published = published_documents(context.store, last.state) if read is None else read
    world = _world(context, scans, published, before)
    plan = plan_changes(world)
    known = _remember(context.store, scans, plan, known, context.clock())
    earlier = {name: _scanned_before(context, name) for name in context.sources}
    seen = Look(last, published, known, scans, earlier, plan, world, 0.0)
    seen = _held_for_people(context, seen)
    if not dry:
        moved = {c.uri: c.previous.uri for c in plan.of(Kind.MOVED) if c.previous}
        found = {uri: f for s in scans for uri, f in s.scanned.found.items()}
        follow_takedowns(context.store, found, moved=moved, signed=context.signed())
        if moved:
            _withdraw(context, known, states)
        seen = _held_by_limit(context, seen)
    return dataclasses.replace(seen, plan_seconds=time.perf_counter() - started)


def _held_for_people(context: Context, seen: Look) -> Look:
    """What is to be reviewed, and what failed its audit before and is still the same."""
    world, before = seen.world, {h.id: h for h in holds(context.store, OPEN)}
    reviews = review_holds(seen.plan.changes, rules=context.rules, accepted=world.expected)
    plan = held_back(seen.plan, reviews, world)
    failed = {
        h.source: dataclasses.replace(
            hold(h.kind, h.source, h.items, h.why, suites=h.suites), id=h.id
        )
        for h in before.values()
        if h.kind == "audit"
    }
    standing = standing_audit_holds(
        plan.changes, failed, suites=context.basis, accepted=world.expected
    )
    plan = held_back(plan, standing, world)
    built = _built(context.store, seen.last, reviews, before)
    return dataclasses.replace(seen, plan=plan, open_before=before, reviews=reviews, built=built)


def _built(
    store: Store, last: Publication | None, reviews: Iterable[Hold], before: Collection[str]
) -> frozenset[str]:
    """The reviews that have a candidate; those that a pinned run opened, say, have none yet.

    Before the first publication nobody can search one: there a hold that is known will do.
    """
    ids = {review.id for review in reviews}
    if last is None or not ids:
        return frozenset(ids.intersection(before))
    tags = store.table(last.generation).tags.list()
    return frozenset(name for name in ids.intersection(before) if f"hold-{name}" in tags)


def _held_by_limit(context: Context, seen: Look) -> Look:
    """Cutting everything before embedding it costs time: only where a limit asks for it."""
    limit = context.config.limits.max_embed_tokens
    if not limit or not any(map(needs_bytes, seen.plan.changes)):
        return seen
    costs = costs_of(context, seen, serving_encoder(context, seen.last))
    return held_by_cost(seen, costs, limit=limit)


def serving_encoder(context: Context, last: Publication | None) -> Encoder:
    """The encoder that the ledger names, else the one that the configuration wants."""
    embedder = context.config.embedder
    return context.ports.load_encoder(
        embedder.model if last is None else last.model,
        root=context.config.root,
        batch_size=embedder.batch_size,
    )


def costs_of(context: Context, seen: Look, encoder: Encoder) -> dict[str, Cost]:
    """What each change would cost; reads and cuts, embeds nothing."""
    return estimate(
        seen.plan.changes,
        store=context.store,
        published=None if seen.last is None else seen.last.state,
        fingerprint=encoder.fingerprint,
        sources=context.sources,
        tokens=encoder,
        checks=context.checks,
        duplicates=seen.duplicates,
    )


def held_by_cost(seen: Look, costs: Mapping[str, Cost], *, limit: int) -> Look:
    """What was seen, with dear documents held and unfit ones rejected."""
    plan = seen.plan
    tokens = {uri: cost.tokens for uri, cost in costs.items()}
    standing = cost_holds(plan.changes, tokens, limit=limit, accepted=set(seen.world.accepted))
    waiting = {item for hold in standing for item in hold.items}
    unfit = rejected_by_cost(plan.changes, costs)
    out = {r.found.uri for r in unfit}
    kept = [c.previous for c in plan.changes if c.previous and (c.key in waiting or c.uri in out)]
    doing = [c for c in plan.changes if c.key not in waiting and c.uri not in out]
    held = dataclasses.replace(
        plan,
        changes=(*doing, *relabelled_as_they_are(kept, plan.remembered, seen.world)),
        holds=(*plan.holds, *standing),
        rejected=(*plan.rejected, *unfit),
    )
    return dataclasses.replace(seen, plan=held)


def _world(
    context: Context,
    scans: tuple[SourceScan, ...],
    published: Mapping[str, Published],
    before: Mapping[str, Known],
) -> World:
    store = context.store
    failed = {(q.uri, q.content_hash): q.failure for q in quarantine(store, context.basis)}
    accepted = holds(store, ACCEPTED)
    return World(
        sources=context.rules,
        scanned={s.source.name: s.scanned for s in scans},
        published=published,
        recipe=RECIPE,
        remembered={uri: k.remembered for uri, k in before.items()},
        quarantined=failed,
        # What was let out and failed something else since then is in quarantine again.
        released=context.checks.released.difference(failed),
        accepted=frozenset(i for h in accepted for i in h.remaining),
        expected=frozenset(i for h in accepted if h.kind != "cost" for i in h.remaining),
        dropped=frozenset(i for h in holds(store, DROPPED) for i in h.remaining),
        held={i: h.why for h in holds(store, OPEN) if h.kind == "deletions" for i in h.items},
        recent_deletions=_recent_deletions(context),
    )


def _scanned_before(context: Context, source: str) -> list[Scan]:
    return scans_of(context.store, source, but=context.run)


def _recent_deletions(context: Context) -> dict[str, int]:
    since = context.now - timedelta(hours=24)
    recent: dict[str, int] = {}
    for row in publications(context.store, since=since):
        for source, count in row.deletions.items():
            recent[source] = recent.get(source, 0) + count
    return recent


def _remember(
    store: Store,
    scans: tuple[SourceScan, ...],
    plan: Plan,
    known: Mapping[str, Known],
    now: datetime,
) -> dict[str, Known]:
    """Writes what was learned, and where the bytes of moved documents stand now."""
    learned = {uri: k for s in scans for uri, k in s.fresh.items()}
    settled = {}
    for uri, remembered in plan.remembered.items():
        one = learned.get(uri) or known.get(uri)
        if one is not None and (uri in learned or one.remembered != remembered):
            settled[uri] = dataclasses.replace(one, remembered=remembered)
    for change in plan.of(Kind.MOVED):
        if change.previous is not None:
            old = change.previous
            before = known.get(old.uri) or _unknown(old, now)
            remembered = dataclasses.replace(before.remembered, moved_to=change.moved_to)
            if remembered != before.remembered:
                settled[old.uri] = dataclasses.replace(before, remembered=remembered)
    remember(store, settled)
    return {**known, **settled}


def _unknown(document: Published, now: datetime) -> Known:
    """What is known of a published document whose line in the cache was lost."""
    remembered = Remembered(document.content_hash, document.asked)
    return Known(
        document.uri, document.source, UNUSABLE, document.content_hash, None, remembered, now
    )

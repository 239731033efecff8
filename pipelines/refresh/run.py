"""The order of a refresh: look, withdraw, lock, apply, audit, publish, clean up."""

import dataclasses
import time
from collections.abc import Callable
from datetime import datetime
from functools import partial
from pathlib import Path

from pipelines.config import Config
from pipelines.errors import EmbedderMismatch
from pipelines.ingest import Tally, Work, build_candidate
from pipelines.knowledge import (
    State,
    clean_up,
    create_generation,
    generation_name,
    newest,
    open_store,
    record_scans,
    refresh_lock,
)
from pipelines.planning import source_rules
from pipelines.quality import Audit, audit_candidate
from pipelines.records import Encoder, Happened, Progress, Step, call, ignore
from pipelines.refresh.context import Context, Look, Ports, Request
from pipelines.refresh.ending import (
    NOT_ASKED,
    NOTHING_PASSED,
    PINNED,
    counts_of,
    end,
    held_items,
    scans_of_run,
    waiting_items,
)
from pipelines.refresh.look import look, serving_encoder
from pipelines.refresh.preview import preview
from pipelines.refresh.publish import Candidate, overtaken, publish, was_overtaken
from pipelines.refresh.report import Report
from pipelines.sources import open_source


def refresh_knowledge(
    config: Config,
    *,
    now: datetime,
    run_id: str,
    request: Request | None = None,
    step: Step = call,
    on_event: Callable[[Progress | Happened], None] = ignore,
    ports: Ports | None = None,
) -> Report:
    """Makes what readers see what the sources say. Stopped at any instant, the next run converges.

    Args:
        config: The configuration.
        now: The time of the start; everything that depends on time counts from it.
        run_id: Names this run; never used twice.
        request: What was asked for; everything, by default.
        step: Runs one stage.
        on_event: Hears of progress and of what happened.
        ports: The model and the store's write verbs.

    Raises:
        RefreshRunning: Another refresh holds the lock; nothing but withdrawals was done.
        Overtaken: Somebody else published meanwhile; nothing is lost.
        EmbedderMismatch: The weights found are not the ones of the store.
        AuditFailed: The candidate is not what it should be.
    """
    context = _context(config, now, run_id, request, step, on_event, ports)
    seen = look(context)
    if not seen.plan.changes:
        return end(context, seen, None, None)
    if seen.last is not None and seen.last.pinned:
        return end(context, seen, None, PINNED)
    with refresh_lock(
        context.store,
        run=run_id,
        now=context.clock(),
        wait_seconds=context.request.wait_seconds,
    ):
        if overtaken(context, seen.last, newest(context.store)):
            seen = look(context)  # an older listing over a newer publication takes changes back
        if not seen.plan.changes:
            return end(context, seen, None, None)
        if seen.last is not None and seen.last.pinned:
            return end(context, seen, None, PINNED)
        try:
            return _apply(context, seen)
        except (ValueError, RuntimeError) as error:
            # An owner that slept long finds that what it builds upon was cleaned away.
            current = newest(context.store)
            if current and current.run != run_id and overtaken(context, seen.last, current):
                raise was_overtaken() from error
            raise


def plan_knowledge(
    config: Config,
    *,
    now: datetime,
    run_id: str,
    request: Request | None = None,
    on_event: Callable[[Progress | Happened], None] = ignore,
    ports: Ports | None = None,
) -> Report:
    """What a refresh would do and cost. Writes the cache of what is known, and nothing else.

    Raises:
        StoreFormat: The store has another format.
    """
    return preview(_context(config, now, run_id, request, call, on_event, ports))


def _context(
    config: Config,
    now: datetime,
    run_id: str,
    request: Request | None,
    step: Step,
    on_event: Callable[[Progress | Happened], None],
    ports: Ports | None,
) -> Context:
    request = request or Request()
    ports = ports or Ports()
    wanted = [config.source(name) for name in request.sources] or config.sources
    cache = Path(config.store_uri) / "sources"
    return Context(
        config=config,
        request=request,
        store=open_store(config.store_uri, now=now, write=ports.write),
        rules={s.name: source_rules(s) for s in config.sources},
        sources={s.name: open_source(s, root=config.root, cache=cache) for s in wanted},
        run=run_id,
        now=now,
        started=time.monotonic(),
        step=step,
        on_event=on_event,
        ports=ports,
    )


def _apply(context: Context, seen: Look) -> Report:
    record_scans(context.store, scans_of_run(context, seen, waiting_items(seen), order=0))
    encoder = _encoder(context, seen)
    state, fingerprint, model = _generation(context, seen, encoder)
    work = Work(
        store=context.store,
        published=state,
        fingerprint=fingerprint,
        sources=context.sources,
        encoder=encoder,
        limits=context.config.limits,
        now=context.clock(),
        step=context.step,
        on_event=context.on_event,
    )
    finished, tally = build_candidate(work, seen.plan.changes)
    seen = _without(seen, tally)
    started = time.perf_counter()
    audit = context.step("audit", partial(audit_candidate, context.store, finished))
    audit_seconds = time.perf_counter() - started
    candidate = _candidate(context, seen, finished, fingerprint, model, tally, audit)
    if not context.request.publish:
        return end(context, seen, candidate, NOT_ASKED, {"audit": audit_seconds})
    if not candidate.changes:
        return end(context, seen, candidate, NOTHING_PASSED, {"audit": audit_seconds})
    started = time.perf_counter()
    publication = publish(context, seen, candidate)
    seconds = {"audit": audit_seconds, "publish": time.perf_counter() - started}
    report = end(context, seen, candidate, None, seconds, publication)
    context.step("clean up", partial(_clean_up, context))
    return report


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


def _generation(
    context: Context, seen: Look, encoder: Callable[[], Encoder]
) -> tuple[State, str, str]:
    """The state to build upon, and whose vectors it has; made empty for a first refresh."""
    if seen.last is not None:
        return seen.last.state, seen.last.fingerprint, seen.last.model
    found = encoder()
    name = generation_name(context.run, found.fingerprint)
    state = create_generation(context.store, name, found.dimension)
    return state, found.fingerprint, found.model


def _without(seen: Look, tally: Tally) -> Look:
    """What was planned, less what turned out unfit or had to wait."""
    out = {r.found.uri for r in tally.rejected} | set(tally.unread)
    plan = dataclasses.replace(
        seen.plan,
        changes=tuple(c for c in seen.plan.changes if c.uri not in out),
        rejected=(*seen.plan.rejected, *tally.rejected),
    )
    return dataclasses.replace(seen, plan=plan)


def _candidate(
    context: Context,
    seen: Look,
    state: State,
    fingerprint: str,
    model: str,
    tally: Tally,
    audit: Audit,
) -> Candidate:
    waiting = dict.fromkeys(tally.unread, "")
    return Candidate(
        state,
        fingerprint,
        model,
        seen.plan.changes,
        tally,
        audit,
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
    )

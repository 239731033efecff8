"""The order of a refresh: look, withdraw, lock, apply, audit, publish, clean up."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pipelines.config import Config
from pipelines.inbox import Wish, inbox_of
from pipelines.knowledge import newest, open_pauses, open_store, refresh_lock, released
from pipelines.planning import rules_on
from pipelines.quality import Checks, load_suites, verdict_basis
from pipelines.records import Happened, Progress, Step, call, ignore
from pipelines.refresh.apply import apply
from pipelines.refresh.context import Context, Look, Ports, Request
from pipelines.refresh.ending import PINNED, end
from pipelines.refresh.look import look
from pipelines.refresh.preview import preview
from pipelines.refresh.publish import overtaken, was_overtaken
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
    asked = _note(context)
    report = _refresh(context)
    _settle(context, asked, report)
    return report


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the inbox held when a run began."""

    wishes: Mapping[str, Wish]
    at: datetime


def _note(context: Context) -> _Asked:
    """Puts this run's own wishes beside those of others, and takes note of all.

    They stay until it has looked: killed at any instant, whoever comes next knows what was asked.
    """
    if not context.request.publish:  # what it looks at waits for a person, and the wishes with it
        return _Asked({}, context.now)
    inbox, at = inbox_of(context.config.store_uri), context.clock()
    inbox.ask(context.sources, actor=context.request.actor, now=at)
    return _Asked(inbox.waiting(), at)


def asked_meanwhile(config: Config, request: Request, report: Report) -> bool:
    """Whether somebody asked, after a run took note, for what it can do: it looks again then.

    Args:
        config: The configuration.
        request: What the run was asked for.
        report: How it ended. A listing that broke off would break off again.
    """
    if not request.publish or report.exit_code == 4:
        return False
    listed = {source.name for source in report.sources if source.complete}
    return bool(listed & inbox_of(config.store_uri).waiting().keys())


def _settle(context: Context, asked: _Asked, report: Report) -> None:
    """Ends the wishes for what was listed to its end, and for what nobody lists."""
    listed = {source.name for source in report.sources if source.complete}
    known = {source.name for source in context.config.sources}
    over = {
        name: wish
        for name, wish in asked.wishes.items()
        if name in listed or name in context.paused or name not in known
    }
    inbox = inbox_of(context.config.store_uri)
    inbox.settle(over, run=context.run, taken_at=asked.at, now=context.clock())


def _refresh(context: Context) -> Report:
    seen = look(context)
    done = _done(context, seen)
    if done is not None:
        return done
    with refresh_lock(
        context.store,
        run=context.run,
        now=context.clock(),
        wait_seconds=context.request.wait_seconds,
    ):
        if overtaken(context, seen.last, newest(context.store)):
            seen = look(context)  # an older listing over a newer publication takes changes back
            done = _done(context, seen)
            if done is not None:
                return done
        try:
            return apply(context, seen)
        except (ValueError, RuntimeError) as error:
            # An owner that slept long finds that what it builds upon was cleaned away.
            current = newest(context.store)
            if current and current.run != context.run and overtaken(context, seen.last, current):
                raise was_overtaken() from error
            raise


def _done(context: Context, seen: Look) -> Report | None:
    """The end of a run that has nothing to build."""
    if not seen.plan.changes and not seen.unbuilt:
        return end(context, seen)
    if seen.last is not None and seen.last.pinned:
        return end(context, seen, reason=PINNED)
    return None


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
    named = [config.source(name) for name in request.sources]
    cache = Path(config.store_uri) / "sources"
    rules = rules_on(config, now.date())
    suites = load_suites(config.expectations)
    store = open_store(config.store_uri, now=now, write=ports.write)
    let_out = released(store)
    paused = {} if named else open_pauses(store)
    wanted = named or [source for source in config.sources if source.name not in paused]
    return Context(
        config=config,
        request=request,
        store=store,
        rules=rules,
        checks=Checks(config, suites, rules, frozenset((q.uri, q.content_hash) for q in let_out)),
        basis=verdict_basis(config),
        released=let_out,
        sources={s.name: open_source(s, root=config.root, cache=cache) for s in wanted},
        paused={s.name: paused[s.name] for s in config.sources if s.name in paused},
        run=run_id,
        now=now,
        started=time.monotonic(),
        step=step,
        on_event=on_event,
        ports=ports,
    )

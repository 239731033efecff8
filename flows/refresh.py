"""The flow ``refresh``: runs the engine as named tasks, and says in Prefect's words how it ended.

How a run ends, by the exit code that the command line would give:
- 0 is Completed; 3 is Completed under the name ``Held`` or ``Pinned``: waiting is not failing.
- 1 and 2 are Failed, at once.
- 4 is tried again (AwaitingRetry). What still could not be reached in the last attempt ends as a
  failure under the name ``Unreachable``, the rest published; where another refresh held the store
  all the time, the run is cancelled under the name ``Busy``: that refresh does the work.
"""

import asyncio
import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from prefect import flow, get_client, tags
from prefect.client.schemas.objects import FlowRun, FlowRunPolicy, State
from prefect.runtime import flow_run
from prefect.states import Cancelled, Completed, Failed

from flows.artifacts import ProgressBar, show_audit, show_quarantine, show_receipt
from flows.events import emit, failed, unreachable
from flows.holds import to_decide, to_look
from flows.server import check_server, logged_to_server
from flows.tasks import as_task
from pipelines.config import Config, load_config
from pipelines.errors import ConfigError, ListingBrokenOff, StaleproofError, StoreError
from pipelines.knowledge import find_store, newest, quarantine
from pipelines.planning import Hold
from pipelines.quality import verdict_basis
from pipelines.records import Happened, Progress
from pipelines.refresh import Ports, Report, Request, refresh_knowledge, summary

logger = logging.getLogger(__name__)

RETRIES, RETRY_DELAY_SECONDS = 2, 60


class SomeUnreachable(ListingBrokenOff):
    """Listings broke off; what the other sources have is published."""

    def __init__(self, report: Report) -> None:
        """Names each source and why."""
        broken = [f"{s.name} ({s.error})" for s in report.sources if not s.complete]
        super().__init__(
            f"Not listed to the end: {', '.join(broken)}. Nothing was deleted for it,"
            f" the other sources are refreshed. {readers_see(report.publication)}",
            hint="See that the source can be reached, then refresh again.",
        )
        self.report = report


@flow(name="refresh", persist_result=False)
async def refresh(
    config: str | None = None,
    sources: tuple[str, ...] = (),
    recheck: bool = False,
    publish: bool = True,
    wait_seconds: float = 0,
    reason: str = "",
) -> State[Any]:
    """Makes what readers see what the sources say: embeds what changed, audits and publishes it.

    Args:
        config: The configuration file; without one STALEPROOF_CONFIG, else ./staleproof.toml.
        sources: Names of the sources to refresh; none means all.
        recheck: Read every document, even where the listing says that it did not change.
        publish: Off: build and audit a candidate and hold it for review.
        wait_seconds: How long to wait while another refresh holds the store.
        reason: Why this run was started; becomes part of the actor in the history.
    """
    actor = f"prefect: {reason}" if reason else "prefect"
    request = Request(tuple(sources), recheck, publish, wait_seconds, actor)
    return await refresh_documents(Path(config) if config else None, request)


async def refresh_documents(
    config_path: Path | None,
    request: Request,
    *,
    ports: Ports | None = None,
    retries: int = RETRIES,
    retry_delay_seconds: int = RETRY_DELAY_SECONDS,
) -> State[Any]:
    """The body of the flow, inside a flow run.

    Args:
        config_path: The configuration file.
        request: What was asked for.
        ports: The model and the store's write verbs.
        retries: How often a run is tried again that may heal by itself.
        retry_delay_seconds: The time between.

    Returns:
        The final state; its data is the report as the interface gives it, or the error.

    Raises:
        StaleproofError: It may heal by itself, and Prefect is told to try again.
    """
    async with get_client() as client:
        this = await client.read_flow_run(UUID(flow_run.get_id()))
    try:
        config = load_config(config_path)
    except ConfigError as error:
        emit(failed(error, knowledge="unknown", run=this.id.hex), knowledge="unknown")
        return Failed(message=f"{error} Nothing was read or written.", data=error)
    name = config.knowledge.name
    await rename(this, f"refresh {name}")
    run_id = this.id.hex if this.run_count <= 1 else f"{this.id.hex}-{this.run_count}"
    try:
        with logged_to_server():
            report = await _run_engine(config, request, run_id, ports)
        await rename(this, f"refresh {name} {outcome(report)}")
        if report.exit_code == 4:
            raise SomeUnreachable(report)
    except StaleproofError as error:
        if error.retryable and this.run_count <= retries:
            await _try_again(this, retries, retry_delay_seconds)
            raise
        return _not_done(config, error, run_id)
    except Exception as error:
        emit(failed(error, knowledge=name, run=run_id), knowledge=name)
        raise
    return done(report)


async def _run_engine(config: Config, request: Request, run_id: str, ports: Ports | None) -> Report:
    bar = ProgressBar(asyncio.get_running_loop())

    def on_event(event: Progress | Happened) -> None:
        if isinstance(event, Progress):
            bar.move(event)
        else:
            emit(event, knowledge=config.knowledge.name)

    # The thread takes the context along: its tasks belong to this flow run.
    report = await asyncio.to_thread(
        refresh_knowledge,
        config,
        now=datetime.now(UTC),
        run_id=run_id,
        request=request,
        step=as_task,
        on_event=on_event,
        ports=ports,
    )
    await bar.finish()
    logger.info(
        "Refresh of %s: %s",
        config.knowledge.name,
        outcome(report),
        extra={"event": "refresh.ended", "run": run_id},
    )
    await show_receipt(report, config)
    await show_audit(report, config)
    standing = quarantine(find_store(config.store_uri), verdict_basis(config))
    await show_quarantine(standing, config.knowledge.name)
    return report


async def rename(this: FlowRun, name: str) -> None:
    """Gives a flow run the name that the runs page shows."""
    async with get_client() as client:
        await client.update_flow_run(this.id, name=name)


def outcome(report: Report) -> str:
    """``+12 ~3 -1``, or why nothing was published."""
    return summary(report.documents) if report.published else report.reason or "nothing changed"


def readers_see(publication: int | None) -> str:
    """A sentence about the state that is left."""
    return f"Readers see #{publication}." if publication else "Nothing is published yet."


def done(report: Report) -> State[Any]:
    """The state of a run that did what it could without a person."""
    said = f"{outcome(report)}. {readers_see(report.publication)}"
    if report.pinned:
        said += " To go on: staleproof unpin."
    elif report.holds:
        said += f" {_waits(report.holds)}"
    name = "Pinned" if report.pinned else "Held" if report.holds else None
    return Completed(name=name or "Completed", message=said, data=report.to_dict())


def _waits(holds: Sequence[Hold]) -> str:
    """What waits for a person, what failed its audit first, and the next commands."""
    first, *others = sorted(holds, key=lambda hold: hold.kind != "audit")
    whose = f"Source {first.source}" if first.source else "This run"
    look = to_look(first.kind, first.id)
    said = f"{whose} is held ({first.kind}): {first.why}."
    said += f" To look: {look}." if look else ""
    said += f" To decide: {', or '.join(to_decide(first.id))}."
    return said + (f" {len(others):,} more: staleproof holds." if others else "")


async def _try_again(this: FlowRun, retries: int, delay_seconds: int) -> None:
    """Only now, so that Prefect tries nothing again that does not heal by itself."""
    policy = FlowRunPolicy(retries=retries, retry_delay=delay_seconds)
    async with get_client() as client:
        await client.update_flow_run(this.id, empirical_policy=policy)


def _not_done(config: Config, error: StaleproofError, run_id: str) -> State[Any]:
    name = config.knowledge.name
    if isinstance(error, SomeUnreachable):
        for source in error.report.sources:
            if not source.complete:
                emit(
                    unreachable(source.name, source.error, knowledge=name, run=run_id),
                    knowledge=name,
                )
        return Failed(name="Unreachable", message=str(error), data=error)
    store = find_store(config.store_uri)
    current = newest(store) if store else None
    said = f"{error} {readers_see(current.number if current else None)}"
    if error.retryable and isinstance(error, StoreError):
        return Cancelled(name="Busy", message=said, data=error)
    emit(failed(error, knowledge=name, run=run_id), knowledge=name)
    return Failed(name="Unreachable" if error.retryable else "Failed", message=said, data=error)


def run_on_server(
    config: Config, request: Request, *, reason: str = "command line"
) -> tuple[dict[str, Any], int]:
    """Runs the flow in this process against the configured API, for the command line.

    Args:
        config: The configuration.
        request: What was asked for; the actor is the flow's.
        reason: Why it was started.

    Returns:
        The report as the interface gives it, and the exit code.

    Raises:
        StaleproofError: What the flow ended with, or that there is no server.
    """
    check_server()
    asked = (request.sources, request.recheck, request.publish, request.wait_seconds, reason)

    async def run() -> tuple[State[Any], Any]:
        state = await refresh(str(config.path), *asked, return_state=True)
        return state, await state.aresult(raise_on_failure=False)

    with tags("staleproof", f"kb:{config.knowledge.name}"):
        state, ended = asyncio.run(run())
    if isinstance(ended, SomeUnreachable):
        return ended.report.to_dict(), 4
    if isinstance(ended, BaseException):
        raise ended
    return ended, 3 if state.name in ("Held", "Pinned") else 0

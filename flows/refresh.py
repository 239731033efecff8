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
from collections.abc import Coroutine
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from prefect import Flow, flow, tags
from prefect.client.schemas.objects import State
from prefect.context import SyncClientContext

from flows.artifacts import ProgressBar, show_audit, show_quarantine, show_receipt
from flows.endings import SomeUnreachable, done, ending, not_begun, not_done, outcome
from flows.events import emit, failed, unreachable
from flows.heard import heard
from flows.knowledge import show_knowledge
from flows.links import find_links
from flows.server import check_server, logged_to_server
from flows.shown import shown
from flows.tasks import as_task
from flows.this_run import (
    RETRIES,
    RETRY_DELAY_SECONDS,
    engine_run,
    is_tried_again,
    rename,
    this_run,
)
from pipelines.config import Config, load_config
from pipelines.errors import ConfigError
from pipelines.refresh import Ports, Report, Request, asked_meanwhile, refresh_knowledge

logger = logging.getLogger(__name__)

MOST_LOOKS = 10
"""In one run, however often others ask; the rest waits for the next run."""


def refresh_flow(ports: Ports | None = None, *, retries: int = RETRIES) -> Flow[..., Any]:
    """The flow as people see it: the same parameters, wherever it runs.

    Args:
        ports: The model and the store's write verbs.
        retries: How often a run is tried again that may heal by itself.
    """

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
        path = Path(config) if config else None
        return await refresh_documents(path, request, ports=ports, retries=retries)

    return refresh


refresh: Flow[..., Coroutine[Any, Any, State[Any]]] = refresh_flow()
"""What the deployments run."""


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
    this = this_run()
    try:
        config = load_config(config_path)
    except ConfigError as error:
        await rename(this, f"refresh {ending(error)}")
        emit(failed(error, knowledge="unknown", run=this.id.hex), knowledge="unknown")
        return not_begun(error)
    name = config.knowledge.name
    await rename(this, f"refresh {name}")
    run_id = engine_run(this)
    try:
        # One client for all tasks: each would make its own, and read all certificates for it.
        with SyncClientContext.get_or_create(), logged_to_server():
            reports = await _looks(config, request, run_id, ports)
        await rename(this, f"refresh {name} {outcome(*reports)}")
        if reports[-1].exit_code == 4:
            raise SomeUnreachable(reports[-1])
    except Exception as error:  # a door: of what is not ours the kind is told, not the message
        if await is_tried_again(
            this, f"refresh {name}", error, retries=retries, delay_seconds=retry_delay_seconds
        ):
            raise
        return await _not_done(config, error, run_id)
    return done(*reports)


async def _looks(
    config: Config, request: Request, run_id: str, ports: Ports | None
) -> list[Report]:
    """Refreshes, and again while there is something that others asked for meanwhile.

    They may have found the store held by this run and have left their work to it.
    """
    reports = [await _run_engine(config, request, run_id, ports)]
    again = replace(request, recheck=False)
    while len(reports) < MOST_LOOKS and asked_meanwhile(config, request, reports[-1]):
        logger.info(
            "Looks again: a change was told of meanwhile.", extra={"event": "refresh.again"}
        )
        reports.append(await _run_engine(config, again, f"{run_id}-again{len(reports)}", ports))
    return reports


async def _run_engine(config: Config, request: Request, run_id: str, ports: Ports | None) -> Report:
    bar = ProgressBar(asyncio.get_running_loop())

    # The thread takes the context along: its tasks belong to this flow run.
    report = await asyncio.to_thread(
        refresh_knowledge,
        config,
        now=datetime.now(UTC),
        run_id=run_id,
        request=request,
        step=as_task,
        on_event=heard(bar, knowledge=config.knowledge.name),
        ports=ports,
    )
    await bar.finish()
    logger.info(
        "Refresh of %s: %s",
        config.knowledge.name,
        outcome(report),
        extra={"event": "refresh.ended", "run": run_id},
    )
    with shown("What is shown of the refresh"):
        await _show(report, config)
    await show_knowledge(config, now=datetime.now(UTC))
    return report


async def _show(report: Report, config: Config) -> None:
    """Each page leads to the others, those that are there a moment later among them."""
    name = config.knowledge.name
    links = (await find_links(name)).with_page("knowledge", name).with_page("refresh", name)
    if await show_audit(report, config, links):
        links = links.with_page("audit", name)
    if await show_quarantine(config, links):
        links = links.with_page("quarantine", name)
    await show_receipt(report, config, links)


async def _not_done(config: Config, error: Exception, run_id: str) -> State[Any]:
    """Tells of a run that ended for good without doing what it should."""
    name, state = config.knowledge.name, not_done(config, error)
    if isinstance(error, SomeUnreachable):
        for source in error.report.sources:
            if not source.complete:
                told = unreachable(source.name, source.error, knowledge=name, run=run_id)
                emit(told, knowledge=name)
        return state
    if not state.is_cancelled():
        emit(failed(error, knowledge=name, run=run_id), knowledge=name)
    await show_knowledge(config, now=datetime.now(UTC))
    return state


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

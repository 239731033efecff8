"""The flow ``promote``: lets a version of a model in, if its gate has, and switches readers to it."""

import asyncio
import logging
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed

from flows.artifacts import ProgressBar
from flows.endings import not_begun, not_done, readers_see
from flows.heard import heard
from flows.knowledge import show_knowledge
from flows.server import logged_to_server
from flows.tasks import as_task
from flows.this_run import (
    RETRIES,
    RETRY_DELAY_SECONDS,
    configured,
    engine_run,
    is_tried_again,
    rename,
    this_run,
)
from pipelines.errors import ConfigError
from pipelines.promote import Ports, Promoted, Request, promote_model

logger = logging.getLogger(__name__)


@flow(name="promote", persist_result=False)
async def promote(
    model: str,
    version: str,
    who: str,
    override: bool = False,
    reason: str = "",
    config: str | None = None,
) -> State[Any]:
    """Lets a version in: an index is filled beside what serves, or a generator tried, then it serves.

    Refreshes go on meanwhile. To take it back: run decide with the action demote.

    Args:
        model: Its name in the configuration.
        version: Such as v0.0.2; the artifact evaluation-MODEL shows what the gate said of it.
        who: Your name; the history keeps it.
        override: Let it in whatever the gate said; that needs a reason.
        reason: Why; it is kept.
        config: The configuration file; the deployment knows it.
    """
    request = Request(
        model=model.strip(),
        version=version.strip(),
        actor=f"prefect: {who.strip()}",
        override=override,
        reason=reason.strip(),
    )
    if not who.strip():
        return not_begun(ConfigError("Nobody promotes.", hint="Write your name into who."))
    return await promote_version(Path(config) if config else None, request)


async def promote_version(
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
        request: Which version, who asks, and whether the gate is overridden.
        ports: The registry, the models, and the store's write verbs.
        retries: How often a run is tried again that may heal by itself.
        retry_delay_seconds: The time between.

    Returns:
        The final state; where gate or audit refused the version, Completed under ``Refused``.

    Raises:
        StaleproofError: It may heal by itself, and Prefect is told to try again.
    """
    this = this_run()
    what = f"promote {request.model} {request.version}"
    config = await configured(this, config_path, what)
    if isinstance(config, State):
        return config
    await rename(this, what)
    bar, now = ProgressBar(asyncio.get_running_loop()), datetime.now(UTC)

    try:
        with logged_to_server():
            done = await asyncio.to_thread(
                promote_model,
                config,
                request,
                now=now,
                run_id=engine_run(this),
                step=as_task,
                on_event=heard(bar, knowledge=config.knowledge.name),
                ports=ports,
            )
        await bar.finish()
    except Exception as error:  # a door: of what is not ours the kind is told, not the message
        if await is_tried_again(
            this, what, error, retries=retries, delay_seconds=retry_delay_seconds
        ):
            raise
        return not_done(config, error)
    await show_knowledge(config, now=now)
    if not done.promoted:
        await rename(this, f"{what} refused")
    return _ended(done)


def _ended(done: Promoted) -> State[Any]:
    name = f"{done.model} {done.version}"
    if not done.promoted:
        said = f"{name} is not promoted: {done.reason}. {readers_see(done.publication)}"
        if done.filled is None:  # it was the gate; the audit is not to be overridden
            said += " To let it in all the same: run this again with override and a reason."
        return Completed(name="Refused", message=said, data=done.to_dict())
    said = f"{name} serves. {readers_see(done.publication)}"
    more = " ".join(done.attention)
    return Completed(message=f"{said} {more}".strip(), data=done.to_dict())

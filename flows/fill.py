"""The flow ``fill``: moves the knowledge base to the embedder that the configuration names."""

import asyncio
import logging
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed

from flows.artifacts import ProgressBar
from flows.endings import not_done, readers_see
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
from pipelines.config import Config
from pipelines.fill import Filled, Ports, abort_fill, configured_embedder, fill_generation

logger = logging.getLogger(__name__)


@flow(name="fill", persist_result=False)
async def fill(abort: bool = False, reason: str = "", config: str | None = None) -> State[Any]:
    """Embeds all passages with the embedder that [embedder] model names, then switches readers.

    Refreshes go on meanwhile. Stopped at any time, the next run goes on where it was.

    Args:
        abort: Give up every fill, also that of a promotion, and remove what it has embedded.
        reason: Why; becomes part of the actor in the history.
        config: The configuration file; the deployment knows it.
    """
    actor = f"prefect: {reason}" if reason else "prefect"
    return await fill_knowledge(Path(config) if config else None, abort=abort, actor=actor)


async def fill_knowledge(
    config_path: Path | None,
    *,
    abort: bool = False,
    actor: str = "prefect",
    ports: Ports | None = None,
    retries: int = RETRIES,
    retry_delay_seconds: int = RETRY_DELAY_SECONDS,
) -> State[Any]:
    """The body of the flow, inside a flow run.

    Args:
        config_path: The configuration file.
        abort: Whether to give up what goes on instead.
        actor: Who asks.
        ports: The models and the store's write verbs.
        retries: How often a run is tried again that may heal by itself.
        retry_delay_seconds: The time between.

    Returns:
        The final state; where the audit refused the new index, Completed under ``Refused``; where
        the model serves already, under ``Nothing changed``.

    Raises:
        StaleproofError: It may heal by itself, and Prefect is told to try again.
    """
    this = this_run()
    config = await configured(this, config_path, "fill")
    if isinstance(config, State):
        return config
    name = config.knowledge.name
    run = engine_run(this)
    await rename(this, f"fill {name}")
    try:
        with logged_to_server():
            if abort:
                return await _abort(config, run)
            done = await _fill(config, run, actor, ports)
    except Exception as error:  # a door: of what is not ours the kind is told, not the message
        if await is_tried_again(
            this, f"fill {name}", error, retries=retries, delay_seconds=retry_delay_seconds
        ):
            raise
        return not_done(config, error)
    await show_knowledge(config, now=datetime.now(UTC))
    return _ended(done, config)


async def _abort(config: Config, run: str) -> State[Any]:
    removed = await asyncio.to_thread(abort_fill, config, now=datetime.now(UTC), run_id=run)
    return Completed(message=f"No fill goes on; {removed:,} embedded passages removed.")


async def _fill(config: Config, run: str, actor: str, ports: Ports | None) -> Filled:
    bar = ProgressBar(asyncio.get_running_loop())

    wanted = configured_embedder(config, actor=actor)
    done = await asyncio.to_thread(
        fill_generation,
        config,
        wanted=wanted,
        now=datetime.now(UTC),
        run_id=run,
        step=as_task,
        on_event=heard(bar, knowledge=config.knowledge.name),
        ports=ports,
    )
    await bar.finish()
    return done


def _ended(done: Filled, config: Config) -> State[Any]:
    if done.serves and not done.switched:
        said = f"{config.embedder.model} serves already. {readers_see(done.publication)}"
        return Completed(name="Nothing changed", message=said, data=done.to_dict())
    if not done.switched:
        said = f"Not switched: {done.reason}. {readers_see(done.publication)}"
        return Completed(name="Refused", message=said, data=done.to_dict())
    said = f"{config.embedder.model} serves. {readers_see(done.publication)}"
    more = " ".join(done.attention)
    return Completed(message=f"{said} {more}".strip(), data=done.to_dict())

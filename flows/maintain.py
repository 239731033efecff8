"""The flow ``maintain``: tends the store, and says how much came free."""

import asyncio
import logging
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed

from flows.endings import not_done, readers_see
from flows.knowledge import show_knowledge
from flows.server import logged_to_server
from flows.tasks import as_task
from flows.this_run import (
    RETRIES,
    RETRY_DELAY_SECONDS,
    configured,
    is_tried_again,
    rename,
    this_run,
)
from pipelines.maintain import Maintained
from pipelines.maintain import maintain as maintain_store

logger = logging.getLogger(__name__)


@flow(name="maintain", persist_result=False)
async def maintain(config: str | None = None, wait_seconds: float = 600) -> State[Any]:
    """Removes what is kept no longer, compacts the tables, and drops what killed runs left.

    Readers notice nothing: what they see is never touched.

    Args:
        config: The configuration file; without one STALEPROOF_CONFIG, else ./staleproof.toml.
        wait_seconds: How long to wait while a refresh holds the store.
    """
    return await maintain_knowledge(Path(config) if config else None, wait_seconds)


async def maintain_knowledge(
    config_path: Path | None,
    wait_seconds: float,
    *,
    retries: int = RETRIES,
    retry_delay_seconds: int = RETRY_DELAY_SECONDS,
) -> State[Any]:
    """The body of the flow, inside a flow run.

    Args:
        config_path: The configuration file.
        wait_seconds: How long to wait for the lock.
        retries: How often a run is tried again that may heal by itself.
        retry_delay_seconds: The time between.

    Returns:
        The final state; where a refresh held the store all the time, cancelled under ``Busy``.

    Raises:
        StaleproofError: It may heal by itself, and Prefect is told to try again.
    """
    this = this_run()
    config = await configured(this, config_path, "maintain")
    if isinstance(config, State):
        return config
    name, now = config.knowledge.name, datetime.now(UTC)
    await rename(this, f"maintain {name}")
    try:
        with logged_to_server():
            done = await asyncio.to_thread(
                maintain_store,
                config,
                now=now,
                run_id=this.id.hex,
                step=as_task,
                wait_seconds=wait_seconds,
            )
            said = _said(done)
            logger.info("Maintenance of %s: %s", name, said, extra={"event": "maintain.ended"})
    except Exception as error:  # a door: of what is not ours the kind is told, not the message
        if await is_tried_again(
            this, f"maintain {name}", error, retries=retries, delay_seconds=retry_delay_seconds
        ):
            raise
        return not_done(config, error)
    await rename(this, f"maintain {name} {_freed(done)}")
    await show_knowledge(config, now=now)
    return Completed(message=f"{said} {readers_see(done.publication)}", data=done.to_dict())


def _freed(done: Maintained) -> str:
    return f"{max(0, done.bytes_before - done.bytes_after) / 1e6:,.1f} MB freed"


def _said(done: Maintained) -> str:
    return (
        f"{_freed(done)}, {done.bytes_after / 1e6:,.1f} MB are left;"
        f" {done.kept:,} states can be rolled back to."
    )

"""The flow ``watchdog``: says how fresh the knowledge is, and tells others when that changes."""

import asyncio
import logging
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed

from flows.endings import ending, not_done
from flows.events import emit
from flows.knowledge import show_knowledge
from flows.server import logged_to_server
from flows.this_run import configured, rename, this_run
from pipelines.watchdog import remember_health, watch_freshness

logger = logging.getLogger(__name__)

STATES = {"degraded": "Degraded", "warning": "Warning", "unknown": "Unknown"}
"""The name of the final state, by health; it is Completed all the same, for the look was done."""


@flow(name="watchdog", persist_result=False)
async def watchdog(config: str | None = None) -> State[Any]:
    """Looks how fresh each source is, from our own store; emits an event where that changed.

    Args:
        config: The configuration file; without one STALEPROOF_CONFIG, else ./staleproof.toml.
    """
    this = this_run()
    settings = await configured(this, Path(config) if config else None, "watchdog")
    if isinstance(settings, State):
        return settings
    name, now = settings.knowledge.name, datetime.now(UTC)
    await rename(this, f"watchdog {name}")
    try:
        with logged_to_server():
            watched = await asyncio.to_thread(watch_freshness, settings, now=now)
            for change in watched.changed:
                emit(change.happened, knowledge=name)
                logger.info(
                    "%s: %s, was %s. %s",
                    change.subject,
                    change.health,
                    change.before,
                    change.why,
                    extra={"event": "health.changed"},
                )
            await asyncio.to_thread(remember_health, settings, watched, now=now)
    except Exception as error:  # noqa: BLE001 - a door: of what is not ours the kind is told only
        await rename(this, f"watchdog {name} {ending(error)}")
        return not_done(settings, error)
    health = watched.freshness.health
    await rename(this, f"watchdog {name} {health}")
    await show_knowledge(settings, now=now)
    return Completed(
        name=STATES.get(health, "Completed"),
        message=watched.freshness.why,
        data=watched.freshness.to_dict(),
    )

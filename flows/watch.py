"""The flow ``watch``: is a model that serves still worth having; shows what says so, tells of turns.

How a run ends, in Prefect's words: Completed under ``Fresh``, ``Watch`` or ``Stale``, after the
worst of the models; ``Nothing to watch`` where none serves; another look at work: tried again, then
cancelled under the name ``Busy``.
"""

import asyncio
import logging
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed

from flows.artifacts import ProgressBar
from flows.endings import not_done
from flows.heard import heard
from flows.knowledge import show_knowledge
from flows.server import logged_to_server
from flows.shown import shown
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
from flows.watched import show_watched
from pipelines.config import Config
from pipelines.watch import Ports, Report, Watched, watch_models

logger = logging.getLogger(__name__)

WORST = ("stale", "watch", "fresh")
NOTHING = "Nothing to watch"


@flow(name="watch", persist_result=False)
async def watch(model: str = "", config: str | None = None, reason: str = "") -> State[Any]:
    """Looks at the models that serve: fresh, watch or stale, and why.

    A model that has gone stale is told as an event; the deployment retrain hears it.

    Args:
        model: Its name in the configuration. Nothing: all of them.
        config: The configuration file; without one STALEPROOF_CONFIG, else ./staleproof.toml.
        reason: Why this run was started; is kept in its log.
    """
    return await watch_versions(Path(config) if config else None, model.strip(), reason=reason)


async def watch_versions(
    config_path: Path | None,
    model: str,
    *,
    reason: str = "",
    ports: Ports | None = None,
    retries: int = RETRIES,
    retry_delay_seconds: int = RETRY_DELAY_SECONDS,
) -> State[Any]:
    """The body of the flow, inside a flow run.

    Args:
        config_path: The configuration file.
        model: Which; nothing for all.
        reason: Why this run was started.
        ports: The registry and the models.
        retries: How often a run is tried again that may heal by itself.
        retry_delay_seconds: The time between.

    Returns:
        The final state; its data is the report as the interface gives it, or the error.

    Raises:
        StaleproofError: It may heal by itself, and Prefect is told to try again.
    """
    this = this_run()
    config = await configured(this, config_path, f"watch {model}".strip())
    if isinstance(config, State):
        return config
    subject = model or config.knowledge.name
    await rename(this, f"watch {subject}")
    now = datetime.now(UTC)
    try:
        with logged_to_server():
            if reason:
                logger.info("This look was asked for: %s", reason, extra={"event": "watch.asked"})
            report = await _look(config, model, ports, now=now, run_id=engine_run(this))
    except Exception as error:  # a door: of what is not ours the kind is told, not the message
        if await is_tried_again(
            this, f"watch {subject}", error, retries=retries, delay_seconds=retry_delay_seconds
        ):
            raise
        return not_done(config, error)
    await rename(this, f"watch {subject} {_worst(report) or 'nothing to watch'}")
    await show_knowledge(config, now=now)
    return _ended(report)


async def _look(
    config: Config, model: str, ports: Ports | None, *, now: datetime, run_id: str
) -> Report:
    bar = ProgressBar(asyncio.get_running_loop())
    report = await asyncio.to_thread(
        watch_models,
        config,
        (config.model(model).name,) if model else (),
        now=now,
        run_id=run_id,
        step=as_task,
        on_event=heard(bar, knowledge=config.knowledge.name),
        ports=ports,
    )
    await bar.finish()
    for one in report.models:
        logger.info("%s: %s", _name(one), _said(one), extra={"event": "watch.looked"})
        with shown(f"The page drift-{one.model}"):
            await show_watched(one, config)
    if report.error is not None:
        raise report.error
    return report


def _worst(report: Report) -> str | None:
    levels = {one.verdict.level for one in report.models if one.verdict}
    return next((level for level in WORST if level in levels), None)


def _ended(report: Report) -> State[Any]:
    worst, data = _worst(report), report.to_dict()
    said = [f"{_name(one)}: {_said(one)}" for one in report.models]
    if worst is None:
        why = " ".join(said) or "The configuration has no [[models]]."
        return Completed(name=NOTHING, message=why, data=data)
    pages = ", ".join(f"drift-{one.model}" for one in report.models if one.verdict)
    shows = f"The artifact {pages} shows the evidence."
    return Completed(name=worst.capitalize(), message=" ".join([*said, shows]), data=data)


def _name(one: Watched) -> str:
    return f"{one.model} {one.version}" if one.version else one.model


def _said(one: Watched) -> str:
    """The verdict and its reasons, else why there is none."""
    if one.verdict is None:
        return _closed(one.said)
    why = "; ".join(one.verdict.reasons)
    return _closed(f"{one.verdict.level}, {why}" if why else one.verdict.level)


def _closed(said: str) -> str:
    return said if said.endswith(".") else f"{said}."

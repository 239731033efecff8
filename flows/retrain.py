"""The flow ``retrain``: trains a model on what is published and shows what came out.

How a run ends, in Prefect's words:
- a version that may be promoted, Completed; one that the gate refuses, Completed under ``Refused``;
- ``Nothing changed`` since the newest version, ``Not needed`` where a run that nobody asked for may
  not start: Completed as well;
- another run at work on the versions: tried again, then cancelled under the name ``Busy``.
"""

import asyncio
import logging
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Cancelled, Completed

from flows.artifacts import ProgressBar
from flows.endings import not_done, readers_see_now
from flows.evaluations import show_evaluation
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
from pipelines.config import Config
from pipelines.errors import ConfigError, RegistryBusy, RunCancelled
from pipelines.promote import mend_stages
from pipelines.retrain import Asked, Decision, Report, may_retrain, retrain_model

logger = logging.getLogger(__name__)


@flow(name="retrain", persist_result=False)
async def retrain(
    model: str = "",
    config: str | None = None,
    scheduled: bool = False,
    reason: str = "",
    wait_seconds: float = 0,
) -> State[Any]:
    """Trains a new version on what is published today, and has the gate judge it.

    Nothing is served by it: that is what promote is for.

    Args:
        model: Its name in the configuration. Nothing: the only one; where nobody asked for it, the
            first one that needs it.
        config: The configuration file; without one STALEPROOF_CONFIG, else ./staleproof.toml.
        scheduled: Nobody asked for it: it trains only if the version in use is stale, does not cool
            down, and budget is left.
        reason: Why this run was started; is kept with the version.
        wait_seconds: How long to wait for another run that trains.
    """
    asked = Asked(by_itself=scheduled, reason=reason, wait_seconds=wait_seconds)
    return await retrain_version(Path(config) if config else None, model, asked)


async def retrain_version(
    config_path: Path | None,
    model: str,
    asked: Asked,
    *,
    retries: int = RETRIES,
    retry_delay_seconds: int = RETRY_DELAY_SECONDS,
) -> State[Any]:
    """The body of the flow, inside a flow run.

    Args:
        config_path: The configuration file.
        model: Which.
        asked: How it was asked for.
        retries: How often a run is tried again that may heal by itself.
        retry_delay_seconds: The time between.

    Returns:
        The final state; its data is the report as the interface gives it, or the error.

    Raises:
        StaleproofError: It may heal by itself, and Prefect is told to try again.
    """
    this = this_run()
    config = await configured(this, config_path, f"retrain {model}".strip())
    if isinstance(config, State):
        return config
    subject = model or config.knowledge.name
    await rename(this, f"retrain {subject}")
    run_id = engine_run(this)
    try:
        with logged_to_server():
            model, decisions = _which(config, model, asked)
            if not model:
                await rename(this, f"retrain {subject} not needed")
                return _not_needed(decisions)
            await rename(this, f"retrain {model}")
            report = await _train(config, model, asked, run_id)
    except RunCancelled as error:
        await rename(this, f"retrain {model} cancelled")
        return Cancelled(message=f"{error} {readers_see_now(config)}", data=error)
    except Exception as error:  # a door: of what is not ours the kind is told, not the message
        if await is_tried_again(
            this, f"retrain {model}", error, retries=retries, delay_seconds=retry_delay_seconds
        ):
            raise
        if isinstance(error, RegistryBusy):
            return Cancelled(name="Busy", message=str(error), data=error)
        return not_done(config, error)
    await rename(this, f"retrain {model} {_word(report)}")
    await show_knowledge(config, now=datetime.now(UTC))
    return _ended(report)


def _which(config: Config, model: str, asked: Asked) -> tuple[str, Mapping[str, Decision]]:
    """The model to train, and why not others; an empty name where none needs it.

    Raises:
        ConfigError: Somebody asked for it and did not say which.
        UnknownName: There is no such model.
    """
    names = [config.model(model).name] if model else [one.name for one in config.models]
    if not asked.by_itself:
        if len(names) == 1:
            return names[0], {}
        known = ", ".join(names) or "none; [[models]] in the configuration adds one"
        raise ConfigError("Which model is to be trained?", hint=f"Known models: {known}.")
    now = datetime.now(UTC)
    decisions = {name: may_retrain(config, name, now=now) for name in names}
    return next((name for name, said in decisions.items() if said.may), ""), decisions


async def _train(config: Config, model: str, asked: Asked, run_id: str) -> Report:
    bar, over = ProgressBar(asyncio.get_running_loop()), threading.Event()

    try:
        await asyncio.to_thread(mend_stages, config)  # what an earlier run could not do
        report = await asyncio.to_thread(
            retrain_model,
            config,
            model,
            now=datetime.now(UTC),
            run_id=run_id,
            asked=asked,
            step=as_task,
            on_event=heard(bar, knowledge=config.knowledge.name),
            cancelled=over.is_set,
        )
    finally:
        over.set()  # whoever ended this flow ended the training with it
    await bar.finish()
    with shown(f"The page evaluation-{model}"):
        await show_evaluation(report, config)
    return report


def _word(report: Report) -> str:
    if report.version is None:
        return "nothing changed"
    return f"{report.version} refused" if report.is_refused else report.version


def _not_needed(decisions: Mapping[str, Decision]) -> State[Any]:
    said = [f"{name}: {_why(decision)}" for name, decision in decisions.items()]
    why = " ".join(said) or "The configuration has no [[models]]."
    data = {name: decision.to_dict() for name, decision in decisions.items()}
    return Completed(name="Not needed", message=f"Nothing was trained. {why}", data=data)


def _why(decision: Decision) -> str:
    when = f" It may from {decision.at:%Y-%m-%d %H:%M} UTC on." if decision.at else ""
    return f"{decision.why}.{when}"


def _ended(report: Report) -> State[Any]:
    data = report.to_dict()
    if report.version is None:
        said = f"{report.model}: {report.reason}. No version was made."
        return Completed(name="Nothing changed", message=said, data=data)
    name = f"{report.model} {report.version}"
    shows = f"The artifact evaluation-{report.model} shows the numbers."
    if report.is_refused:
        why = "; ".join(data["reasons"])
        said = f"The gate refuses {name}: {why}. {shows} To look at it: {report.next}"
        return Completed(name="Refused", message=said, data=data)
    return Completed(message=f"{name} may be promoted. {shows} To do it: {report.next}", data=data)

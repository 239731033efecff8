"""The flow ``decide``: a person with only a browser puts things right."""

import asyncio
import logging
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.deployments import arun_deployment
from prefect.exceptions import ObjectNotFound, PrefectHTTPStatusError
from prefect.states import Completed, Failed

from flows.decisions import Decided, decide_on, decision_made
from flows.endings import not_begun, not_done, readers_see_now
from flows.events import emit
from flows.faults import fault
from flows.knowledge import show_knowledge
from flows.server import logged_to_server
from flows.this_run import rename, this_run
from pipelines.config import Config, load_config
from pipelines.errors import ConfigError, StaleproofError
from pipelines.knowledge import Signed

logger = logging.getLogger(__name__)

Action = Literal[
    "accept",
    "drop",
    "release",
    "withhold",
    "lift",
    "rollback",
    "unpin",
    "pause",
    "resume",
    "demote",
]


@flow(name="decide", persist_result=False)
async def decide(
    action: Action,
    who: str,
    subject: str = "",
    reason: str = "",
    refresh: bool = True,
    config: str | None = None,
) -> State[Any]:
    """Decides what waits for a person, and keeps who decided it and why.

    Args:
        action: accept: let a hold through, exactly what it names. drop: refuse a hold; what is
            published stays. release: let a document version out of quarantine. withhold: take a
            document away from all readers, at once. lift: give it back. rollback: publish an
            earlier state and stay with it. unpin: let refreshes publish again. pause: leave a
            source out of refreshes. resume: take it in again. demote: take back the promotion of
            a model; the former embedder serves again.
        who: Your name; the history keeps it.
        subject: What it is about. accept, drop: the id of a hold. release, withhold, lift: the uri
            of a document, like handbook/hr/leave.md. rollback: the number of a publication, or
            nothing for the state before this one. pause, resume: the name of a source. demote: the
            name of a model. unpin: nothing.
        reason: Why; it is kept. release, withhold and lift need one.
        refresh: Start a refresh right after, where one carries the decision out (accept, release,
            unpin, resume). Off: the next scheduled one does.
        config: The configuration file; the deployment knows it.
    """
    this = this_run()
    who, subject, reason = who.strip(), subject.strip(), reason.strip()
    about = f"{action} {subject}".strip()
    await rename(this, f"decide {about} by {who or 'nobody'}")
    try:
        settings = load_config(Path(config) if config else None)
    except ConfigError as error:
        return not_begun(error)
    now = datetime.now(UTC)
    try:
        if not who:
            raise ConfigError("Nobody decides.", hint="Write your name into who.")
        signed = Signed(this.id.hex, f"prefect: {who}", now)
        done = await asyncio.to_thread(
            decide_on, settings, action, subject, reason=reason, signed=signed
        )
    except StaleproofError as error:
        return Failed(message=f"{error} Nothing was decided.", data=error)
    except Exception as error:  # noqa: BLE001 - a door: of what is not ours the kind is told only
        return not_done(settings, error)
    with logged_to_server():
        logger.info("%s decided: %s. %s", who, about, done.said, extra={"event": "decision.made"})
    made = decision_made(settings, action, subject, reason=reason, signed=signed)
    emit(made, knowledge=settings.knowledge.name)
    followed = done.needs_refresh and refresh and await _refresh(settings, f"{about} by {who}")
    await show_knowledge(settings, now=now)
    said = _said(settings, done, followed=bool(followed))
    return Completed(message=said, data=made.payload | {"said": said})


def _said(config: Config, done: Decided, *, followed: bool) -> str:
    """What was done, what readers see now, and what comes next."""
    parts = [done.said, readers_see_now(config)]
    if followed:
        parts.append(
            f"A run of refresh/{config.knowledge.name} is started and carries it out; where one is"
            " running already, the next scheduled one does."
        )
    elif done.needs_refresh:
        parts.append("The next refresh carries it out.")
    return " ".join(parts)


async def _refresh(config: Config, reason: str) -> bool:
    """Starts the deployed refresh; False where none is deployed."""
    try:
        await arun_deployment(
            f"refresh/{config.knowledge.name}",
            parameters={"reason": reason},
            timeout=0,
            as_subflow=False,
        )
    except ObjectNotFound:
        return False
    except PrefectHTTPStatusError as error:  # what was decided stands
        logger.warning("The refresh was not started: %s.", fault(error))
        return False
    return True

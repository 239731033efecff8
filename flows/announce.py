"""Tells the server of something that happened outside of flows, without importing Prefect."""

import logging
from datetime import datetime
from uuid import uuid4

from flows.events import as_event
from flows.ops.rest import Api
from flows.ops.state import running
from pipelines.config import Config
from pipelines.errors import ConfigError
from pipelines.records import Happened

logger = logging.getLogger(__name__)

SECONDS = 1.0
"""A server that takes longer is not waited for: what happened is in the store."""


def tell_server(config: Config, happened: Happened, *, at: datetime) -> bool:
    """Sends an event where a server is known; nothing fails or waits where none answers.

    The server is that of PREFECT_API_URL, else of this project's ``up``, if that runs.

    Args:
        config: The configuration.
        happened: What happened.
        at: When.

    Returns:
        Whether a server has it.
    """
    try:
        api = _server(config)
        if api is None:
            return False
        event = as_event(happened, knowledge=config.knowledge.name)
        event |= {"id": str(uuid4()), "occurred": at.isoformat()}
        api.ask("POST", "/events", [event], seconds=SECONDS)
    except (OSError, ConfigError) as error:
        logger.debug("No server was told of %s: %s", happened.event, type(error).__name__)
        return False
    return True


def _server(config: Config) -> Api | None:
    return Api.named() or (Api.of(config) if running(config) else None)

"""The Prefect server: whether one is there, and that it hears what a run logs."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from prefect import get_client
from prefect.exceptions import PrefectHTTPStatusError
from prefect.logging.handlers import APILogHandler
from prefect.settings import PREFECT_API_URL

from pipelines.errors import ConfigError, ServerUnavailable


@contextmanager
def logged_to_server() -> Iterator[None]:
    """What engine and flows log meanwhile, in a flow run, is on the page of that run.

    Prefect's setting for this (extra loggers) is read when Prefect is imported, and a worker
    imports it before it imports any flow: so the handler is put there by hand.
    """
    loggers = (logging.getLogger("pipelines"), logging.getLogger("flows"))
    added = [
        (logger, APILogHandler())
        for logger in loggers
        if not any(isinstance(handler, APILogHandler) for handler in logger.handlers)
    ]
    for logger, handler in added:
        logger.addHandler(handler)
    try:
        yield
    finally:
        for logger, handler in added:
            logger.removeHandler(handler)


def check_server() -> None:
    """Sees that a server is configured and answers; Prefect would start one of its own otherwise.

    Raises:
        ConfigError: None is configured.
        ServerUnavailable: It does not answer, or not to us.
    """
    url = PREFECT_API_URL.value()
    if not url:
        raise ConfigError(
            "There is no Prefect server to run the flow on: PREFECT_API_URL is not set.",
            hint="Start one (prefect server start) and set"
            " PREFECT_API_URL=http://127.0.0.1:4200/api; or refresh without --flow.",
        )
    with get_client(sync_client=True) as client:
        problem = client.api_healthcheck()
        if problem is None:
            try:
                client.read_flows(limit=1)  # health is told to everybody, this is not
            except PrefectHTTPStatusError as error:
                problem = error
    if problem is not None:
        raise ServerUnavailable(
            f"The Prefect server at {url} does not answer us ({type(problem).__name__}).",
            hint="See that it runs and that PREFECT_API_AUTH_STRING is right;"
            " or refresh without --flow.",
        ) from problem

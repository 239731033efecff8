"""Runs the receiver as a process, until it is asked to stop."""

import logging
import os
import signal
import socket
import sys
from collections.abc import Mapping

import uvicorn

from flows.webhook.app import make_app
from flows.webhook.signatures import check_secrets
from pipelines.config import Config
from pipelines.errors import ServerFailed

_CONNECTIONS = 256
"""At a time; each may hold a body in memory."""
_STOP_SECONDS = 10


def serve(config: Config, env: Mapping[str, str] = os.environ) -> None:
    """Takes deliveries until somebody asks it to stop; what it has begun then is answered.

    Raises:
        ConfigError: The secret of an endpoint is not there.
        ServerFailed: It cannot listen where it is told to.
    """
    check_secrets(config, env)
    with listen(config) as listening:
        logging.basicConfig(
            level=logging.WARNING, format="%(asctime)s %(levelname)-7s %(message)s", force=True
        )
        # The server hands the signal on when it has stopped.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        server = uvicorn.Server(
            uvicorn.Config(
                make_app(config, env),
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                http="h11",
                ws="none",
                lifespan="off",
                limit_concurrency=_CONNECTIONS,
                timeout_graceful_shutdown=_STOP_SECONDS,
            )
        )
        server.run(sockets=[listening])


def listen(config: Config) -> socket.socket:
    """A socket at the address of ``[webhook]``.

    Raises:
        ServerFailed: This machine cannot listen there.
    """
    host, port = config.webhook.host, config.webhook.port
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=512)
    except OSError as error:
        raise ServerFailed(
            f"[webhook] host = {host}, port = {port}: cannot listen there ({error.strerror}).",
            hint="See what listens there; or choose another address of this machine, or port.",
        ) from error

"""A Prefect server as people run it, with its scheduler and automations, on a free port."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.integration.test_prefect_server import stop, wait_until_healthy
from tests.machine import forget_the_server, free_port

QUICK = {
    "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_FLUSH_INTERVAL": "0.1",
    "PREFECT_SERVER_SERVICES_SCHEDULER_LOOP_SECONDS": "3",
    "PREFECT_SERVER_SERVICES_SCHEDULER_RECENT_DEPLOYMENTS_LOOP_SECONDS": "2",
    "PREFECT_SERVER_EVENTS_PROACTIVE_GRANULARITY": "PT2S",
}


@contextmanager
def served(folder: Path) -> Iterator[None]:
    """This process and its children talk to a new server meanwhile."""
    from prefect.settings import PREFECT_API_URL, PREFECT_HOME, temporary_settings

    port, log = free_port(), folder / "server.log"
    url = f"http://127.0.0.1:{port}/api"
    own = {
        "PREFECT_HOME": str(folder / "prefect"),
        "PREFECT_SERVER_API_HOST": "127.0.0.1",
        "PREFECT_SERVER_API_PORT": str(port),
        "PREFECT_API_URL": url,
    }
    with log.open("wb") as output:
        server = subprocess.Popen(
            [sys.executable, "-m", "prefect", "server", "start"],
            cwd=folder,
            env=os.environ | QUICK | own,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            wait_until_healthy(port, server, log)
            with temporary_settings({PREFECT_API_URL: url, PREFECT_HOME: folder / "prefect"}):
                yield
        finally:
            forget_the_server()
            stop(server)

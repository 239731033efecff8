"""What tests of servers and other processes share: free ports, the command line, waiting."""

import os
import socket
import sys
import time
from collections.abc import Callable

STALEPROOF = (sys.executable, "-P", "-c", "from flows.cli import main; main()")
"""The command line as a process of its own."""
NAMES_A_SERVER = ("PREFECT_API_URL", "PREFECT_API_AUTH_STRING", "PREFECT_HOME")


def free_port() -> int:
    """A port of this machine that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def without_server() -> dict[str, str]:
    """This environment, naming no Prefect server."""
    return {name: value for name, value in os.environ.items() if name not in NAMES_A_SERVER}


def wait_until(
    true: Callable[[], bool],
    *,
    seconds: float = 180,
    said: Callable[[], str] = lambda: "it did not happen",
) -> None:
    """Fails with what is said where it does not become true."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, said()
        time.sleep(0.1)


def forget_the_server() -> None:
    """Ends what sends events and logs in this process: it would go on with this server's address."""
    from prefect.events.worker import EventsWorker
    from prefect.logging.handlers import APILogWorker

    for worker in (EventsWorker, APILogWorker):
        worker.drain_all(timeout=30, at_exit=False)

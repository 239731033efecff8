"""What asks a process to stop, Ctrl-C, SIGTERM or a closed terminal, makes it stop in order."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

_STOP = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def stopped_by_signals(stopping: threading.Event) -> Iterator[None]:
    """Meanwhile each of them sets the event and does nothing else."""
    with _handled(lambda *_: stopping.set()):
        yield


@contextmanager
def interrupted_by_signals() -> Iterator[None]:
    """Meanwhile each of them raises KeyboardInterrupt, also where a shell has it ignored."""
    with _handled(signal.default_int_handler):
        yield


@contextmanager
def _handled(handler: Callable[..., Any]) -> Iterator[None]:
    before = {number: signal.signal(number, handler) for number in _STOP}
    try:
        yield
    finally:
        for number, former in before.items():
            signal.signal(number, former)

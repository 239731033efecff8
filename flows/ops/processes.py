"""Processes by their id and the time they started, for ids are used again."""

import contextlib
import os
import signal
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import psutil
from filelock import FileLock, Timeout

from flows.ops.environment import MARK
from pipelines.processes import ProcessId, is_alive


def wait_gone(process: ProcessId, seconds: float) -> bool:
    """Waits until it has ended; False where it still runs then."""
    deadline = time.monotonic() + seconds
    while is_alive(process):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def send(process: ProcessId, number: signal.Signals) -> None:
    """A signal to exactly this process, if it is still there."""
    if is_alive(process):
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, number)


def marked(value: str) -> list[ProcessId]:
    """Every process whose environment has ``MARK`` with this value: ``up``'s and their children's.

    Runs of flows have sessions of their own, so that no process group holds them all.
    """
    found = []
    for process in psutil.process_iter():
        try:
            zombie = process.status() == psutil.STATUS_ZOMBIE
            if not zombie and process.environ().get(MARK) == value:
                found.append(ProcessId(process.pid, process.create_time()))
        except (psutil.Error, OSError):
            continue  # ended meanwhile, or somebody else's
    return [one for one in found if one.pid != os.getpid()]


def reap(value: str, seconds: float) -> list[ProcessId]:
    """Ends every marked process: asks first, and kills what is still there after ``seconds``.

    Returns:
        What was found running.
    """
    found = marked(value)
    _signal(found, signal.SIGTERM)
    deadline = time.monotonic() + seconds
    while any(is_alive(process) for process in found) and time.monotonic() < deadline:
        time.sleep(0.1)
    # Once more by the mark: what was asked to end may have started something.
    for _ in range(3):
        left = marked(value)
        if not left:
            break
        _signal(left, signal.SIGKILL)
        for process in left:
            wait_gone(process, 5)
    return found


def _signal(processes: Iterable[ProcessId], number: signal.Signals) -> None:
    for process in processes:
        send(process, number)


@contextlib.contextmanager
def only_one(lock_file: Path, *, or_else: Exception, seconds: float = 0) -> Iterator[None]:
    """At most one process at a time; the system frees the lock when its holder ends.

    Args:
        lock_file: The lock.
        or_else: What is raised where another one holds it.
        seconds: How long to wait for that one.
    """
    lock = FileLock(lock_file)
    try:
        lock.acquire(timeout=seconds)
    except Timeout:
        raise or_else from None
    try:
        yield
    finally:
        lock.release()

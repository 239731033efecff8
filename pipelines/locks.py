"""A lock of one machine that says who holds it; the system frees it when its holder dies."""

import contextlib
import json
import os
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import filelock


@contextlib.contextmanager
def held(
    lock: Path,
    about: Path,
    *,
    run: str,
    now: datetime,
    wait_seconds: float,
    busy: Callable[[], Exception],
    waits: Callable[[], None] = lambda: None,
) -> Iterator[None]:
    """Holds a lock, and leaves beside it who does and since when.

    Args:
        lock: The file that is locked.
        about: The file that says who holds it.
        run: Who takes it.
        now: Since when.
        wait_seconds: How long to wait for somebody else; 0 does not wait.
        busy: Makes what to raise where somebody else holds it still.
        waits: Called before it waits for somebody else.
    """
    taken = filelock.FileLock(lock)
    try:
        _acquire(taken, wait_seconds, waits)
    except filelock.Timeout as error:
        raise busy() from error
    try:
        about.write_text(json.dumps({"pid": os.getpid(), "run": run, "since": now.isoformat()}))
        yield
    finally:
        if f"(run {run}," in holder_in_words(about):  # somebody may have taken over meanwhile
            about.unlink(missing_ok=True)
        taken.release()


def _acquire(taken: filelock.BaseFileLock, wait_seconds: float, waits: Callable[[], None]) -> None:
    try:
        taken.acquire(timeout=0)
    except filelock.Timeout:
        if wait_seconds <= 0:
            raise
        waits()
        taken.acquire(timeout=wait_seconds)


def holder_in_words(about: Path) -> str:
    """`` (run X, process N, since T)``; empty where nobody says so."""
    try:
        holder = json.loads(about.read_text())
        return f" (run {holder['run']}, process {holder['pid']}, since {holder['since']})"
    except (OSError, ValueError, KeyError, TypeError):
        return ""

"""A process that dies or stops at a write of its own, forked from one that has loaded everything."""

import multiprocessing
import os
import signal
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

import psutil

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["tests.faults.loaded"])
_SECONDS = 300


@dataclass(frozen=True, slots=True)
class Child:
    """A job in another process; gone, with its pipe, when its block is left."""

    process: Any
    pipe: Connection

    def __enter__(self) -> "Child":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.join()
        self.pipe.close()

    def go(self) -> None:
        """Lets it begin."""
        self.pipe.send(None)

    def wait(self) -> dict[str, Any] | None:
        """What it said, or None where it was killed."""
        said: dict[str, Any] = {"failed": "it said nothing"}
        try:
            if self.pipe.poll(_SECONDS):
                said = self.pipe.recv()
        except EOFError:
            pass
        self.process.join(_SECONDS)
        if self.process.exitcode == -signal.SIGKILL:
            return None
        assert "failed" not in said, said["failed"]
        return said

    def wait_until_stopped(self) -> None:
        """Waits until it has stopped itself."""
        until = time.monotonic() + _SECONDS
        while psutil.Process(self.process.pid).status() != psutil.STATUS_STOPPED:
            assert self.process.is_alive(), f"it ended instead, with {self.process.exitcode}"
            assert time.monotonic() < until, "it does not stop"
            time.sleep(0.02)

    def wake_until_gone(self) -> None:
        """Wakes it up whenever it stops itself: it may not have come to that yet."""
        while self.process.is_alive():
            os.kill(self.process.pid, signal.SIGCONT)
            time.sleep(0.1)

    def resume(self) -> dict[str, Any] | None:
        """Wakes it up; what it said at its end."""
        os.kill(self.process.pid, signal.SIGCONT)
        return self.wait()


def start(job: Callable[..., dict[str, Any]], *args: Any) -> Child:
    """A child that waits for ``go``, does the job, and says how it ended.

    Args:
        job: A function of a module; what it returns is what the child says.
        args: Of the job.
    """
    here, there = _CONTEXT.Pipe()
    process = _CONTEXT.Process(target=_work, args=(there, job, args), daemon=True)
    process.start()
    there.close()
    return Child(process, here)


def _work(pipe: Connection, job: Callable[..., dict[str, Any]], args: tuple[Any, ...]) -> None:
    pipe.recv()
    try:
        said = job(*args)
    except BaseException:  # noqa: BLE001 - is told to the test
        said = {"failed": traceback.format_exc()}
    pipe.send(said)

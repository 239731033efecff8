"""Starts processes in order, starts again what ends, stops all of them in reverse order."""

import contextlib
import logging
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from flows.ops.processes import reap
from flows.ops.state import ProcessState
from pipelines.errors import ServerFailed
from pipelines.processes import ProcessId

logger = logging.getLogger(__name__)

_POLL_SECONDS = 0.3
_LOG_BYTES = 10_000_000
"""A log that is longer becomes the former one; there is one former log."""

_TAIL_LINES = 3


class StopAsked(Exception):
    """Somebody asked to stop while things were starting."""


@dataclass(frozen=True, slots=True)
class Command:
    """A program to keep running."""

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str]
    cwd: Path
    log: Path
    is_ready: Callable[[], bool] = lambda: True
    ready_seconds: float = 180
    """How long it may take from its start until it is ready."""
    stop_seconds: float = 20
    """How long it may take to end when asked to; then it is killed."""
    leaves: bool = False
    """Whether it ends by itself, with exit code 0, to be started anew: nothing to tell people."""
    is_needed: bool = True
    """Whether all is stopped where it ends again and again; else it is tried for ever."""


@dataclass(frozen=True, slots=True)
class Backoff:
    """When a program that ended is started again, and when that is given up."""

    first_seconds: float = 1
    longest_seconds: float = 60
    quick_seconds: float = 60
    """One that ran longer than this starts anew: the next delay is the first again."""
    give_up_after: int = 10
    """Quick ends in a row; with these delays, of a database that is away for some minutes."""

    def delay(self, quick_ends: int) -> float:
        """Seconds to wait after so many quick ends in a row."""
        return min(self.first_seconds * 2.0 ** max(0, quick_ends - 1), self.longest_seconds)


@dataclass(slots=True)
class _Child:
    """A command with the process that runs it now."""

    command: Command
    process: "subprocess.Popen[bytes]"
    id: ProcessId | None
    since: datetime
    started: float
    restarts: int = 0
    quick_ends: int = 0
    again_at: float | None = None
    """On the monotonic clock; None while it runs."""

    def state(self) -> ProcessState:
        ended = self.again_at is not None
        return ProcessState(
            name=self.command.name,
            process=None if ended else self.id,
            since=self.since.isoformat(),
            restarts=self.restarts,
            log=str(self.command.log),
        )


@dataclass(slots=True)
class Supervisor:
    """Keeps programs running until somebody asks to stop.

    Programs are started by the thread that calls ``start`` and ``watch``, which must live as long
    as they shall: on Linux they end with it.
    """

    mark: str
    """What the environment of all of them says, and of what they start."""
    backoff: Backoff = field(default_factory=Backoff)
    stopping: threading.Event = field(default_factory=threading.Event)
    on_change: Callable[[tuple[ProcessState, ...]], None] = lambda _: None
    """Called with all processes whenever one of them starts or ends."""
    _children: list[_Child] = field(default_factory=list)

    def states(self) -> tuple[ProcessState, ...]:
        """All processes, in the order of their start."""
        return tuple(child.state() for child in self._children)

    def start(self, command: Command) -> None:
        """Starts a program and waits until it is ready.

        Raises:
            ServerFailed: It ended, or was not ready in time.
            StopAsked: Somebody asked to stop meanwhile.
        """
        child = _Child(command, *_spawn(command))
        self._children.append(child)
        self._tell()
        deadline = time.monotonic() + command.ready_seconds
        while True:
            # First whether it runs: what answers otherwise is somebody else.
            if child.process.poll() is not None:
                raise _ended(command, child.process.returncode)
            if command.is_ready():
                return
            if time.monotonic() > deadline:
                raise _not_ready(command)
            if self.stopping.wait(_POLL_SECONDS):
                raise StopAsked

    def run(self, command: Command) -> str:
        """Runs a program to its end.

        Returns:
            What it printed on stdout.

        Raises:
            ServerFailed: It failed without printing anything.
            StopAsked: Somebody asked to stop meanwhile.
        """
        process, *_ = _spawn(command, stdout=subprocess.PIPE)
        assert process.stdout is not None  # noqa: S101 - asked for above
        printed: list[bytes] = []
        reader = threading.Thread(target=lambda: printed.append(process.stdout.read()))  # type: ignore[union-attr]
        reader.start()
        while process.poll() is None:
            if self.stopping.wait(_POLL_SECONDS):
                process.kill()
                process.wait()
        reader.join()
        process.stdout.close()
        if self.stopping.is_set():
            raise StopAsked
        said = b"".join(printed).decode()
        if process.returncode and not said:
            raise _failed(command, process.returncode)
        return said

    def watch(self, tick: Callable[[], None] = lambda: None) -> None:
        """Starts again what ends, until ``stopping`` is set; ``tick`` is called several times a second.

        Raises:
            ServerFailed: A program ended again and again.
        """
        while not self.stopping.wait(_POLL_SECONDS):
            for child in self._children:
                self._mend(child)
                _bound(child.command.log)
            tick()

    def stop(self) -> None:
        """Ends all of them, the last one first, and whatever they have left."""
        for child in reversed(self._children):
            if child.process.poll() is None:
                child.process.terminate()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    child.process.wait(child.command.stop_seconds)
                if child.process.poll() is None:
                    child.process.kill()
                    child.process.wait()
        self._children.clear()
        reap(self.mark, seconds=3)

    def _tell(self) -> None:
        try:
            self.on_change(self.states())
        except OSError as error:  # it writes this down; where the disk is full, all goes on
            logger.warning("What runs cannot be written down: %s.", error.strerror)

    def _mend(self, child: _Child) -> None:
        if child.again_at is not None:
            if time.monotonic() >= child.again_at:
                self._start_again(child)
            return
        if child.process.poll() is None:
            return
        self._ended(child, left=child.command.leaves and child.process.returncode == 0)
        self._tell()

    def _start_again(self, child: _Child) -> None:
        try:
            child.process, child.id, child.since, child.started = _spawn(child.command)
        except OSError as error:  # no memory, no room on the disk: that may pass
            child.quick_ends += 1
            if child.command.is_needed and child.quick_ends >= self.backoff.give_up_after:
                raise _not_started(child.command, child.quick_ends, error) from error
            delay = self.backoff.delay(child.quick_ends)
            child.again_at = time.monotonic() + delay
            said = "The %s cannot be started (%s); it is tried again in %.0f s."
            logger.warning(said, child.command.name, error.strerror, delay)
            return
        child.restarts, child.again_at = child.restarts + 1, None
        said = "The %s runs again (process %d, restart %d)."
        level = logging.WARNING if child.quick_ends else logging.INFO
        logger.log(level, said, child.command.name, child.process.pid, child.restarts)
        self._tell()

    def _ended(self, child: _Child, *, left: bool) -> None:
        quick = time.monotonic() - child.started < self.backoff.quick_seconds
        child.quick_ends = 0 if left else child.quick_ends + 1 if quick else 1
        if child.command.is_needed and child.quick_ends >= self.backoff.give_up_after:
            raise _gave_up(child.command, child.quick_ends)
        delay = self.backoff.delay(child.quick_ends)
        child.again_at = time.monotonic() + delay
        if left:
            logger.info("The %s left and is started anew.", child.command.name)
            return
        said = "The %s ended (%s); it is started again in %.0f s. Its log: %s"
        how = _how(child.process.returncode)
        logger.warning(said, child.command.name, how, delay, child.command.log)


def _spawn(
    command: Command, stdout: int | None = None
) -> tuple["subprocess.Popen[bytes]", ProcessId | None, datetime, float]:
    command.log.parent.mkdir(parents=True, exist_ok=True)
    tied = (sys.executable, "-P", "-m", "flows.ops.tied", str(os.getpid()))
    with command.log.open("ab", buffering=0) as log:
        # So that whoever reads it sees which words belong to which start.
        with contextlib.suppress(OSError):
            log.write(f"--- {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC: {command.name}\n".encode())
        process = subprocess.Popen(
            [*tied, *command.argv],
            env=dict(command.env),
            cwd=command.cwd,
            stdin=subprocess.DEVNULL,
            stdout=log if stdout is None else stdout,
            stderr=log,
            # Ctrl-C in a terminal is for the supervisor alone, which stops them in order.
            start_new_session=True,
        )
    identity = None
    with contextlib.suppress(ProcessLookupError):
        identity = ProcessId.of(process.pid)
    return process, identity, datetime.now(UTC), time.monotonic()


def _bound(log: Path) -> None:
    """Keeps a log short: its process goes on writing to the same file, now empty."""
    with contextlib.suppress(OSError):
        if log.stat().st_size > _LOG_BYTES:
            former = log.with_suffix(".1.log")
            former.write_bytes(log.read_bytes())
            os.truncate(log, 0)


def last_lines(log: Path, lines: int = _TAIL_LINES) -> str:
    """The end of a log, as one line."""
    try:
        text = log.read_text("utf-8", errors="replace")[-4000:]
    except OSError:
        return ""
    *_, latest = re.split(r"^--- .*$", text, flags=re.MULTILINE)
    said = [line.strip() for line in latest.splitlines() if line.strip()]
    return " / ".join(said[-lines:])[-300:] or "it said nothing"


def _how(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"


def _ended(command: Command, code: int) -> ServerFailed:
    return ServerFailed(
        f"The {command.name} ended while it started ({_how(code)}): {last_lines(command.log)}",
        hint=f"See {command.log}.",
    )


def _failed(command: Command, code: int) -> ServerFailed:
    return ServerFailed(
        f"The {command.name} failed ({_how(code)}): {last_lines(command.log)}",
        hint=f"See {command.log}.",
    )


def _not_ready(command: Command) -> ServerFailed:
    return ServerFailed(
        f"The {command.name} was not ready after {command.ready_seconds:.0f} seconds.",
        hint=f"See {command.log}.",
    )


def _not_started(command: Command, times: int, error: OSError) -> ServerFailed:
    return ServerFailed(
        f"The {command.name} could not be started {times} times ({error.strerror}); all is stopped.",
        hint=f"See memory and disk of this machine, and {command.log}.",
    )


def _gave_up(command: Command, times: int) -> ServerFailed:
    return ServerFailed(
        f"The {command.name} ended {times} times, each time soon after it was started; all is"
        f" stopped. Its last words: {last_lines(command.log)}",
        hint=f"See {command.log}.",
    )

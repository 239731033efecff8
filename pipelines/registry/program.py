"""Runs DVC as a program, line by line, in a process group that never outlives the call."""

import contextlib
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import psutil

from pipelines import quiet
from pipelines.errors import RegistryError, RunCancelled
from pipelines.registry.git import clean_environment
from pipelines.training import own_sources

_KEEPER = Path(__file__).with_name("keeper.py")
_MARK = "STALEPROOF_REGISTRY_RUN"
"""A variable of every process of a run: by it those are found that a killed run has left."""
_LOOK_SECONDS = 0.25
_POLL_SECONDS = 0.02
_PATIENCE_SECONDS = 10.0
_LAST_LINES = 30


class DvcFailedError(RegistryError):
    """DVC ended with an error; ``lines`` are the last that it printed."""

    def __init__(self, command: str, lines: Sequence[str]) -> None:
        errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
        super().__init__(f"dvc {command} failed: {(errors or list(lines) or ['?'])[-1]}")
        self.errors = errors
        self.lines = tuple(lines)


def never() -> bool:
    """Nobody cancels."""
    return False


def ignore(_line: str) -> None:
    """Nobody listens."""


def run_dvc(
    own: Path,
    folder: Path,
    *arguments: str,
    on_line: Callable[[str], None] = ignore,
    cancelled: Callable[[], bool] = never,
    env: Mapping[str, str] | None = None,
) -> list[str]:
    """Run one command of DVC to its end.

    Args:
        own: The folder of the run, outside of ``folder``: DVC keeps its notes there.
        folder: Where to run it.
        arguments: Of ``dvc``.
        on_line: Called with each line.
        cancelled: Asked several times a second; true ends everything.
        env: More variables.

    Returns:
        The last lines.

    Raises:
        DvcFailedError: It ended with an error.
        RunCancelled: ``cancelled`` said so.
    """
    last: list[str] = []
    with _started(own, folder, arguments, env or {}) as process:
        for line in _lines(process, cancelled):
            last[:] = [*last[-_LAST_LINES:], line]
            on_line(line)
        code = process.wait()
    if code:
        raise DvcFailedError(arguments[0], last)
    return last


def end_marked(own: Path) -> None:
    """End every process that a run of this folder has started, whatever it has become, and wait for it."""
    until = time.monotonic() + _PATIENCE_SECONDS
    while (found := _marked(own)) and time.monotonic() < until:
        for process in found:
            with contextlib.suppress(psutil.Error):
                process.kill()
        time.sleep(_POLL_SECONDS)


def _marked(own: Path) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        # Somebody else's cannot be read; one that has ended has no environment any more.
        with contextlib.suppress(psutil.Error, OSError):
            if process.pid != os.getpid() and process.environ().get(_MARK) == str(own):
                found.append(process)
    return found


@contextlib.contextmanager
def _started(
    own: Path, folder: Path, arguments: Sequence[str], env: Mapping[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        [sys.executable, "-I", str(_KEEPER), sys.executable, "-P", "-m", "dvc", *arguments],
        cwd=folder,
        env=_environment(own, folder) | dict(env),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    ended = False
    try:
        yield process
        ended = True
    finally:
        # Also after a good end: what a stage left in the background does not go on.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                with contextlib.suppress(BrokenPipeError):
                    stream.close()
        process.wait()
        if not ended:
            end_marked(own)


def _environment(own: Path, folder: Path) -> dict[str, str]:
    quiet.silence()
    sources = own_sources(folder)
    before = [] if sources is None else [str(sources)]
    path = [*before, *filter(None, [os.environ.get("PYTHONPATH")])]
    return clean_environment() | {
        _MARK: str(own),
        "PATH": os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", ""))),
        **({"PYTHONPATH": os.pathsep.join(path)} if path else {}),
        "PYTHONUNBUFFERED": "1",
        # DVC runs stages in the user's shell otherwise.
        "SHELL": "/bin/sh",
        # A shared folder that everybody may write is its default.
        "DVC_SITE_CACHE_DIR": str(own / "site"),
    }


def _lines(process: subprocess.Popen[bytes], cancelled: Callable[[], bool]) -> Iterator[str]:
    """What it prints, until it has ended; a process it left behind may keep the pipe open."""
    if process.stdout is None:
        return
    rest = b""
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while True:
            if cancelled():
                raise RunCancelled("The run was cancelled; everything that it started has ended.")
            if selector.select(_LOOK_SECONDS):
                block = os.read(process.stdout.fileno(), 1 << 16)
                if not block:
                    break
                *whole, rest = (rest + block).replace(b"\r", b"\n").split(b"\n")
                yield from _shown(whole)
            elif process.poll() is not None:
                break
    yield from _shown([rest])


def _shown(lines: Sequence[bytes]) -> Iterator[str]:
    for line in lines:
        if text := line.decode("utf-8", "replace").rstrip():
            yield text

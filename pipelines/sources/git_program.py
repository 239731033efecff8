"""Runs the git program: with arguments, never through a shell, and never longer than it must."""

import contextlib
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from pipelines.errors import ListingBrokenOff

STALE_LOCK_SECONDS = 600
"""Lock files in a cache that are older were left behind by a killed git."""

_OPTIONS = (
    "--literal-pathspecs",
    *("-c", "core.hooksPath=/dev/null"),
    *("-c", "protocol.ext.allow=never"),
    *("-c", "protocol.file.allow=always"),
    # The user named the repository; whose files they are says nothing more.
    *("-c", "safe.directory=*"),
    # No process may outlive the call.
    *("-c", "gc.autoDetach=false"),
    *("-c", "maintenance.autoDetach=false"),
    *("-c", "log.showRoot=true"),
)
# A hook that runs us has them set; they would point git at another repository.
_FOREIGN = {
    *("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR", "GIT_NAMESPACE"),
    *("GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_SHALLOW_FILE"),
}


class GitFailedError(ListingBrokenOff):
    """The git program did not do what it was asked; the local copy may be damaged."""

    def __init__(self, message: str, *, code: int | None = None) -> None:
        super().__init__(message)
        self.code = code


@dataclass
class Memory:
    """What one opened source keeps between its calls."""

    commit: str | None = None
    """The commit of its last complete listing, whatever others have fetched since."""
    blobs: subprocess.Popen[bytes] | None = None
    """A git that answers with the content of one blob after the other."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def close(self) -> None:
        """End the process, if there is one."""
        with self.lock:
            if self.blobs is not None:
                end(self.blobs)
            self.blobs = None


def text_of(printed: bytes) -> str:
    """What git printed, for eyes: bytes that are no UTF-8 are replaced."""
    return printed.decode("utf-8", "replace")


def words_of(stream: IO[bytes] | None) -> Iterator[bytes]:
    """The words of a stream that git separates with null bytes, as they come."""
    rest = b""
    while stream is not None and (block := stream.read(1 << 16)):
        *words, rest = (rest + block).split(b"\0")
        yield from words


def read_blob(process: subprocess.Popen[bytes], blob: str) -> bytes:
    """The content of one blob, asked of a running ``cat-file --batch``.

    Raises:
        GitFailedError: It is not there, or the answer broke off.
    """
    if process.stdin is None or process.stdout is None:
        raise GitFailedError("git cat-file has no pipes")
    process.stdin.write(f"{blob}\n".encode())
    process.stdin.flush()
    header = re.fullmatch(rb"[0-9a-f]+ blob (\d+)\n", process.stdout.readline())
    if header is None:
        raise GitFailedError("git cat-file does not have it")
    content = process.stdout.read(int(header[1]))
    if len(content) < int(header[1]) or process.stdout.read(1) != b"\n":
        raise GitFailedError("git cat-file ended in the middle of it")
    return content


def remove_stale_locks(bare: Path) -> None:
    """Take away what a killed git left; our own lock is held, so that no other git is at work."""
    for lock in bare.rglob("*.lock"):
        with contextlib.suppress(FileNotFoundError):
            if time.time() - lock.stat().st_mtime > STALE_LOCK_SECONDS:
                lock.unlink()


@contextlib.contextmanager
def started(
    bare: Path, *arguments: str, stderr: int = subprocess.DEVNULL
) -> Iterator[subprocess.Popen[bytes]]:
    """A running git that is ended, with its helpers, when the block is left."""
    process = start(bare, *arguments, stderr=stderr)
    try:
        yield process
    finally:
        end(process)


def start(bare: Path, *arguments: str, stderr: int = subprocess.DEVNULL) -> subprocess.Popen[bytes]:
    """A running git.

    Raises:
        GitFailedError: The program cannot be started.
    """
    environment = {key: value for key, value in os.environ.items() if key not in _FOREIGN}
    try:
        return subprocess.Popen(
            ["git", f"--git-dir={bare}", *_OPTIONS, *arguments],
            stdin=subprocess.PIPE if arguments[0] == "cat-file" else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            cwd=bare.parent,
            env={**environment, "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"},
            # No terminal to ask for a password at, and one group to end with all its helpers.
            start_new_session=True,
        )
    except OSError as error:
        raise GitFailedError(f"the git program cannot be started: {error.strerror}") from error


def end(process: subprocess.Popen[bytes]) -> None:
    """End a process that is still there, with the helpers that it started."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream is not None:
            with contextlib.suppress(BrokenPipeError):
                stream.close()
    process.wait()

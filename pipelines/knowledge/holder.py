"""Who holds the store's refresh lock, for those who only look."""

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import psutil


@dataclass(frozen=True, slots=True)
class Holder:
    """A run that wrote down that it took the lock."""

    run: str
    pid: int
    since: datetime
    holds: bool
    """Whether it still does; else it was killed, and the system freed the lock."""


def lock_holder(uri: str) -> Holder | None:
    """Who took the lock of a local store and has not given it back; the lock is not touched."""
    try:
        said = json.loads(_about(uri).read_text())
        pid, since = int(said["pid"]), datetime.fromisoformat(said["since"])
        return Holder(str(said["run"]), pid, since, _has_open(pid, Path(uri) / "refresh.lock"))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def forget_holder(uri: str, holder: Holder) -> None:
    """Removes what a killed holder left; one who came after it keeps its own."""
    if not holder.holds and lock_holder(uri) == holder:
        _about(uri).unlink(missing_ok=True)


def _about(uri: str) -> Path:
    return Path(uri) / "refresh.holder.json"


def _has_open(pid: int, lock: Path) -> bool:
    try:
        opened = {file.path for file in psutil.Process(pid).open_files()}
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:
        return True  # somebody else's process: nothing says that it is not the holder
    return str(lock.resolve()) in opened

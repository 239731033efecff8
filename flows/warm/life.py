"""The life of a warm lane: at most one a project, known to others, and not longer than it should be."""

import contextlib
import ctypes
import gc
import json
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import psutil

from flows.ops.environment import run_folder
from flows.ops.processes import only_one
from flows.ops.state import replace_json
from pipelines.config import Config
from pipelines.errors import ServerUnavailable
from pipelines.processes import ProcessId, is_alive

_LOCK_SECONDS = 10


@dataclass(frozen=True, slots=True)
class Lane:
    """A warm lane that runs."""

    process: ProcessId
    since: str
    """When it was started, ISO 8601."""
    ready: bool
    """Whether the model is loaded."""

    @property
    def memory_mb(self) -> int:
        """What it holds now."""
        return held_mb(self.process.pid)


def lane_file(config: Config) -> Path:
    """Where a lane says that it is there."""
    return run_folder(config) / "warm.json"


def find_lane(config: Config) -> Lane | None:
    """The warm lane of this project, if one runs."""
    lane = last_lane(config)
    return lane if lane and is_alive(lane.process) else None


def last_lane(config: Config) -> Lane | None:
    """The warm lane that runs, or the last one where that was killed."""
    try:
        said = json.loads(lane_file(config).read_text(encoding="utf-8"))
        return Lane(ProcessId(**said["process"]), said["since"], bool(said["ready"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


@contextlib.contextmanager
def alone(config: Config) -> Iterator[None]:
    """At most one lane of a project; the system frees the lock when its process ends.

    Raises:
        ServerUnavailable: There is another one.
    """
    run_folder(config).mkdir(mode=0o700, parents=True, exist_ok=True)
    other = ServerUnavailable(
        "Another warm lane of this project runs.", hint="staleproof up starts one itself."
    )
    with only_one(run_folder(config) / "warm.lock", or_else=other, seconds=_LOCK_SECONDS):
        try:
            yield
        finally:
            lane_file(config).unlink(missing_ok=True)


def tell(config: Config, *, ready: bool) -> None:
    """Says that this process is the lane."""
    lane = Lane(ProcessId.of(os.getpid()), datetime.now(UTC).isoformat(), ready)
    replace_json(lane_file(config), asdict(lane))


def held_mb(pid: int | None = None) -> int:
    """Megabytes of memory that a process holds; 0 for one that is gone."""
    try:
        return int(psutil.Process(pid).memory_info().rss // 1_000_000)
    except psutil.Error:
        return 0


def give_memory_back() -> None:
    """After a run: to the system, what the run held. Left alone, each run would hold some more."""
    gc.collect()
    if sys.platform == "linux":
        with contextlib.suppress(AttributeError):  # a C library without it
            ctypes.CDLL(None).malloc_trim(0)


@dataclass(frozen=True, slots=True)
class Bounds:
    """When a lane leaves, to be started anew."""

    memory_mb: int
    age_seconds: float
    born: float

    @classmethod
    def of(cls, config: Config) -> "Bounds":
        """Those of the configuration, for a lane that begins now."""
        webhook = config.webhook
        return cls(webhook.warm_memory_mb, webhook.warm_age.total_seconds(), time.monotonic())

    def passed(self, *, after_run: bool) -> str | None:
        """Why it is to leave now, or None.

        Memory counts after a run only: a bound below what the model takes must not keep a lane
        from ever doing something.
        """
        held = held_mb()
        if after_run and held > self.memory_mb:
            return f"it holds {held:,} MB, and [webhook] warm_memory_mb is {self.memory_mb:,}"
        if time.monotonic() - self.born > self.age_seconds:
            return f"it is older than [webhook] warm_age ({self.age_seconds:,.0f} s)"
        return None

"""Processes that keep a model in memory to answer from a store, and load the next one beforehand."""

import contextlib
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import psutil

from pipelines.processes import ProcessId, is_alive


@dataclass(frozen=True, slots=True, kw_only=True)
class Next:
    """The embedder that is about to serve, and what it is to be tried on."""

    id: str
    """Of this announcement."""
    model: str
    """As the ledger will name it."""
    fingerprint: str
    generation: str
    version: int
    pid: int
    """Of who announces it, and takes it back."""
    created: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """A process that said that it keeps a model loaded."""

    pid: int
    created: float
    """When it was started, as the system says."""
    heard: str = ""
    """The announcement that it has acted upon last."""
    asked: int = 0
    """Golden questions that it then answered with the next model."""
    found: int = 0
    """Of those, how many found their document."""
    error: str = ""
    """Why it could not."""


@contextlib.contextmanager
def reading(uri: str) -> Iterator[None]:
    """Says that this process keeps a model loaded, until the block ends."""
    file = _file(uri, os.getpid())
    file.parent.mkdir(parents=True, exist_ok=True)
    _write(file, asdict(_this()))
    try:
        yield
    finally:
        file.unlink(missing_ok=True)


def answer_announcement(
    uri: str, coming: Next, *, asked: int = 0, found: int = 0, error: str = ""
) -> None:
    """Says that this process has loaded the next model, or why it could not."""
    this = _this(heard=coming.id, asked=asked, found=found, error=error)
    _write(_file(uri, this.pid), asdict(this))


def readers(uri: str) -> list[Reader]:
    """Those that are alive; what killed ones left is removed."""
    found = []
    for file in sorted(_folder(uri).glob("reader-*.json")):
        try:
            reader = Reader(**json.loads(file.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            continue
        if _is_alive(reader):
            found.append(reader)
        else:
            file.unlink(missing_ok=True)
    return found


@contextlib.contextmanager
def announced(
    uri: str, *, model: str, fingerprint: str, generation: str, version: int
) -> Iterator[Next]:
    """Tells readers what is about to serve, until the block ends: after they were switched."""
    coming = Next(
        id=uuid4().hex,
        model=model,
        fingerprint=fingerprint,
        generation=generation,
        version=version,
        pid=os.getpid(),
        created=psutil.Process().create_time(),
    )
    file = _folder(uri) / "next.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    _write(file, asdict(coming))
    try:
        yield coming
    finally:
        file.unlink(missing_ok=True)


def announcement(uri: str) -> Next | None:
    """What is about to serve, if anything is; what a killed process announced is not."""
    try:
        coming = Next(**json.loads((_folder(uri) / "next.json").read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
    return coming if _is_alive(coming) else None


def _this(**said: Any) -> Reader:
    return Reader(pid=os.getpid(), created=psutil.Process().create_time(), **said)


def _is_alive(process: Reader | Next) -> bool:
    return is_alive(ProcessId(process.pid, process.created))


def _folder(uri: str) -> Path:
    return Path(uri) / "readers"


def _file(uri: str, pid: int) -> Path:
    return _folder(uri) / f"reader-{pid}.json"


def _write(file: Path, said: dict[str, Any]) -> None:
    """Nobody reads half of it."""
    part = file.with_suffix(f".{os.getpid()}.part")
    part.write_text(json.dumps(said), encoding="utf-8")
    part.replace(file)

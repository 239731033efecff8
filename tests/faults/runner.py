"""A refresh in a process of its own that dies or stops at a chosen write of the store."""

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from pipelines.config import load_config
from pipelines.errors import StaleproofError
from pipelines.ingest import build
from pipelines.knowledge import generation
from pipelines.refresh import Ports, Report, refresh_knowledge
from tests.fakes import HashEncoder

BATCH_TEXTS = 9


def shrink(assign: Callable[[Any, str, Any], None] = setattr) -> None:
    """Lets a dozen documents make three batches and a compaction."""
    assign(build, "BATCH_TEXTS", BATCH_TEXTS)
    assign(build, "BATCH_DOCUMENTS", 3)
    assign(generation, "SMALL_FRAGMENTS", 2)


def name_of(verb: Callable[..., Any]) -> str:
    """``chunks.add``, ``vectors.add``, ``tags.create``, ``compact_files``, ``append``, ..."""
    name = verb.__qualname__.split(".<locals>")[0].rpartition(".")[2]
    owner = getattr(verb, "__self__", None)
    table = getattr(owner, "name", None)
    if isinstance(table, str):
        return f"{table.partition('_')[0]}.{name}"
    return f"tags.{name}" if "Tags" in type(owner).__name__ else name


@dataclass
class Writes:
    """Runs the write verbs; ends or stops this process before or after a chosen one.

    The choice is spelled ``7:before:SIGKILL`` (the seventh write) or ``chunks.add#2:after:SIGSTOP``
    (the second write of that name).
    """

    at: str = ""
    names: list[str] = field(default_factory=list)

    def __call__(self, verb: Callable[..., Any], *args: Any, **options: Any) -> Any:
        name = name_of(verb)
        self.names.append(name)
        here = {str(len(self.names)), f"{name}#{self.names.count(name)}"}
        self._strike(here, "before")
        result = verb(*args, **options)
        self._strike(here, "after")
        return result

    def _strike(self, here: set[str], when: str) -> None:
        chosen, _, how = self.at.partition(f":{when}:")
        if how and chosen in here:
            os.kill(os.getpid(), getattr(signal, how))


def refresh(config: Path, *, run: str, now: datetime, log: Path, write: Writes) -> Report:
    """One refresh with the stand-in encoder, which writes down every text that it encodes."""
    encoder = HashEncoder(log=log)
    return refresh_knowledge(
        load_config(config, env={}),
        now=now,
        run_id=run,
        ports=Ports(load_encoder=lambda model, *, root, batch_size=32: encoder, write=write),
    )


def killed_refresh(config: str, run: str, now: str, log: str, at: str) -> dict[str, Any]:
    """A refresh in a child, and how it ended."""
    shrink()
    write = Writes(at)
    said: dict[str, Any] = {"published": False, "error": None}
    try:
        report = refresh(
            Path(config), run=run, now=datetime.fromisoformat(now), log=Path(log), write=write
        )
        said |= {"published": report.published, "reason": report.reason}
    except StaleproofError as error:
        said |= {"error": type(error).__name__, "message": error.message}
    return said | {"writes": write.names}

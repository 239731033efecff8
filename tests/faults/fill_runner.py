"""A fill in a process of its own that dies at a chosen write of the store."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from pipelines.config import load_config
from pipelines.fill import Filled, Ports, Wanted, fill_generation, rounds
from pipelines.fill.answers import answer
from pipelines.knowledge import generation
from tests.faults.runner import Writes
from tests.retrained import MODEL, tuned

BATCH_TEXTS = 9
VERSION = "v0.0.1"


def shrink(assign: Callable[[Any, str, Any], None] = setattr) -> None:
    """Lets a dozen documents make two rounds of some batches, with compactions."""
    assign(rounds, "BATCH_TEXTS", BATCH_TEXTS)
    assign(rounds, "ROUND_BATCHES", 3)
    assign(generation, "SMALL_FRAGMENTS", 2)


def fill(config: Path, *, run: str, now: datetime, log: Path, write: Writes) -> Filled:
    """One fill with a stand-in for a tuned encoder, which writes down every text that it encodes."""
    settings, encoder = load_config(config, env={}), tuned(VERSION, log=log)
    # What is tried has its own: its passages are no part of the fill.
    tried = tuned(VERSION)
    return fill_generation(
        settings,
        wanted=Wanted(
            model=encoder.model, serves={MODEL: VERSION}, reason="a test", actor="somebody"
        ),
        now=now,
        run_id=run,
        ports=Ports(
            load_encoder=lambda model, *, root, batch_size=32: encoder,
            write=write,
            answer=lambda asked: answer(settings, asked, tried),
        ),
    )


def killed_fill(config: str, run: str, now: str, log: str, at: str) -> dict[str, Any]:
    """A fill in a child, and how it ended."""
    shrink()
    write = Writes(at)
    filled = fill(
        Path(config), run=run, now=datetime.fromisoformat(now), log=Path(log), write=write
    )
    return {"switched": filled.switched, "writes": write.names}

"""Lets a version of a generator in: a fresh process tries it, then one row of the ledger names it."""

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from pipelines.config import Config, GeneratorModel
from pipelines.errors import TrialFailed
from pipelines.fill import Wanted
from pipelines.knowledge import (
    Publication,
    Signed,
    insert_until_won,
    published_store,
)
from pipelines.promote.records import Ports
from pipelines.promote.rows import beside_row
from pipelines.promote.trial import Tried, prepare
from pipelines.records import Happened, Progress, Step
from pipelines.registry import Version


@dataclass(frozen=True, slots=True)
class Seated:
    """How it went."""

    tried: Tried
    row: Publication | None
    """The new one; None where the version came to serve meanwhile."""


def seat_generator(
    config: Config,
    wanted: Wanted,
    version: Version,
    *,
    now: datetime,
    run_id: str,
    step: Step,
    on_event: Callable[[Progress | Happened], None],
    ports: Ports,
) -> Seated:
    """Tries a version whose weights are there, and names it in the ledger.

    No index is filled and no document touched: the row copies the newest one. A refresh that runs
    meanwhile is not overtaken by it, and keeps it.

    Args:
        config: The configuration.
        wanted: What is to serve, who wants it, and why.
        version: Which.
        now: The time of the start.
        run_id: Names this run.
        step: Runs one stage.
        on_event: Hears of progress.
        ports: The registry, the trial, and the store's write verbs.

    Raises:
        TrialFailed: It cannot be loaded, or too few of its answers have the form.
        RegistryError: What the trial asks cannot be had.
    """
    started = time.monotonic()
    on_event(Progress("try out", 0, 1))
    with tempfile.TemporaryDirectory(prefix="staleproof-") as scratch:
        asked = Path(scratch)
        step("fetch prompts", prepare, config, version, ports.registry, asked, retryable=True)
        tried = step("try out", ports.try_out, asked, config.root / wanted.model)
    on_event(Progress("try out", 1, 1))
    if "overridden" not in wanted.noted:
        _check(config, version, tried)
    at = now + timedelta(seconds=time.monotonic() - started)
    store, _ = published_store(config, write=ports.fill.write)
    signed = Signed(run_id, wanted.actor, at)
    row = step("serve", insert_until_won, store, partial(_row, wanted=wanted, signed=signed))
    return Seated(tried, row)


def _check(config: Config, version: Version, tried: Tried) -> None:
    model = config.model(version.model)
    least = model.gate.min_format if isinstance(model, GeneratorModel) else 1.0
    if not tried.asked or tried.held < least * tried.asked:
        raise TrialFailed(
            f"Loaded by a fresh process, {version.model} {version.version} answers {tried.held} of"
            f" {tried.asked} prompts in the form asked for; when it was evaluated it answered them"
            " so. Readers saw nothing of it.",
            hint="Compare the versions of torch, transformers and peft with constraints.txt, and"
            " promote again.",
        )


def _row(last: Publication, *, wanted: Wanted, signed: Signed) -> Publication | None:
    if wanted.serves.items() <= last.models.items():
        return None
    return beside_row(
        last,
        signed,
        models=last.models | dict(wanted.serves),
        reason=wanted.reason,
        noted=wanted.noted,
    )

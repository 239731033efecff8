"""The order of a retraining: lock, snapshot, stages, gate, version. Nothing half-done is left."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from pipelines.config import Config
from pipelines.knowledge import Publication
from pipelines.records import Happened, Progress, Step, call, ignore
from pipelines.registry import (
    Workspace,
    registry_lock,
    reproduce_stages,
    track,
    workspace,
)
from pipelines.registry.folder import checkpoint_folder
from pipelines.retrain.context import Asked, Context, never
from pipelines.retrain.ending import judge_version, name_version, tell
from pipelines.retrain.progress import begun_at, progress_of
from pipelines.retrain.report import Report
from pipelines.retrain.snapshot import FOLDER, Taken, take_snapshot
from pipelines.retrain.stored import (
    material,
    read_verdict,
    recipe,
)
from pipelines.retrain.withdrawn import refuse_withdrawn
from pipelines.training.generator.checkpoints import VARIABLE
from pipelines.training.params import read_params

logger = logging.getLogger(__name__)

STAGES = ("dataset", "train", "evaluate")


def retrain_model(
    config: Config,
    name: str,
    *,
    now: datetime,
    run_id: str,
    asked: Asked | None = None,
    step: Step = call,
    on_event: Callable[[Progress | Happened], None] = ignore,
    cancelled: Callable[[], bool] = never,
) -> Report:
    """Trains a model on what is published and judges it; what the gate refuses is a version too.

    A refused version can be looked at, and promoted by a person who says why. Stopped at any instant
    nothing points to what is not there, and the next run removes what was left.

    Args:
        config: The configuration.
        name: Of the model.
        now: The time; permissions are those of its day.
        run_id: Names this run; never used twice.
        asked: How it was asked for.
        step: Runs one stage.
        on_event: Hears of progress and of what happened.
        cancelled: Asked several times a second while stages run; true ends everything.

    Raises:
        UnknownName: The configuration has no such model.
        NotVersioned: The project is not in git and DVC, or lacks stages or parameters.
        ConfigError: ``params.yaml`` has a value that is not allowed.
        TrainingError: Something that was learned was withdrawn meanwhile.
        RegistryBusy: Another run is at work.
        RemoteUnavailable: Data could not be fetched or sent now.
        StageFailed: A stage ended with an error; no version was made.
        RunCancelled: ``cancelled`` said so; no version was made.
    """
    model = config.model(name)
    context = Context(
        config=config,
        model=model,
        asked=asked or Asked(),
        run=run_id,
        now=now,
        step=step,
        on_event=on_event,
        cancelled=cancelled,
    )
    started = time.perf_counter()
    targets = tuple(f"{stage}@{name}" for stage in STAGES)
    with (
        registry_lock(config.root, run_id, wait_seconds=context.asked.wait_seconds),
        workspace(config.root, run_id, name, stages=targets) as space,
    ):
        read_params(
            space.folder, name, model.kind
        )  # a mistake in it is said before anything is read
        taken = context.timed("snapshot", lambda: _snapshot(context, space), retryable=True)
        made = _made_of(context, space, taken)
        if _nothing_changed(space, taken.publication, made):
            version, verdict = None, None
        else:
            _train(context, space)
            context.seconds["total"] = time.perf_counter() - started
            verdict = context.timed("judge", lambda: judge_version(context, space, taken, made))
            later = context.now + timedelta(seconds=time.perf_counter() - started)
            refuse_withdrawn(config, model, taken, now=later)
            version = context.timed("publish", lambda: name_version(context, space, verdict))
    context.seconds["total"] = time.perf_counter() - started
    report = Report(
        knowledge=config.knowledge.name,
        model=name,
        run=run_id,
        version=version.version if version else None,
        former=space.former.version if space.former else None,
        publication=taken.publication.number,
        verdict=verdict,
        left_out=taken.snapshot.facts.left_out,
        not_used=space.not_used,
        without_evidence=taken.snapshot.counts.get("without_evidence", 0),
        seconds=context.seconds,
    )
    tell(context, report)
    return report


def _snapshot(context: Context, space: Workspace) -> Taken:
    context.on_event(Progress("snapshot", 0, 1))
    folder = space.folder / FOLDER.format(model=context.model.name)
    folder.parent.mkdir(parents=True, exist_ok=True)
    taken = take_snapshot(
        context.config,
        context.model,
        folder,
        former=space.former,
        now=context.now,
        run=context.run,
    )
    logger.info(
        "%s may learn from %d documents of #%d, %d are left out.",
        context.model.name,
        len(taken.allowed.documents),
        taken.publication.number,
        len(taken.allowed.left_out),
        extra={"event": "retrain.snapshot"},
    )
    return taken


def _made_of(context: Context, space: Workspace, taken: Taken) -> dict[str, Any]:
    """All that decides what comes out and what the gate says of it, by its hashes."""
    facts = taken.snapshot.facts
    return {
        "content": taken.snapshot.content,
        "material": material(taken.snapshot.folder),
        "code": taken.snapshot.code,
        "recipe": recipe(space.folder, space.model),
        "base": facts.base.fingerprint,
        "champion": facts.champion.fingerprint,
        "gate": context.model.gate.model_dump(),
    }


def _nothing_changed(space: Workspace, last: Publication, made: dict[str, Any]) -> bool:
    """Whether the newest version came from the same; one that serves now is its own champion."""
    if space.former is None:
        return False
    said = read_verdict(space.root, space.former)
    if said is None:
        return False
    before = said["made_of"]
    if before == made:
        return True
    serves = last.models.get(space.model) == space.former.version
    keys = ("material", "code", "recipe", "base")
    return serves and all(before[key] == made[key] for key in keys)


def _train(context: Context, space: Workspace) -> None:
    context.timed("track", lambda: track(space, FOLDER.format(model=space.model)))
    for stage in STAGES:
        with _listening(context, stage) as on_line:
            context.timed(
                stage,
                lambda stage=stage, on_line=on_line: reproduce_stages(  # type: ignore[misc]
                    space,
                    (f"{stage}@{space.model}",),
                    on_line,
                    # A work tree goes with its run; what an ended training goes on from must not.
                    env={VARIABLE: str(checkpoint_folder(context.config.root))},
                    cancelled=context.cancelled,
                ),
            )


@contextmanager
def _listening(context: Context, stage: str) -> Iterator[Callable[[str], None]]:
    """Lends what hears the lines of a stage; all but its progress stay out of every log."""
    told = False

    def on_line(line: str) -> None:
        nonlocal told
        begun = begun_at(line)
        if begun and not told:
            told = True
            logger.info(
                "%s of %s goes on after step %d, where a run was stopped.",
                stage,
                context.model.name,
                begun,
                extra={"event": "retrain.resumed"},
            )
        moved = progress_of(line)
        if moved is not None:
            context.on_event(moved)

    context.on_event(Progress(stage, 0, 1))
    yield on_line
    context.on_event(Progress(stage, 1, 1))

"""The order of a retraining: lock, snapshot, stages, gate, version. Nothing half-done is left."""

import json
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from pipelines.config import Config, ModelConfig
from pipelines.knowledge import Publication
from pipelines.records import Happened, Progress, Step, call, ignore
from pipelines.registry import (
    Version,
    Workspace,
    publish_version,
    registry_lock,
    reproduce_stages,
    track,
    workspace,
)
from pipelines.retrain.card import Card, model_card
from pipelines.retrain.costs import effort
from pipelines.retrain.progress import progress_of
from pipelines.retrain.report import Report
from pipelines.retrain.snapshot import FOLDER, Taken, take_snapshot
from pipelines.retrain.stored import (
    CARD,
    material,
    read_verdict,
    recipe,
    write_verdict,
)
from pipelines.retrain.verdict import judged
from pipelines.training.params import Params, read_params
from pipelines.training.places import Place

logger = logging.getLogger(__name__)

T = TypeVar("T")

STAGES = ("dataset", "train", "evaluate")


def never() -> bool:
    """Nobody cancels."""
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """How a run was asked for."""

    by_itself: bool = False
    """By a schedule or an event; only then budget and cooldown count it."""
    reason: str = ""
    """Why it was started."""
    wait_seconds: float = 0.0
    """How long to wait for another run of the registry."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Context:
    """One run."""

    config: Config
    model: ModelConfig
    asked: Asked
    run: str
    now: datetime
    step: Step
    on_event: Callable[[Progress | Happened], None]
    cancelled: Callable[[], bool]
    seconds: dict[str, float] = field(default_factory=dict)

    def timed(self, name: str, function: Callable[[], T], *, retryable: bool = False) -> T:
        """Runs a step and writes down how long it took."""
        started = time.perf_counter()
        try:
            return self.step(name, function, retryable=retryable)
        finally:
            self.seconds[name] = time.perf_counter() - started


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
        RegistryBusy: Another run is at work.
        RemoteUnavailable: Data could not be fetched or sent now.
        StageFailed: A stage ended with an error; no version was made.
        RunCancelled: ``cancelled`` said so; no version was made.
    """
    model = config.model(name)
    context = _Context(
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
        taken = context.timed("snapshot", lambda: _snapshot(context, space), retryable=True)
        made = _made_of(space, taken)
        if _nothing_changed(space, taken.publication, made):
            version, verdict = None, None
        else:
            _train(context, space)
            context.seconds["total"] = time.perf_counter() - started
            verdict = context.timed("judge", lambda: _judge(context, space, taken, made))
            version = context.timed("publish", lambda: _publish(context, space, verdict))
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
        seconds=context.seconds,
    )
    _tell(context, report)
    return report


def _snapshot(context: _Context, space: Workspace) -> Taken:
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


def _made_of(space: Workspace, taken: Taken) -> dict[str, Any]:
    """All that decides what comes out, by its hashes."""
    facts = taken.snapshot.facts
    return {
        "content": taken.snapshot.content,
        "material": material(taken.snapshot.folder),
        "code": taken.snapshot.code,
        "recipe": recipe(space.folder, space.model),
        "base": facts.base.fingerprint,
        "champion": facts.champion.fingerprint,
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


def _train(context: _Context, space: Workspace) -> None:
    context.timed("track", lambda: track(space, FOLDER.format(model=space.model)))
    for stage in STAGES:
        with _listening(context, stage) as on_line:
            context.timed(
                stage,
                lambda stage=stage, on_line=on_line: reproduce_stages(  # type: ignore[misc]
                    space, (f"{stage}@{space.model}",), on_line, cancelled=context.cancelled
                ),
            )


@contextmanager
def _listening(context: _Context, stage: str) -> Iterator[Callable[[str], None]]:
    """Lends what hears the lines of a stage; all but its progress stay out of every log."""

    def on_line(line: str) -> None:
        moved = progress_of(line)
        if moved is not None:
            context.on_event(moved)

    context.on_event(Progress(stage, 0, 1))
    yield on_line
    context.on_event(Progress(stage, 1, 1))


def _judge(
    context: _Context, space: Workspace, taken: Taken, made: dict[str, Any]
) -> dict[str, Any]:
    found = judged(Place(space.folder, space.model), taken.snapshot, context.model.gate)
    params = read_params(space.folder, space.model)
    verdict = {
        "model": space.model,
        "kind": context.model.kind,
        "run": context.run,
        "at": context.now.isoformat(),
        "by_itself": context.asked.by_itself,
        "reason": context.asked.reason,
        "publication": taken.publication.number,
        "made_of": made,
        "left_out": dict(taken.snapshot.facts.left_out),
        "documents": taken.snapshot.documents.num_rows,
        "passages": taken.snapshot.passages.num_rows,
        "not_used": list(space.not_used),
        "seconds": dict(context.seconds),
        "effort": effort(taken.snapshot, params, found["trained"]["pairs"]).to_dict(),
        **found,
    }
    write_verdict(space.folder, space.model, verdict)
    card = model_card(_card(space, taken, verdict, params))
    (space.folder / CARD.format(model=space.model)).write_text(card, encoding="utf-8")
    return verdict


def _card(space: Workspace, taken: Taken, verdict: dict[str, Any], params: Params) -> Card:
    place, facts = Place(space.folder, space.model), taken.snapshot.facts
    counts = (place.dataset / "counts.json").read_text(encoding="utf-8")
    return Card(
        verdict=verdict,
        base=facts.base.model,
        base_folder=taken.snapshot.base_folder,
        champion=facts.champion.version,
        counts=json.loads(counts),
        params=params.model_dump(),
        commit=space.base,
    )


def _publish(context: _Context, space: Workspace, verdict: dict[str, Any]) -> Version:
    word = "promote" if verdict["promote"] else "refused"
    message = f"{space.model}: trained on #{verdict['publication']}, {word}\n\nRun {context.run}.\n"
    annotation = {
        key: verdict[key] for key in ("run", "at", "publication", "documents", "promote", "reasons")
    }
    return publish_version(space, message, json.dumps(annotation, sort_keys=True))


def _tell(context: _Context, report: Report) -> None:
    if report.is_refused:
        said = report.to_dict()
        payload = {key: said[key] for key in ("version", "run", "reasons", "publication", "next")}
        context.on_event(Happened("model.refused", f"model.{report.model}", payload))
    logger.info(
        "Retraining of %s: %s",
        report.model,
        report.reason or f"{report.version}, {report.to_dict()['verdict']}",
        extra={"event": "retrain.ended", "run": report.run},
    )

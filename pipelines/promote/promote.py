"""Promotes a version: its verdict, its weights, an index or a trial, one row, its stage."""

import contextlib
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pipelines.config import Config
from pipelines.errors import ConfigError, StaleproofError, UnknownName
from pipelines.fill import SERVES, Filled, FillEstimate, Wanted, estimate_fill, fill_generation
from pipelines.knowledge import Publication, model_folder, published_store
from pipelines.promote.generator import Seated, seat_generator
from pipelines.promote.records import VERDICT, Gate, Ports, Promoted, Request
from pipelines.promote.trial import Tried
from pipelines.records import Happened, Progress, Step, call, ignore
from pipelines.registry import Version

NO_VERDICT = "it was never judged: there is no verdict with it"


def promote_model(
    config: Config,
    request: Request,
    *,
    now: datetime,
    run_id: str,
    step: Step = call,
    on_event: Callable[[Progress | Happened], None] = ignore,
    ports: Ports | None = None,
) -> Promoted:
    """Makes a version the one that serves, if the gate has let it in.

    For an embedder an index is filled; a generator is tried by a process of its own. Stopped at any
    instant, the next call goes on where it was. Of the version that serves already only the weights
    and the stage are put in order.

    Args:
        config: The configuration.
        request: Which version, who asks, and whether the gate is overridden.
        now: The time of the start.
        run_id: Names this run; never used twice.
        step: Runs one stage.
        on_event: Hears of progress and of what happened.
        ports: The registry, the models, and the store's write verbs.

    Raises:
        UnknownName: There is no such model, or no such version of it.
        ConfigError: An override without a reason.
        FillRunning: Another run fills the index with this version.
        RefreshRunning: A refresh holds the lock for longer than this waits.
        Overtaken: Somebody else published meanwhile; nothing is lost.
        FillFailed: The version cannot be used for what is published.
        TrialFailed: A generator cannot be loaded, or does not answer in the form asked for.
        RegistryError: Its weights cannot be had.
    """
    ports = ports or Ports()
    found = _asked_for(config, request, ports)
    last, gate = published_store(config)[1], read_gate(config, found, ports)
    serves = last.models.get(found.model) == found.version
    refused = _refused(request, last, found, gate)
    if refused is not None:
        _tell(config, on_event, "model.refused", found, {"why": refused})
        return Promoted(
            model=found.model,
            version=found.version,
            publication=last.number,
            promoted=False,
            reason=refused,
            gate=gate,
        )
    folder = config.root / model_folder(found.model, found.version)
    step("check out", ports.registry.checkout_model, config.root, found, folder, retryable=True)
    with contextlib.suppress(OSError):
        os.utime(folder)  # maintenance sees that it is on its way in
    wanted = _wanted(found, gate, request)
    run: dict[str, Any] = {"now": now, "run_id": run_id, "step": step, "on_event": on_event}
    done = _Done(last.number, serves=True, reason=SERVES)
    if not serves and config.model(found.model).kind == "generator":
        seated = seat_generator(config, wanted, found, ports=ports, **run)
        done = _seated(seated, last)
    elif not serves:
        done = _filled(fill_generation(config, wanted=wanted, ports=ports.fill, **run))
    return _ended(config, request, (found, gate), done, on_event, ports)


def estimate_promotion(
    config: Config, request: Request, *, now: datetime, ports: Ports | None = None
) -> FillEstimate:
    """What embedding everything with a version would take, at the most; fetches its weights.

    Nothing is embedded for a generator.

    Raises:
        UnknownName: There is no such model, or no such version of it.
        RegistryError: Its weights cannot be had.
        PublicationNotFound: Nothing is published yet.
    """
    ports = ports or Ports()
    found = _asked_for(config, request, ports)
    folder = config.root / model_folder(found.model, found.version)
    ports.registry.checkout_model(config.root, found, folder)
    if config.model(found.model).kind == "generator":
        return FillEstimate(documents=0, passages=0, tokens=0, seconds=0.0, cost=0.0)
    wanted = _wanted(found, None, request)
    return estimate_fill(config, wanted=wanted, now=now, ports=ports.fill)


def why_refused(config: Config, request: Request, *, ports: Ports | None = None) -> str | None:
    """Why a version is not let in; None where it is, by the gate or against it, or serves already.

    Raises:
        UnknownName: There is no such model, or no such version of it.
        ConfigError: An override without a reason.
        PublicationNotFound: Nothing is published yet.
    """
    ports = ports or Ports()
    found = _asked_for(config, request, ports)
    return _refused(request, published_store(config)[1], found, read_gate(config, found, ports))


def read_gate(config: Config, version: Version, ports: Ports) -> Gate | None:
    """What the gate said of a version; None where nothing readable is stored with it."""
    path = VERDICT.format(model=version.model)
    try:
        said = json.loads(ports.registry.read_text(config.root, version, path))
        return Gate(said["promote"] is True, tuple(map(str, said["reasons"])))
    except (UnknownName, ValueError, KeyError, TypeError):
        return None


def _asked_for(config: Config, request: Request, ports: Ports) -> Version:
    if request.override and not request.reason.strip():
        raise ConfigError(
            "To promote a version that the gate did not let in, say why.",
            hint='Add --reason "...": it is written down with the publication.',
        )
    return ports.registry.find_version(
        config.root, config.model(request.model).name, request.version
    )


def _refused(
    request: Request, last: Publication, version: Version, gate: Gate | None
) -> str | None:
    serves = last.models.get(version.model) == version.version
    return None if serves or request.override else _refusal(gate)


def _refusal(gate: Gate | None) -> str | None:
    if gate is None:
        return NO_VERDICT
    return None if gate.promote else "the gate refused it: " + "; ".join(gate.reasons)


def _wanted(version: Version, gate: Gate | None, request: Request) -> Wanted:
    overridden = request.override and _refusal(gate) is not None
    noted: dict[str, Any] = {"model": version.model, "version": version.version}
    noted |= {"commit": version.commit, "reason": request.reason}
    if overridden:
        noted["overridden"] = _refusal(gate)
    why = f" ({request.reason})" if request.reason else ""
    against = ", against the gate" if overridden else ""
    return Wanted(
        model=model_folder(version.model, version.version),
        serves={version.model: version.version},
        reason=f"promotes {version.tag}{against}{why}",
        actor=request.actor,
        noted=noted,
        wait_seconds=request.wait_seconds,
    )


@dataclass(frozen=True, slots=True)
class _Done:
    """How a version of either kind came to serve, or did not."""

    publication: int
    serves: bool
    reason: str | None
    switched: bool = False
    """Whether it is this run's doing."""
    filled: Filled | None = None
    tried: Tried | None = None


def _filled(filled: Filled) -> _Done:
    return _Done(filled.publication, filled.serves, filled.reason, filled.switched, filled=filled)


def _seated(seated: Seated, last: Publication) -> _Done:
    row = seated.row
    if row is None:
        return _Done(last.number, serves=True, reason=SERVES, tried=seated.tried)
    return _Done(row.number, serves=True, reason=None, switched=True, tried=seated.tried)


def _ended(
    config: Config,
    request: Request,
    judged: tuple[Version, Gate | None],
    done: _Done,
    on_event: Callable[[Progress | Happened], None],
    ports: Ports,
) -> Promoted:
    (version, gate), stage = judged, None
    if done.serves:
        stage = _follow(config, version, ports)
        if done.switched:
            _tell(config, on_event, "model.promoted", version, {"number": done.publication})
    else:
        _tell(config, on_event, "model.refused", version, {"why": done.reason or ""})
    return Promoted(
        model=version.model,
        version=version.version,
        publication=done.publication,
        promoted=done.serves,
        reason=done.reason,
        gate=gate,
        overridden=request.override and _refusal(gate) is not None,
        filled=done.filled,
        tried=done.tried,
        stage=stage,
    )


def _follow(config: Config, version: Version, ports: Ports) -> str | None:
    """The ledger is what is true: that the stage cannot follow now undoes nothing."""
    try:
        ports.registry.assign_champion(config.root, version)
    except StaleproofError as error:
        return f"{version.tag} serves; its stage does not say so yet: {error.message}"
    return None


def _tell(
    config: Config,
    on_event: Callable[[Progress | Happened], None],
    event: str,
    version: Version,
    more: dict[str, Any],
) -> None:
    said = {"knowledge": config.knowledge.name, "version": version.version, **more}
    on_event(Happened(event, f"model.{version.model}", said))

"""Reads prefect.yaml, strictly: Prefect leaves out what it does not know without a word."""

import inspect
import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from flows.ops.place import here
from pipelines.config import nearest
from pipelines.errors import ConfigError

if TYPE_CHECKING:
    from prefect import Flow

FILE_NAME = "prefect.yaml"


class _Keys(BaseModel):
    """Keys of prefect.yaml. A name that is not among them is refused, not ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


K = TypeVar("K", bound=_Keys)


class DeclaredSchedule(_Keys):
    """One entry of ``schedules``."""

    slug: str
    cron: str | None = None
    interval: float | None = None
    timezone: str | None = None
    anchor_date: str | None = None
    day_or: bool | None = None
    active: bool | None = None
    """None: as it is on the server; a person may have paused it there."""
    parameters: dict[str, Any] = Field(default_factory=dict)
    replaces: str | None = None

    @model_validator(mode="after")
    def _is_a_schedule(self) -> "DeclaredSchedule":
        if (self.cron is None) == (self.interval is None):
            raise ValueError("a schedule has either cron or interval")
        self.schedule()
        return self

    def schedule(self) -> Any:
        """As Prefect has it."""
        from prefect.client.schemas.schedules import CronSchedule, IntervalSchedule

        given = self.model_dump(
            include={"cron", "interval", "timezone", "anchor_date", "day_or"}, exclude_none=True
        )
        return CronSchedule(**given) if self.cron else IntervalSchedule(**given)


class _Pool(_Keys):
    name: str
    work_queue_name: str | None = None
    job_variables: dict[str, Any] = Field(default_factory=dict)


class _Limit(_Keys):
    limit: int
    collision_strategy: Literal["ENQUEUE", "CANCEL_NEW"] = "ENQUEUE"
    grace_period_seconds: int | None = None


_Steps = list[dict[str, Any]] | dict[str, Any] | None


class _Deployment(_Keys):
    name: str
    entrypoint: str
    flow_name: str | None = None
    description: str | None = None
    version: str | None = None
    version_type: str | None = None
    tags: list[str] = Field(default_factory=list)
    parameters: dict[str, Any] = Field(default_factory=dict)
    enforce_parameter_schema: bool | None = None
    paused: bool | None = None
    work_pool: _Pool
    concurrency_limit: int | _Limit | None = None
    schedules: list[DeclaredSchedule] = Field(default_factory=list)
    triggers: list[dict[str, Any]] = Field(default_factory=list)
    build: _Steps = None
    push: _Steps = None
    pull: _Steps = None


class _File(_Keys):
    deployments: list[Any]
    name: str | None = None
    prefect_version: str | None = Field(default=None, alias="prefect-version")
    definitions: Any = None
    """Anchors for the rest of the file; Prefect does not look at it."""
    build: _Steps = None
    push: _Steps = None
    pull: _Steps = None


@dataclass(frozen=True, slots=True)
class Declared:
    """One deployment of prefect.yaml."""

    name: str
    """``flow/deployment``."""
    settings: _Deployment
    flow: "Flow[..., Any]"
    pull: list[dict[str, Any]]

    @property
    def tags(self) -> frozenset[str]:
        """What it is marked with."""
        return frozenset(self.settings.tags)

    @property
    def pool(self) -> str:
        """The work pool that it asks to run in."""
        return self.settings.work_pool.name

    @property
    def triggers(self) -> tuple[str, ...]:
        """The names of the automations that Prefect makes of its triggers."""
        return tuple(
            str(spec.get("name") or f"{self.settings.name}__automation_{place}")
            for place, spec in enumerate(self.settings.triggers, start=1)
        )


def read_deployments(root: Path) -> tuple[Declared, ...]:
    """The deployments that ``prefect.yaml`` declares.

    Args:
        root: The folder of the project.

    Raises:
        ConfigError: There is no such file, or something in it is wrong or would be ignored.
    """
    file = root / FILE_NAME
    whole = _checked(file, "", _File, _load(file))
    found = tuple(_declared(file, whole, place, raw) for place, raw in enumerate(whole.deployments))
    twice = [name for name, count in Counter(d.name for d in found).items() if count > 1]
    if twice:
        raise ConfigError(
            f"{file} has more than one deployment {twice[0]}.", hint="Give each its own name."
        )
    return found


def _load(file: Path) -> Any:
    try:
        return yaml.safe_load(file.read_text("utf-8"))
    except FileNotFoundError as error:
        raise ConfigError(
            f"There is no {file}, which says what the server is to run.",
            hint="staleproof init writes one, and leaves the rest as it is.",
        ) from error
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        said = " ".join(str(error).split())
        raise ConfigError(f"{file} cannot be read: {said}", hint="Mend it.") from error


def _declared(file: Path, whole: _File, place: int, raw: Any) -> Declared:
    named = raw.get("name") if isinstance(raw, Mapping) else None
    # Several flows have a deployment of the same name, that of the knowledge base.
    entrypoint = raw.get("entrypoint") if isinstance(raw, Mapping) else None
    who = f"deployment {named or f'number {place + 1}'}"
    who += f" ({entrypoint})" if isinstance(entrypoint, str) else ""
    settings = _checked(file, who, _Deployment, _with_values(raw))
    flow = _load_flow(file, who, settings.entrypoint)
    _check_parameters(file, who, settings, flow)
    slugs = [s.slug for s in settings.schedules]
    if len(set(slugs)) < len(slugs):
        raise ConfigError(
            f"{file}, {who}: two schedules have the same slug.", hint="Give each its own."
        )
    for trigger in settings.triggers:
        _check_trigger(file, who, trigger)
    pull = settings.pull if settings.pull is not None else whole.pull
    return Declared(f"{flow.name}/{settings.name}", settings, flow, _resolved(file, pull))


def _check_parameters(file: Path, who: str, settings: _Deployment, flow: "Flow[..., Any]") -> None:
    known = set(inspect.signature(flow.fn).parameters)
    given = set(settings.parameters).union(*(s.parameters for s in settings.schedules))
    for name in sorted(given - known):
        near = nearest(name, known)
        raise ConfigError(
            f"{file}, {who}: flow {flow.name} has no parameter {name!r}.",
            hint=f"Did you mean {near}?" if near else f"It has: {', '.join(sorted(known))}.",
        )


def _check_trigger(file: Path, who: str, raw: Mapping[str, Any]) -> None:
    """Prefect leaves out what it does not know here as well, an automation that never fires."""
    from prefect.events import DeploymentTriggerTypes

    try:
        known = type(TypeAdapter(DeploymentTriggerTypes).validate_python(raw)).model_fields
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        said = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
        raise ConfigError(f"{file}, {who}, triggers: {said}.", hint=_HINT) from error
    unknown = sorted(set(raw) - set(known))
    if unknown:
        near = nearest(unknown[0], known)
        meant = f"; did you mean {near}?" if near else "."
        raise ConfigError(
            f"{file}, {who}, triggers: there is no key {unknown[0]!r}{meant}", hint=_HINT
        )


def _with_values(raw: Any) -> Any:
    """With the variables of the environment that it names, as Prefect fills them in."""
    from prefect.utilities.templating import apply_values

    return apply_values(raw, dict(os.environ), remove_notset=False)


def _resolved(file: Path, steps: _Steps) -> list[dict[str, Any]]:
    """The steps before a run, with what our build step says of this project."""
    return [
        filled(step, file.parent) for step in ([steps] if isinstance(steps, dict) else steps or [])
    ]


def filled(value: Any, root: Path) -> Any:
    """A value of the file with what the build step says of the project in it."""
    from prefect.utilities.templating import apply_values

    return apply_values(value, {"here": here(str(root))}, remove_notset=False)


def _load_flow(file: Path, who: str, entrypoint: str) -> "Flow[..., Any]":
    from prefect.flows import load_flow_from_entrypoint

    inside = str(file.parent / entrypoint) if ":" in entrypoint else entrypoint
    try:
        return load_flow_from_entrypoint(inside, use_placeholder_flow=False)
    except Exception as error:
        raise ConfigError(
            f"{file}, {who}: no flow can be loaded from entrypoint {entrypoint!r}"
            f" ({type(error).__name__}: {error}).",
            hint="Name it as module.function, like flows.refresh.refresh.",
        ) from error


def _checked(file: Path, who: str, keys: type[K], raw: Any) -> K:
    try:
        return keys.model_validate(raw)
    except ValidationError as error:
        # Of what may be one thing or another, what lies deepest was meant; and where a key is
        # missing, one that is misspelled beside it.
        first = max(
            error.errors(include_url=False),
            key=lambda problem: (len(problem["loc"]), problem["type"] == "extra_forbidden"),
        )
        where = ", ".join(part for part in (str(file), who) if part)
        raise ConfigError(f"{where}: {_said(first, keys)}.", hint=_HINT) from error


_HINT = "The keys are those of https://docs.prefect.io/v3/deploy, written as there."


def _said(problem: Any, keys: type[_Keys]) -> str:
    path = [str(part) for part in problem["loc"] if part not in ("_Limit", "int")]
    key = ".".join(path)
    if problem["type"] == "extra_forbidden":
        near = nearest(path[-1], _known(keys, path[:-1]))
        return f"there is no key {key!r}" + (f"; did you mean {near}?" if near else "")
    if problem["type"] == "missing":
        return f"{key!r} is missing"
    return f"{key!r}: {problem['msg']}" if key else str(problem["msg"])


def _known(keys: type[_Keys], path: list[str]) -> list[str]:
    """The keys that may stand where a wrong one was found."""
    inner: dict[str, type[_Keys]] = {
        "schedules": DeclaredSchedule,
        "work_pool": _Pool,
        "concurrency_limit": _Limit,
    }
    return list(inner.get(path[0], keys).model_fields if path else keys.model_fields)

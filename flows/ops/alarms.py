"""Reads the automations of a knowledge base from their files, as strictly as prefect.yaml."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any

import yaml
from pydantic import BaseModel, TypeAdapter, ValidationError

from pipelines.config import Config, nearest
from pipelines.errors import ConfigError
from pipelines.pages import lasting

FOLDER = "infra/automations"
SHORTEST_SECONDS = 10
"""Prefect looks no closer than this for what did not happen."""

_KEYS = ("description", "trigger", "actions")


@dataclass(frozen=True, slots=True)
class Alarm:
    """One file: what it waits for, and what it does then."""

    name: str
    """``staleproof/<knowledge>/<file>``."""
    file: Path
    description: str
    trigger: dict[str, Any]
    actions: tuple[dict[str, Any], ...]
    """As Prefect has them, but for ``notify`` and deployments by name."""


def prefix(config: Config) -> str:
    """What the names of its automations begin with."""
    return f"staleproof/{config.knowledge.name}/"


def automations_folder(config: Config) -> Path:
    """The project's own ``infra/automations``, else the files that come with staleproof."""
    own, shipped = config.root / FOLDER, Path(__file__).parent / FOLDER
    checkout = Path(__file__).parents[2] / FOLDER
    return next((folder for folder in (own, shipped) if folder.is_dir()), checkout)


def read_alarms(config: Config, *, within: Mapping[str, float] | None = None) -> tuple[Alarm, ...]:
    """The automations that the files declare.

    Args:
        config: The configuration.
        within: Windows in seconds, by file name without its suffix, instead of those of the files.

    Raises:
        ConfigError: Something in a file is wrong or would be ignored.
    """
    files = sorted(automations_folder(config).glob("*.yaml"))
    return tuple(_read(config, file, (within or {}).get(file.stem)) for file in files)


def _read(config: Config, file: Path, within: float | None) -> Alarm:
    shortest = min((s.warn_after.total_seconds() for s in config.sources), default=86_400)
    values = {
        "knowledge": config.knowledge.name,
        "freshness_seconds": f"{max(SHORTEST_SECONDS, shortest):.0f}",
    }
    raw = _load(file, values | {"within": ""})
    _check_keys(file, "the file", raw, _KEYS, needed=_KEYS)
    trigger = raw["trigger"]
    if within is not None:
        trigger = {**trigger, "within": within}
    window = _check_trigger(file, trigger).within
    # Once more, now that it is known how long the window is that the text speaks of.
    raw = _load(file, values | {"within": lasting(window.total_seconds()) if window else ""})
    if not isinstance(raw["actions"], list) or not raw["actions"]:
        raise ConfigError(f"{file}, actions: a list is expected.", hint="Mend it.")
    for action in raw["actions"]:
        _check_action(file, action)
    name = f"{prefix(config)}{file.stem}"
    return Alarm(name, file, raw["description"], trigger, tuple(raw["actions"]))


def _load(file: Path, values: Mapping[str, str]) -> Any:
    try:
        return yaml.safe_load(Template(file.read_text("utf-8")).substitute(values))
    except (OSError, UnicodeDecodeError, yaml.YAMLError, ValueError, KeyError) as error:
        said = " ".join(str(error).split())
        raise ConfigError(f"{file} cannot be read: {said}.", hint="Mend it.") from error


def _check_trigger(file: Path, raw: Any) -> Any:
    """The trigger as Prefect understands it."""
    from prefect.events.schemas.automations import TriggerTypes

    trigger = _valid(file, "trigger", TypeAdapter(TriggerTypes).validate_python, raw)
    _check_keys(file, "trigger", raw, type(trigger).model_fields)
    for inner in raw.get("triggers", ()):
        _check_trigger(file, inner)
    return trigger


def _check_action(file: Path, raw: Any) -> None:
    from prefect.events.actions import ActionTypes

    kind = raw.get("type") if isinstance(raw, Mapping) else None
    if kind == "notify":
        _check_keys(file, "notify", raw, ("type", "subject", "body"), needed=("subject", "body"))
        return
    given = dict(raw) if isinstance(raw, Mapping) else raw
    if kind == "run-deployment" and "deployment" in given:
        given = with_deployment(given, "00000000-0000-0000-0000-000000000000")
    action = _valid(file, f"action {kind}", TypeAdapter(ActionTypes).validate_python, given)
    _check_keys(file, f"action {kind}", given, type(action).model_fields)


def with_deployment(action: Mapping[str, Any], deployment_id: str) -> dict[str, Any]:
    """An action that names a deployment, with its id in the place of the name."""
    rest = {key: value for key, value in action.items() if key != "deployment"}
    return rest | {"source": "selected", "deployment_id": deployment_id}


def _valid(file: Path, what: str, validate: Callable[[Any], BaseModel], raw: Any) -> BaseModel:
    try:
        return validate(raw)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        raise ConfigError(f"{file}, {what}: {key}: {first['msg']}.", hint="Mend it.") from error


def _check_keys(
    file: Path, what: str, raw: Any, known: Any, *, needed: tuple[str, ...] = ()
) -> None:
    if not isinstance(raw, Mapping):
        raise ConfigError(f"{file}, {what}: keys and values are expected.", hint="Mend it.")
    unknown, missing = sorted(set(raw) - set(known)), sorted(set(needed) - set(raw))
    if unknown:
        near = nearest(str(unknown[0]), known)
        hint = f"Did you mean {near}?" if near else f"Known: {', '.join(known)}."
        raise ConfigError(f"{file}, {what}: there is no key {unknown[0]!r}.", hint=hint)
    if missing:
        raise ConfigError(f"{file}, {what}: {missing[0]!r} is missing.", hint="Add it.")

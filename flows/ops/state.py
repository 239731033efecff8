"""What an ``up`` that runs has written down of itself, for ``down`` and for other commands."""

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from flows.ops.environment import run_folder
from pipelines.config import Config
from pipelines.processes import ProcessId, is_alive

FILE_NAME = "up.json"


@dataclass(frozen=True, slots=True)
class ProcessState:
    """One process of an ``up``."""

    name: str
    process: ProcessId | None
    """None while it waits to be started again."""
    since: str
    """When it was started, ISO 8601."""
    restarts: int
    log: str


@dataclass(frozen=True, slots=True)
class UpState:
    """An ``up``: its supervisor, where its server is, and its processes."""

    supervisor: ProcessId
    url: str
    database: str
    since: str
    ready: bool
    processes: tuple[ProcessState, ...] = ()

    def with_processes(self, processes: tuple[ProcessState, ...]) -> "UpState":
        """The same, with its processes as they are now."""
        return replace(self, processes=processes)


def state_file(config: Config) -> Path:
    """Where the state of this project's ``up`` is."""
    return run_folder(config) / FILE_NAME


def write_state(config: Config, state: UpState) -> None:
    """Replaces the state; a reader sees the old one or the new."""
    replace_json(state_file(config), asdict(state))


def replace_json(file: Path, data: Any) -> None:
    """Writes a file of JSON in the place of the one that may be there."""
    new = file.with_suffix(".new")
    new.write_text(json.dumps(data, indent=2), encoding="utf-8")
    new.replace(file)


def read_state(config: Config) -> UpState | None:
    """What was written last; None where nothing was, or nothing that can be read."""
    try:
        data = json.loads(state_file(config).read_text(encoding="utf-8"))
        return UpState(
            supervisor=ProcessId(**data["supervisor"]),
            processes=tuple(_process(one) for one in data["processes"]),
            **{key: data[key] for key in ("url", "database", "since", "ready")},
        )
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None


def _process(data: dict[str, Any]) -> ProcessState:
    process = data.pop("process")
    return ProcessState(process=ProcessId(**process) if process else None, **data)


def running(config: Config) -> UpState | None:
    """The ``up`` of this project, if its supervisor runs."""
    state = read_state(config)
    return state if state and is_alive(state.supervisor) else None


def forget(config: Config) -> None:
    """Removes the state."""
    state_file(config).unlink(missing_ok=True)

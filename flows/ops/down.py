"""Stops the ``up`` of a project, whether its supervisor still runs or was killed."""

import signal
from dataclasses import dataclass

from flows.ops.environment import mark_of
from flows.ops.processes import marked, reap, send, wait_gone
from flows.ops.state import forget, read_state
from pipelines.config import Config
from pipelines.errors import ServerFailed
from pipelines.processes import is_alive

_STOP_SECONDS = 90
"""For a supervisor that stops its programs in order."""


@dataclass(frozen=True, slots=True)
class Stopped:
    """What was stopped."""

    processes: int
    killed_before: bool
    """The supervisor had been killed; what it left was ended."""


def take_down(config: Config) -> Stopped:
    """Stops everything of this project's ``up``; nothing of it is left when this returns.

    Raises:
        ServerFailed: Something of it cannot be stopped.
    """
    state, mark = read_state(config), mark_of(config)
    found = {one.pid for one in marked(mark)}
    alive = state is not None and is_alive(state.supervisor)
    if state is not None and alive:
        found.add(state.supervisor.pid)
        send(state.supervisor, signal.SIGTERM)
        if not wait_gone(state.supervisor, _STOP_SECONDS):
            send(state.supervisor, signal.SIGKILL)
            wait_gone(state.supervisor, 10)
    found |= {one.pid for one in reap(mark, seconds=15)}
    left = marked(mark)
    if left:
        pids = ", ".join(str(one.pid) for one in left)
        raise ServerFailed(f"These processes do not end: {pids}.", hint="End them by hand.")
    forget(config)
    return Stopped(len(found), killed_before=bool(found) and not alive)

"""The process of the warm lane: ``python -P -m flows.warm CONFIG``.

It leaves with exit code 0 between two runs when it is too large or too old; whoever supervises it
starts it again. Killed at any instant it leaves what a killed refresh leaves: nothing that the
next one would not put right, and the wishes in the inbox.
"""

import gc
import logging
import os
import sys
import threading
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from flows.ops.attach import use_running_server
from flows.ops.signals import stopped_by_signals
from flows.warm.encoders import Encoders
from flows.warm.life import Bounds, alone, held_mb, last_lane, tell
from pipelines.config import Config, load_config
from pipelines.embedding import load_encoder
from pipelines.errors import StaleproofError
from pipelines.records import LoadEncoder

if TYPE_CHECKING:
    from flows.warm.lane import WarmLane

logger = logging.getLogger("flows.warm")

_HEAVY = ("great_expectations", "lancedb", "pandas", "torch")
"""What a run imports when it has something to do."""

_GRACE_SECONDS = 12.0
"""A short run ends by itself when the process is asked to stop; a longer one is broken off."""
_TOLD_SECONDS = 4.0
"""For the server to hear of that. Together less than ``up`` gives a process to end."""


def main(config_path: str, *, load: LoadEncoder = load_encoder) -> int:
    """Serves a configuration.

    Args:
        config_path: Its file.
        load: Finds the model.

    Returns:
        The exit code.
    """
    logging.basicConfig(format="%(asctime)s %(message)s", stream=sys.stdout)
    stopping = threading.Event()
    try:
        config = load_config(Path(config_path))
        os.chdir(config.root)  # as before each run of the deployment
        use_running_server(config)  # before Prefect is imported
        with stopped_by_signals(stopping), alone(config):
            return _serve(config, stopping, load)
    except StaleproofError as error:
        logger.error("%s", error)
        return error.exit_code


def _serve(config: Config, stopping: threading.Event, load: LoadEncoder) -> int:
    before = last_lane(config)
    tell(config, ready=False)
    from flows.ops.doctor import api_in_use
    from flows.warm.lane import WarmLane

    api, _ = api_in_use(config)
    killed = before.process if before else None
    lane = WarmLane(config.path, api, Encoders(load), stopping=stopping, killed=killed)
    ended: list[int] = []

    def live() -> None:
        try:
            _warm(config, lane)
            tell(config, ready=True)
            lane.serve(Bounds.of(config))
        except StaleproofError as error:
            logger.error("%s", error)
            ended.append(error.exit_code)
        else:
            ended.append(0)

    # In a thread of its own: signals come to this one, and Prefect takes none over elsewhere.
    thread = threading.Thread(target=live, name="warm lane", daemon=True)
    thread.start()
    while thread.is_alive() and not stopping.is_set():
        thread.join(0.2)
    thread.join(_GRACE_SECONDS)
    if thread.is_alive():
        _break_off(lane)
    return ended[0] if ended else 1


def _warm(config: Config, lane: "WarmLane") -> None:
    """Loads what the first run would have to load."""
    for package in _HEAVY:
        import_module(package)
    try:
        lane.encoders.warm(config)
    except StaleproofError as error:  # each run will say the same, where people see it
        logger.warning("The model is not loaded yet: %s", error)
    gc.freeze()  # what is loaded stays, and need not be looked through after each run
    held, bound = held_mb(), config.webhook.warm_memory_mb
    logger.info("Warm: %s MB held.", f"{held:,}", extra={"event": "warm.ready"})
    if held > bound:
        said = (
            "It holds %s MB before its first run, and [webhook] warm_memory_mb is %s: it will be"
            " started anew after each run. Raise warm_memory_mb, or set warm = false."
        )
        logger.warning(said, f"{held:,}", f"{bound:,}")


def _break_off(lane: "WarmLane") -> None:
    """Ends the process in the middle of a run, after the server was told."""
    from prefect.events.worker import EventsWorker
    from prefect.logging.handlers import APILogWorker

    lane.break_off(_TOLD_SECONDS)
    for worker in (APILogWorker, EventsWorker):
        worker.drain_all(timeout=1, at_exit=False)
    sys.stdout.flush()
    os._exit(0)  # the thread in the middle of a stage would be waited for


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

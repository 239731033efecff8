"""An ``up`` without a terminal: a process of its own, and how it tells the one that started it.

It prints one JSON object a line: steps, then ``ready`` or ``error``; after that nothing.
"""

import json
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

from flows.ops.environment import logs_folder
from flows.ops.preflight import check_folder
from flows.ops.signals import interrupted_by_signals, stopped_by_signals
from flows.ops.supervise import StopAsked
from flows.ops.up import Listener, keep_up, told_error
from pipelines.config import Config, load_config
from pipelines.errors import ServerFailed, StaleproofError

logger = logging.getLogger(__name__)


def start_detached(config: Config, on_step: Callable[[str], None]) -> None:
    """Starts ``up`` in a session of its own; returns when it is ready.

    Args:
        config: The configuration.
        on_step: Told what happens.

    Raises:
        StaleproofError: It cannot start; nothing of it is left running.
    """
    check_folder(config)
    log = logs_folder(config) / "up.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as errors:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "flows.ops.detached", str(config.path)],
            cwd=config.root,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            start_new_session=True,
        )
    assert process.stdout is not None  # noqa: S101 - asked for above
    try:
        with interrupted_by_signals():
            _listen(process.stdout, on_step, log)
    except BaseException:
        process.terminate()
        process.wait()
        raise
    finally:
        process.stdout.close()
    process.returncode = 0  # it goes on; nobody here waits for it


def _listen(told: IO[str], on_step: Callable[[str], None], log: Path) -> None:
    for line in told:
        said: dict[str, Any] = json.loads(line)
        if "error" in said:
            raise told_error(said["error"])
        if "ready" in said:
            return
        on_step(said["step"])
    raise ServerFailed("It ended while it started.", hint=f"See {log}.")


def main(config_path: str) -> int:
    """The detached process."""
    logging.basicConfig(format="%(asctime)s %(message)s")
    stopping = threading.Event()
    listener = Listener(
        on_step=lambda step: _tell({"step": step}),
        on_ready=lambda state: _tell({"ready": asdict(state)}, last=True),
    )
    try:
        with stopped_by_signals(stopping):
            keep_up(load_config(Path(config_path)), listener=listener, stopping=stopping)
    except StopAsked:
        return 0
    except StaleproofError as error:
        told = {"type": type(error).__name__, "message": error.message, "hint": error.hint}
        _tell({"error": told}, last=True)
        logger.error("%s", error)
        return error.exit_code
    return 0


def _tell(said: dict[str, Any], *, last: bool = False) -> None:
    """One line to whoever started this; where nobody listens any more, to nobody."""
    try:
        print(json.dumps(said), flush=True)  # noqa: T201 - read by start_detached
    except BrokenPipeError:
        last = True
    if last:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))

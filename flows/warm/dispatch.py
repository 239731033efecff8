"""Starts a run of the process worker for what waits in the inbox while no warm lane looks at it.

A thread of the receiver: it asks the server by its REST API, and imports neither Prefect nor what
embeds. It also turns what Prefect cancelled, because another run of the deployment went on, into a
wish: that run may have looked at other sources.
"""

import logging
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from flows.faults import fault
from flows.ops.rest import Api
from flows.warm.asked import (
    CROWDED_OUT,
    can_be_done,
    is_held,
    not_looked_at,
    pressing,
    reason_of,
)
from flows.warm.life import find_lane
from flows.warm.pace import Away, Pace
from flows.warm.server import crowded_out, deployment_id, is_busy, start_run
from pipelines.config import Config, load_config
from pipelines.errors import StaleproofError
from pipelines.inbox import Wish, inbox_of

logger = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
PATIENCE = timedelta(seconds=3)
"""Before a run is started: deliveries of one moment are one run."""

PATIENCE_WITH_LANE = timedelta(seconds=60)
"""The same while a warm lane lives, which would have done it by then."""

_CROWDED_SECONDS = 10.0


@dataclass(slots=True)
class Dispatcher:
    """What it remembers from one look to the next."""

    config_path: Path
    api: Api
    pace: Pace = field(default_factory=Pace)
    _started: dict[str, Wish] = field(default_factory=dict)
    """What its last run was to look at, until that has ended."""
    _crowded_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    """Up to when it has looked for runs that were cancelled."""
    _crowded_next: float = float("-inf")

    def look(self) -> str | None:
        """Starts a run if it is time for one.

        Returns:
            The id of the run.

        Raises:
            OSError: The server does not answer.
            StaleproofError: Configuration or store cannot be used.
        """
        config, now = load_config(self.config_path), datetime.now(UTC)
        self._ask_for_crowded_out(config, now)
        inbox = inbox_of(config.store_uri)
        wishes = pressing(inbox.waiting(), now)
        if not wishes and not self._started:
            return None
        patience = PATIENCE_WITH_LANE if find_lane(config) else PATIENCE
        due = {name: wish for name, wish in wishes.items() if now - wish.since >= patience}
        if not (due or self._started) or is_held(config):
            return None
        deployment = deployment_id(self.api, config)
        if is_busy(self.api, deployment, or_soon=True):
            return None
        self._account(not_looked_at(inbox, self._started), due)
        names = self.pace.allowed(due, time.monotonic())
        asked = can_be_done(config, {name: due[name] for name in names}, now)
        return self._start(config, deployment, asked) if asked else None

    def _account(self, failed: set[str], due: Mapping[str, Wish]) -> None:
        if self._started:
            more = bool(due.keys() - failed)
            self.pace.ran(self._started, failed, more=more, now=time.monotonic())
            self._started = {}

    def _start(self, config: Config, deployment: str, asked: dict[str, Wish]) -> str:
        name, names, reason = config.knowledge.name, tuple(asked), reason_of(asked.values())
        made = start_run(self.api, deployment, knowledge=name, sources=names, reason=reason)
        run = str(made["id"])
        self._started = asked
        logger.info("Run %s was started (%s).", run, reason, extra={"event": "dispatch.started"})
        return run

    def _ask_for_crowded_out(self, config: Config, now: datetime) -> None:
        if time.monotonic() < self._crowded_next:
            return
        deployment, known = deployment_id(self.api, config), [one.name for one in config.sources]
        for run in crowded_out(self.api, deployment, known=known, since=self._crowded_at):
            actor = f"{CROWDED_OUT}: {run.name}"
            inbox_of(config.store_uri).ask(run.sources, actor=actor, now=now)
            self._crowded_at = run.at
        self._crowded_next = time.monotonic() + _CROWDED_SECONDS


def start(config: Config, stop: threading.Event, *, api: Api | None = None) -> threading.Thread:
    """Looks once a second, in a thread, until ``stop`` is set.

    Args:
        config: The configuration; its file is read anew at each look.
        stop: Ends it.
        api: The server; the one that the environment names or that is the project's own, by default.
    """
    dispatcher = Dispatcher(config.path, api or Api.named() or Api.of(config))

    def keep_looking() -> None:
        away = Away()
        while not stop.wait(away.seconds or LOOK_SECONDS):
            try:
                dispatcher.look()
                away.answered()
            except Exception as error:  # noqa: BLE001 - a door: the receiver must not lose it
                if away.failed():
                    ours = isinstance(error, OSError | StaleproofError)
                    said = str(error) if ours else fault(error)
                    logger.warning("What is asked for waits: %s", said)

    thread = threading.Thread(target=keep_looking, name="dispatcher", daemon=True)
    thread.start()
    return thread

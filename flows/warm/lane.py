"""The warm lane: watches the inbox, and refreshes what others ask for, one run after the other."""

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from prefect import Flow
from prefect.events.worker import EventsWorker

from flows.faults import fault, where
from flows.ops.lost import crash_runs_of
from flows.ops.rest import Api
from flows.refresh import refresh_flow
from flows.warm.asked import can_be_done, is_held, not_looked_at, pressing, reason_of
from flows.warm.clients import kept_clients
from flows.warm.encoders import Encoders
from flows.warm.life import Bounds, give_memory_back
from flows.warm.pace import Away, Pace
from flows.warm.run import RETRIES, own_events, run_here
from flows.warm.server import deployment_id, is_busy, start_run
from pipelines.config import Config, load_config
from pipelines.errors import StaleproofError
from pipelines.inbox import Wish, inbox_of
from pipelines.knowledge import announcement, reading
from pipelines.processes import ProcessId
from pipelines.refresh import Ports

logger = logging.getLogger(__name__)

POLL_SECONDS = 0.05
"""A look at the inbox takes a third of a millisecond."""


@dataclass(slots=True)
class WarmLane:
    """One process that serves one configuration, until it is asked to stop or has lived enough."""

    config_path: Path
    api: Api
    encoders: Encoders = field(default_factory=Encoders)
    stopping: threading.Event = field(default_factory=threading.Event)
    killed: ProcessId | None = None
    """The lane before this one, where it left no other way: what it ran holds the only place."""
    pace: Pace = field(default_factory=Pace)
    _flow: Flow[..., Any] | None = None
    _events: EventsWorker | None = None
    _away: Away = field(default_factory=Away)
    _deployment: dict[str, str] = field(default_factory=dict)
    """Its id, by knowledge base; asked for again once something did not go well."""
    _kept: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)
    _runner: asyncio.Runner | None = None
    """With Prefect's clients; made anew once something did not go well."""
    _running: "tuple[asyncio.AbstractEventLoop, asyncio.Task[None]] | None" = None
    _idle: threading.Event = field(default_factory=threading.Event)
    """Set while no run goes on."""

    def serve(self, bounds: Bounds) -> None:
        """Until ``stopping`` is set, or a bound is passed; leaves between runs."""
        uri = load_config(self.config_path).store_uri
        self._idle.set()
        with reading(uri), contextlib.closing(self):
            self._serve(uri, bounds)

    def close(self) -> None:
        """Forgets what it knows of the server, and the clients with which it asked."""
        self._deployment.clear()
        self._runner = None
        try:
            self._kept.close()
        except Exception as error:  # noqa: BLE001 - a door: others are made for the next run
            logger.warning("Clients of the server were not closed: %s", fault(error))

    def _serve(self, uri: str, bounds: Bounds) -> None:
        inbox, after_run = inbox_of(uri), False
        while not self.stopping.wait(self._away.seconds or POLL_SECONDS):
            why = bounds.passed(after_run=after_run)
            if why:
                logger.info("Leaves, to be started anew: %s.", why, extra={"event": "warm.left"})
                return
            after_run = False
            try:
                if announcement(uri) is not None or self.encoders.waits_for_switch:
                    self.encoders.hear(load_config(self.config_path))
                after_run = bool(inbox.waiting()) and self.look()
            except (OSError, StaleproofError) as error:
                self.close()
                if self._away.failed():
                    logger.warning("What is asked for waits: %s", error)
            else:
                self._away.answered()

    def look(self) -> bool:
        """Makes one run, if there is something that may be looked at now.

        Returns:
            Whether there was.

        Raises:
            OSError: The server does not answer.
            StaleproofError: Configuration or store cannot be used.
        """
        config, now = load_config(self.config_path), datetime.now(UTC)
        wishes = pressing(inbox_of(config.store_uri).waiting(), now)
        names = self.pace.allowed(wishes, time.monotonic())
        if not names or is_held(config):
            return False
        deployment = self._deployment_of(config)
        if self.killed is not None:
            crash_runs_of(self.api, deployment, self.killed)
            self.killed = None
        if is_busy(self.api, deployment, or_soon=False):
            return False
        asked = can_be_done(config, {name: wishes[name] for name in names}, now)
        if asked:
            self._run(config, deployment, asked)
        return bool(asked)

    def break_off(self, seconds: float) -> bool:
        """Ends the run that goes on, which becomes Crashed; called by another thread.

        Args:
            seconds: How long to wait until the server knows.

        Returns:
            Whether it knows.
        """
        if self._running is not None:
            loop, task = self._running
            loop.call_soon_threadsafe(task.cancel)
        return self._idle.wait(seconds)

    def _run(self, config: Config, deployment: str, asked: Mapping[str, Wish]) -> None:
        self._events, reason = own_events(self._events), reason_of(asked.values())
        name, names = config.knowledge.name, tuple(asked)
        run = start_run(self.api, deployment, knowledge=name, sources=names, reason=reason)
        try:
            self._in_loop().run(self._taken(run))
        except asyncio.CancelledError:
            why = "this process is to stop" if self.stopping.is_set() else "Prefect cancelled it"
            logger.warning("Run %s was broken off: %s.", run["id"], why)
            self.close()  # waits for the thread that the run is in
        except Exception as error:  # noqa: BLE001 - a door: one run must not end the lane
            logger.error("Run %s broke off with %s.\n%s", run["id"], fault(error), where(error))
            self.close()
        finally:
            self._running = None
        # Also where another process runs it: until it has looked, this is no reason to hurry.
        inbox = inbox_of(config.store_uri)
        failed = not_looked_at(inbox, asked)
        more = bool(pressing(inbox.waiting(), datetime.now(UTC)).keys() - failed)
        self.pace.ran(asked, failed, more=more, now=time.monotonic())
        give_memory_back()

    def _deployment_of(self, config: Config) -> str:
        name = config.knowledge.name
        if name not in self._deployment:
            self._deployment[name] = deployment_id(self.api, config)
        return self._deployment[name]

    def _in_loop(self) -> asyncio.Runner:
        if self._runner is None:
            self._runner = self._kept.enter_context(kept_clients())
        return self._runner

    def _refresh(self) -> Flow[..., Any]:
        """The flow, made once: Prefect looks through its parameters each time that it is made."""
        if self._flow is None:
            self._flow = refresh_flow(Ports(load_encoder=self.encoders), retries=RETRIES)
        return self._flow

    async def _taken(self, run: dict[str, Any]) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - the runner makes one
        self._running = asyncio.get_running_loop(), task
        self._idle.clear()
        try:
            state = await run_here(run, self._refresh())
        finally:
            self._idle.set()
        said = "is run by another process" if state is None else state.name
        logger.info("Run %s: %s.", run["id"], said, extra={"event": "warm.ran"})

"""The receiver as an app: takes signed deliveries into the inbox, and says how things are."""

import asyncio
import base64
import json
import logging
import os
import secrets
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST

from flows.announce import tell_server
from flows.webhook.announce import Announcer, Tell
from flows.webhook.bodies import BrokenOff, TooLarge, read_body
from flows.webhook.document import HEALTH, HOOK, METRICS
from flows.webhook.metrics import UNKNOWN, Metrics
from flows.webhook.signatures import Refused, Verified, secret_problem, stand_in, verify
from pipelines.config import Config, Endpoint
from pipelines.errors import StoreError
from pipelines.inbox import Delivery, inbox_of

logger = logging.getLogger(__name__)

RETRY_SECONDS = 30
"""When to come again: a refresh of what waits takes about so long."""

_ANSWERS: dict[str, tuple[int, str]] = {
    "too_large": (413, "too large"),
    "broken_off": (400, "incomplete"),
    "refused": (401, "refused"),
    "full": (429, "too many deliveries wait"),
    "unavailable": (503, "it cannot be kept now"),
}
"""By outcome: status, and all that a sender is told."""
_AGAIN = {"full", "unavailable"}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a delivery."""

    what: str
    """accepted, known, or one of the refusals."""
    id: str = ""
    """Of the delivery, where its sender is known."""

    def answer(self) -> JSONResponse:
        """What the sender is told."""
        if self.what not in _ANSWERS:
            return JSONResponse({"accepted": self.id}, 202)
        status, error = _ANSWERS[self.what]
        again = {"Retry-After": str(RETRY_SECONDS)} if self.what in _AGAIN else {}
        return JSONResponse({"error": error}, status, again)


@dataclass(frozen=True, slots=True)
class _Receiver:
    config: Config
    env: Mapping[str, str]
    clock: Callable[[], datetime]
    announcer: Announcer
    metrics: Metrics
    nobodys: str = field(default_factory=lambda: base64.b64encode(secrets.token_bytes(32)).decode())
    """A secret that nobody knows."""
    writing: threading.Lock = field(default_factory=threading.Lock)

    async def receive(self, request: Request) -> Response:
        """Takes one delivery, or refuses it."""
        name = request.path_params["endpoint"]
        endpoint = self._endpoint(name)
        outcome = await self._outcome(name, endpoint, request)
        self.metrics.count(endpoint.name if endpoint else UNKNOWN, outcome.what)
        logger.info(
            "delivery %s",
            json.dumps({"endpoint": name[:100], "id": outcome.id, "outcome": outcome.what}),
            extra={"event": "webhook.delivery"},
        )
        return outcome.answer()

    async def _outcome(self, name: str, endpoint: Endpoint | None, request: Request) -> Outcome:
        """Size, then signature, then the inbox: each costs more than what comes before."""
        try:
            body = await read_body(request, most=self.config.webhook.max_body_bytes)
            sender = self._verified(name, endpoint, request.headers, body)
        except TooLarge:
            return Outcome("too_large")
        except BrokenOff:
            return Outcome("broken_off")
        except Refused:
            return Outcome("refused")
        asks = endpoint.sources if endpoint and sender.asks else ()
        delivery, now = Delivery(name, sender.id, asks), self.clock()
        try:
            taken = await asyncio.to_thread(self._take, delivery, now)
        except StoreError as error:
            logger.error("%s", error)
            return Outcome("unavailable", sender.id)
        if taken == "accepted":
            self.announcer.requested(delivery, at=now)
        return Outcome(taken, sender.id)

    def _verified(
        self, name: str, endpoint: Endpoint | None, headers: Mapping[str, str], body: bytes
    ) -> Verified:
        """The sender of a delivery.

        An endpoint that does not exist, or that has no secret, is one of some kind with a secret
        that nobody knows: neither the answer nor the time that it takes tells the difference.
        """
        kind = endpoint.kind if endpoint else stand_in(name, self.nobodys)
        secret = self.env.get(endpoint.secret_env, "") if endpoint else ""
        return verify(kind, headers, body, secret or self.nobodys, now=self.clock())

    def _endpoint(self, name: str) -> Endpoint | None:
        return next((one for one in self.config.webhook.endpoints if one.name == name), None)

    def _take(self, delivery: Delivery, now: datetime) -> str:
        with self.writing:  # one writer at a time waits for nobody; many would wait for each other
            inbox = inbox_of(self.config.store_uri)
            return inbox.take(delivery, most=self.config.webhook.max_waiting, now=now)

    def is_healthy(self) -> bool:
        """Whether the inbox can be read."""
        try:
            inbox_of(self.config.store_uri).waiting()
        except StoreError as error:
            logger.error("%s", error)
            return False
        return True


def make_app(
    config: Config,
    env: Mapping[str, str] = os.environ,
    *,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    tell: Tell = tell_server,
) -> FastAPI:
    """The app of a knowledge base.

    Args:
        config: The configuration.
        env: Where the secrets are; asked at each delivery. Without its secret an endpoint refuses.
        clock: Says the time.
        tell: Tells the Prefect server of what was asked for.
    """
    for one in config.webhook.endpoints:
        if problem := secret_problem(one.kind, env.get(one.secret_env, "")):
            logger.warning(
                "Webhook %s refuses everything: %s %s.", one.name, one.secret_env, problem
            )
    metrics = Metrics(config, clock)
    receiver = _Receiver(config, env, clock, Announcer(config, tell), metrics)
    app = FastAPI(
        title="staleproof webhooks",
        description="What asks for a refresh of a knowledge base, from outside.",
        # Their pages load from elsewhere.
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
    )

    @app.post("/hooks/{endpoint}", **HOOK)
    async def receive(request: Request) -> Response:
        """Take a delivery: what it asks for is on disk before the answer."""
        return await receiver.receive(request)

    @app.get("/health", **HEALTH)
    async def health() -> Response:
        """Say whether deliveries can be taken."""
        ok = await asyncio.to_thread(receiver.is_healthy)
        return JSONResponse({"ok": ok}, 200 if ok else 503)

    @app.get("/metrics", **METRICS)
    async def show_metrics() -> Response:
        """Say how fresh the sources are and what waits, for Prometheus."""
        return Response(await asyncio.to_thread(metrics.text), media_type=CONTENT_TYPE_LATEST)

    return app

"""Sends a delivery of nothing to the receiver of this machine, and sees that a run looks."""

import http.client
import json
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlsplit

from flows.ops.environment import receiver_url
from flows.webhook.signing import secret_of, sign
from pipelines.config import Config, Endpoint
from pipelines.errors import ConfigError, ServerFailed, ServerUnavailable
from pipelines.inbox import inbox_of

BODY = json.dumps({"ref": "", "commits": []}).encode()
"""A push of nothing."""
_ANSWER_SECONDS = 30
_POLL_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Sent:
    """A delivery that the receiver took."""

    endpoint: Endpoint
    id: str
    sequence: int
    started: float
    """When it was sent, on the monotonic clock."""


@dataclass(frozen=True, slots=True)
class Looked:
    """A run that looked at a source after the delivery."""

    source: str
    run: str
    seconds: float
    """From the moment that the delivery was sent."""


def send(config: Config, endpoint: Endpoint, env: Mapping[str, str]) -> Sent:
    """Delivers, and sees that it is in the inbox.

    Args:
        config: The configuration.
        endpoint: Where to.
        env: Has the secret.

    Raises:
        ConfigError: The secret is not set here, or is another one there.
        ServerUnavailable: Nobody listens, or too much waits already.
        ServerFailed: Something else answers, or the receiver of another project.
    """
    delivery, now = f"test-{secrets.token_hex(8)}", datetime.now(UTC)
    headers = sign(endpoint.kind, secret_of(endpoint, env), BODY, id=delivery, now=now)
    started = time.monotonic()
    status = _post(config, endpoint, headers)
    if status != 202:
        raise _refused(config, endpoint, status)
    sequence = inbox_of(config.store_uri).sequence_of(endpoint.name, delivery)
    if sequence is None:
        raise ServerFailed(
            f"What listens at {receiver_url(config)} took the delivery, but not for the store of"
            " this project.",
            hint="Give each project a [webhook] port of its own.",
        )
    return Sent(endpoint, delivery, sequence, started)


def wait_until_looked(config: Config, sent: Sent, seconds: float) -> tuple[Looked, ...]:
    """Waits until a run has looked at each source of the endpoint.

    Raises:
        ServerUnavailable: None did in this time.
    """
    inbox, found = inbox_of(config.store_uri), dict[str, Looked]()
    while len(found) < len(sent.endpoint.sources):
        for source, settled in inbox.settled().items():
            new = source in sent.endpoint.sources and source not in found
            if new and settled.sequence >= sent.sequence:
                found[source] = Looked(source, settled.run, time.monotonic() - sent.started)
        if time.monotonic() - sent.started > seconds:
            break
        time.sleep(_POLL_SECONDS)
    waiting = [source for source in sent.endpoint.sources if source not in found]
    if waiting:
        raise ServerUnavailable(
            f"The delivery is on disk, but no run has looked at {', '.join(waiting)} within"
            f" {seconds:.0f} seconds. It stays until one does.",
            hint="See staleproof doctor, and the runs in Prefect's UI; or give it more time with"
            " --wait 5m.",
        )
    return tuple(found[source] for source in sent.endpoint.sources)


def _post(config: Config, endpoint: Endpoint, headers: Mapping[str, str]) -> int:
    parts = urlsplit(receiver_url(config))
    connection = http.client.HTTPConnection(
        parts.hostname or "", parts.port, timeout=_ANSWER_SECONDS
    )
    try:
        path, json_body = f"/hooks/{endpoint.name}", {"Content-Type": "application/json"}
        # A token of GitLab is a header by itself, and may have any letters.
        given = {name: value.encode() for name, value in {**json_body, **headers}.items()}
        connection.request("POST", path, BODY, given)
        return connection.getresponse().status
    except OSError as error:
        raise ServerUnavailable(
            f"Nobody answers at {receiver_url(config)} ({type(error).__name__}).",
            hint="Start it with staleproof up. One that ran before the endpoint was added does not"
            " know it: staleproof down, staleproof up.",
        ) from error
    except http.client.HTTPException as error:
        raise ServerFailed(
            f"What answers at {receiver_url(config)} is no receiver of webhooks.",
            hint="Give [webhook] a port of its own.",
        ) from error
    finally:
        connection.close()


def _refused(config: Config, endpoint: Endpoint, status: int) -> Exception:
    match status:
        case 401:
            return ConfigError(
                f"401: the receiver has another secret for {endpoint.name} than"
                f" {endpoint.secret_env} has here, or does not know the endpoint yet.",
                hint="Set it where staleproof up runs, and start that again: staleproof down,"
                " staleproof up.",
            )
        case 429:
            return ServerUnavailable(
                f"429: {config.webhook.max_waiting} deliveries wait already, and no run looks.",
                hint="See staleproof doctor.",
            )
        case 404 | 405:
            return ServerFailed(
                f"{status}: what answers at {receiver_url(config)} is no receiver of webhooks.",
                hint="Give [webhook] a port of its own.",
            )
        case _:
            return ServerFailed(
                f"The receiver answered {status}.", hint="See its log in .staleproof/logs."
            )

"""Who sent a delivery: its headers, its raw body and a secret give its id, or it is refused."""

import base64
import binascii
import hashlib
import hmac
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from standardwebhooks import Webhook
from standardwebhooks.webhooks import EmptyWebhookSecretError, WebhookVerificationError

from pipelines.config import Config, HookKind
from pipelines.errors import ConfigError

TOLERANCE_SECONDS = 300
"""A signed time may be so far from ours."""

_ID = re.compile(r"[\x21-\x7e]{1,200}")
_SIGNED_ID = re.compile(r"[\x21-\x2d\x2f-\x7e]{1,200}")
_SECONDS = re.compile(r"[0-9]{1,12}")
_ASKING = {"push", "Push Hook", "Tag Push Hook"}
"""Events of GitHub and GitLab after which a source may have changed."""


class Refused(Exception):
    """A delivery that is not what it should be. Says nothing of why: the sender is unknown."""


@dataclass(frozen=True, slots=True)
class Verified:
    """A delivery from somebody who knows the secret."""

    id: str
    """Of the sender; the same where it delivers again."""
    event: str
    """What happened, in the sender's words; empty where its kind has no such word."""
    asks: bool
    """Whether a source may have changed."""


def verify(
    kind: HookKind, headers: Mapping[str, str], body: bytes, secret: str, *, now: datetime
) -> Verified:
    """Sees that a delivery was signed with the secret.

    Args:
        kind: How it is signed.
        headers: By lower-case name, as the bytes of their values read as Latin-1.
        body: As it came; it is never parsed.
        secret: What signs. An empty one verifies nothing.
        now: The time. Deliveries of the kind ``standard`` are held against the clock itself.

    Raises:
        Refused: It was not, or is too old, or has no usable id.
    """
    if not secret:
        raise Refused
    try:
        verified = _CHECKS[kind](headers, body, secret, now)
    except (ValueError, KeyError, WebhookVerificationError, EmptyWebhookSecretError):
        raise Refused from None
    if not _ID.fullmatch(verified.id):
        raise Refused
    return verified


def secret_problem(kind: HookKind, secret: str) -> str:
    """Why nothing can be signed with a secret, as the end of a sentence; empty where it can."""
    if not secret:
        return "is not set"
    if kind == "standard":
        text = secret.removeprefix("whsec_")
        try:
            decoded = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
        except (binascii.Error, ValueError):
            decoded = b""
        if not decoded:
            return "is not a secret of Standard Webhooks: whsec_ and Base64"
    return ""


def check_secrets(config: Config, env: Mapping[str, str] = os.environ) -> None:
    """Sees that every endpoint has its secret.

    Raises:
        ConfigError: One has none, or none that can sign.
    """
    problems = [
        f"webhook.endpoints[{one.name}].secret_env: {one.secret_env} (environment) {problem}"
        for one in config.webhook.endpoints
        if (problem := secret_problem(one.kind, env.get(one.secret_env, "")))
    ]
    if problems:
        raise ConfigError(
            "; ".join(problems) + ".",
            hint="Set it to what the sender signs with; staleproof webhook add makes one.",
        )


def _github(headers: Mapping[str, str], body: bytes, secret: str, now: datetime) -> Verified:
    del now  # nothing signed says when
    _same(headers["x-hub-signature-256"], _signature(secret, body))
    event = headers["x-github-event"]
    return Verified(headers["x-github-delivery"], event, event in _ASKING)


def _gitlab(headers: Mapping[str, str], body: bytes, secret: str, now: datetime) -> Verified:
    del body, now  # nothing is signed: the sender knows the secret, and says it
    _same(headers["x-gitlab-token"], secret)
    # Events that follow from each other share the UUID; since 17.4 each has a key of its own.
    id = headers.get("idempotency-key") or headers["x-gitlab-event-uuid"]
    event = headers["x-gitlab-event"]
    return Verified(id, event, event in _ASKING)


def _standard(headers: Mapping[str, str], body: bytes, secret: str, now: datetime) -> Verified:
    del now
    Webhook(secret).verify(body, dict(headers), json_parse=False)
    return Verified(headers["webhook-id"], "", asks=True)


def _hmac(headers: Mapping[str, str], body: bytes, secret: str, now: datetime) -> Verified:
    seconds, id = headers["x-timestamp"], headers["x-delivery"]
    # A dot in the id would let the same signature stand for another id and another body.
    if not _SECONDS.fullmatch(seconds) or not _SIGNED_ID.fullmatch(id):
        raise Refused
    _same(headers["x-signature-256"], _signature(secret, f"{seconds}.{id}.".encode() + body))
    if abs(now.timestamp() - int(seconds)) > TOLERANCE_SECONDS:
        raise Refused
    return Verified(id, "", asks=True)


_Check = Callable[[Mapping[str, str], bytes, str, datetime], Verified]
_CHECKS: dict[HookKind, _Check] = {
    "github": _github,
    "gitlab": _gitlab,
    "standard": _standard,
    "hmac": _hmac,
}
KINDS: tuple[HookKind, ...] = tuple(_CHECKS)


def stand_in(name: str, secret: str) -> HookKind:
    """The kind that an endpoint which does not exist is taken for; the same at each call."""
    digest = hmac.digest(secret.encode(), name.encode(), hashlib.sha256)
    return KINDS[digest[0] % len(KINDS)]


def _signature(secret: str, body: bytes) -> str:
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def _same(given: str, wanted: str) -> None:
    """Compares the bytes of a header with what they must be, in a time that says nothing."""
    if not hmac.compare_digest(given.encode("latin-1"), wanted.encode()):
        raise Refused

"""Makes secrets of webhooks, and signs deliveries as their senders do."""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Mapping
from datetime import datetime

from pipelines.config import Endpoint
from pipelines.errors import ConfigError

_STANDARD = "whsec_"
"""What a secret of Standard Webhooks begins with."""


def new_secret(kind: str) -> str:
    """A secret that nobody guesses, in the form that the kind asks for."""
    if kind == "standard":
        return _STANDARD + base64.b64encode(secrets.token_bytes(32)).decode()
    return secrets.token_urlsafe(32)


def secret_of(endpoint: Endpoint, env: Mapping[str, str]) -> str:
    """The secret of an endpoint.

    Raises:
        ConfigError: Its variable is not set, or empty.
    """
    secret = env.get(endpoint.secret_env, "")
    if not secret:
        raise ConfigError(
            f"{endpoint.secret_env} (environment) is not set; it holds the secret of the endpoint"
            f" {endpoint.name}.",
            hint="Set it to what the sender has as the secret.",
        )
    return secret


def sign(kind: str, secret: str, body: bytes, *, id: str, now: datetime) -> dict[str, str]:
    """The headers of a delivery.

    Args:
        kind: How it is signed.
        secret: Of the endpoint.
        body: What is delivered.
        id: Of the delivery.
        now: When it is sent.

    Raises:
        ConfigError: The secret has not the form of its kind.
    """
    at = str(int(now.timestamp()))
    match kind:
        case "github":
            signature = _hmac(secret.encode(), body).hex()
            return {
                "X-GitHub-Event": "push",
                "X-GitHub-Delivery": id,
                "X-Hub-Signature-256": f"sha256={signature}",
            }
        case "gitlab":
            return {
                "X-Gitlab-Event": "Push Hook",
                "X-Gitlab-Event-UUID": id,
                "X-Gitlab-Token": secret,
            }
        case "standard":
            signed = _hmac(_key(secret), f"{id}.{at}.".encode() + body)
            return {
                "webhook-id": id,
                "webhook-timestamp": at,
                "webhook-signature": f"v1,{base64.b64encode(signed).decode()}",
            }
        case _:
            signature = _hmac(secret.encode(), f"{at}.{id}.".encode() + body).hex()
            return {
                "X-Timestamp": at,
                "X-Delivery": id,
                "X-Signature-256": f"sha256={signature}",
            }


def _hmac(key: bytes, signed: bytes) -> bytes:
    return hmac.digest(key, signed, hashlib.sha256)


def _key(secret: str) -> bytes:
    text = secret.removeprefix(_STANDARD)
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except ValueError:
        raise ConfigError(
            "The secret of a standard webhook must be base64, after whsec_.",
            hint="Set its variable to what the sender shows as the signing secret.",
        ) from None

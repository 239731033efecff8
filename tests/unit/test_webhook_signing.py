"""Deliveries are signed as their senders sign them."""

import base64
import hashlib
import hmac
from datetime import UTC, datetime

import pytest
from standardwebhooks import Webhook

from flows.webhook.signatures import secret_problem, verify
from flows.webhook.signing import new_secret, secret_of, sign
from pipelines.config import Endpoint
from pipelines.errors import ConfigError

NOW = datetime(2026, 3, 1, 10, 40, tzinfo=UTC)
BODY = '{"says": "größer"}'.encode()


def test_github_example_of_its_own_documentation() -> None:
    secret = "It's a Secret to Everybody"  # noqa: S105 - GitHub's documentation prints it
    headers = sign("github", secret, b"Hello, World!", id="1", now=NOW)
    assert headers["X-Hub-Signature-256"] == (
        "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    )


def test_standard_is_what_the_library_of_standard_webhooks_takes() -> None:
    secret, now = new_secret("standard"), datetime.now(UTC)
    headers = sign("standard", secret, BODY, id="msg_1", now=now)
    assert Webhook(secret).verify(BODY, headers) == {"says": "größer"}


def test_hmac_is_over_time_id_and_body() -> None:
    headers = sign("hmac", "secret", BODY, id="one", now=NOW)
    signed = b"1772361600.one." + BODY
    expected = hmac.new(b"secret", signed, hashlib.sha256).hexdigest()
    assert headers == {
        "X-Timestamp": "1772361600",
        "X-Delivery": "one",
        "X-Signature-256": f"sha256={expected}",
    }


@pytest.mark.parametrize("kind", ["github", "gitlab", "standard", "hmac"])
def test_secrets_are_new_and_long(kind: str) -> None:
    made = {new_secret(kind) for _ in range(20)}
    assert len(made) == 20
    assert all(len(secret) >= 43 for secret in made)


def test_standard_secret_that_is_no_base64_is_the_users_mistake() -> None:
    with pytest.raises(ConfigError, match="base64"):
        sign("standard", "whsec_what?", BODY, id="one", now=NOW)


@pytest.mark.parametrize("key", [b"k" * 30, b"k" * 31, b"k" * 32])
def test_standard_secret_needs_no_padding(key: bytes) -> None:
    secret = f"whsec_{base64.b64encode(key).decode().rstrip('=')}"
    assert secret_problem("standard", secret) == ""
    headers = sign("standard", secret, BODY, id="one", now=datetime.now(UTC))
    assert verify("standard", headers, BODY, secret, now=NOW).id == "one"


@pytest.mark.parametrize("env", [{}, {"HOOK": ""}])
def test_secret_that_is_not_set_or_empty_is_none(env: dict[str, str]) -> None:
    endpoint = Endpoint(name="docs", kind="github", sources=("docs",), secret_env="HOOK")  # noqa: S106
    with pytest.raises(ConfigError, match="HOOK"):
        secret_of(endpoint, env)

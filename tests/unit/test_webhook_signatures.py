"""Signatures: what the senders' own documentation says is taken, anything else is refused."""

import hashlib
import hmac
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.webhook.signatures import KINDS, Refused, Verified, secret_problem, stand_in, verify
from flows.webhook.signing import sign
from pipelines.config import HookKind

NOW = datetime(2026, 3, 1, 10, 40, tzinfo=UTC)
UNSIGNED = {"x-github-event", "x-gitlab-event", "x-github-delivery", "x-gitlab-event-uuid"}
"""Any word is right there."""
STANDARD = "whsec_plJ3nmyCDGBKInavdOK15jsl"


def secret_of(kind: HookKind) -> str:
    return STANDARD if kind == "standard" else "größer"


def at(kind: HookKind) -> datetime:
    """The library of Standard Webhooks looks at the clock itself."""
    return datetime.now(UTC) if kind == "standard" else NOW


def signed(kind: HookKind, body: bytes, *, id: str = "one", now: datetime | None = None) -> Any:
    headers = sign(kind, secret_of(kind), body, id=id, now=now or at(kind))
    # Servers hand the bytes of a header over as Latin-1.
    return {name.lower(): value.encode().decode("latin-1") for name, value in headers.items()}


def refuses(kind: HookKind, headers: Any, body: bytes, secret: str | None = None) -> bool:
    try:
        verify(kind, headers, body, secret_of(kind) if secret is None else secret, now=at(kind))
    except Refused:
        return True
    return False


def test_example_of_github_is_taken() -> None:
    headers = {
        "x-hub-signature-256": (
            "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
        ),
        "x-github-delivery": "72d3162e-cc78-11e3-81ab-4c9367dc0958",
        "x-github-event": "push",
    }
    secret = "It's a Secret to Everybody"  # noqa: S105 - GitHub's documentation prints it
    taken = verify("github", headers, b"Hello, World!", secret, now=NOW)
    assert taken == Verified("72d3162e-cc78-11e3-81ab-4c9367dc0958", "push", asks=True)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("body", [b"", b"{}", '{"says": "größer"}'.encode()])
def test_what_the_sender_signs_is_taken(kind: HookKind, body: bytes) -> None:
    taken = verify(kind, signed(kind, body), body, secret_of(kind), now=at(kind))
    assert (taken.id, taken.asks) == ("one", True)


@pytest.mark.parametrize("kind", ["github", "standard", "hmac"])
def test_another_body_is_refused(kind: HookKind) -> None:
    assert refuses(kind, signed(kind, b'{"a": 1}'), b'{"a": 2}')
    assert refuses(kind, signed(kind, b'{"a": 1}'), b'{"a": 1')


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("secret", ["", "another", "whsec_b3RoZXI="])
def test_another_secret_and_none_are_refused(kind: HookKind, secret: str) -> None:
    assert refuses(kind, signed(kind, b"{}"), b"{}", secret)


@pytest.mark.parametrize("kind", KINDS)
def test_empty_secret_is_refused_whatever_was_signed_with_it(kind: HookKind) -> None:
    headers = signed(kind, b"{}")
    empty = "sha256=" + hmac.new(b"", b"{}", hashlib.sha256).hexdigest()
    for name in ("x-hub-signature-256", "x-signature-256"):
        headers |= {name: empty} if name in headers else {}
    headers |= {"x-gitlab-token": ""} if kind == "gitlab" else {}
    assert refuses(kind, headers, b"{}", "")


@pytest.mark.parametrize("kind", KINDS)
def test_each_header_is_needed(kind: HookKind) -> None:
    headers = signed(kind, b"{}")
    for name in headers:
        assert refuses(kind, {key: headers[key] for key in headers if key != name}, b"{}"), name


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "value", ["", "\xff", "é", "sha256=", "v1,", "v1,é", ",", "v1", "nan", "\u0661"]
)
def test_no_value_of_a_header_does_more_than_refuse(kind: HookKind, value: str) -> None:
    headers = signed(kind, b"{}")
    for name in headers:
        if name not in UNSIGNED:
            assert refuses(kind, headers | {name: value}, b"{}"), name


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
def test_whatever_comes_is_refused_and_nothing_else(kind: HookKind, data: st.DataObject) -> None:
    names = sorted(signed(kind, b"{}"))
    text = st.text(st.characters(max_codepoint=255), max_size=40)
    headers = data.draw(st.fixed_dictionaries({}, optional=dict.fromkeys(names, text)))
    assert refuses(kind, headers, data.draw(st.binary(max_size=40)))


@pytest.mark.parametrize("kind", ["standard", "hmac"])
@pytest.mark.parametrize("minutes", [-6, 6])
def test_time_that_is_far_from_ours_is_refused(kind: HookKind, minutes: int) -> None:
    then = at(kind) + timedelta(minutes=minutes)
    assert refuses(kind, signed(kind, b"{}", now=then), b"{}")
    near = at(kind) + timedelta(minutes=minutes * 2 / 3)
    assert not refuses(kind, signed(kind, b"{}", now=near), b"{}")


@pytest.mark.parametrize("kind", ["standard", "hmac"])
def test_signed_id_and_time_cannot_be_exchanged(kind: HookKind) -> None:
    headers = signed(kind, b"{}")
    for name in headers:
        if name.endswith(("id", "delivery")):
            assert refuses(kind, headers | {name: "two"}, b"{}")
        if name.endswith("timestamp"):
            assert refuses(kind, headers | {name: str(int(headers[name]) + 1)}, b"{}")


def test_signature_of_hmac_does_not_stand_for_another_id_and_body() -> None:
    headers = signed("hmac", b"b.{}", id="a")
    assert refuses("hmac", headers | {"x-delivery": "a.b"}, b"{}")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("id", ["", " ", "a b", "a\nb", "a\x00", "ä", "x" * 201])
def test_id_that_cannot_be_kept_is_refused(kind: HookKind, id: str) -> None:
    assert refuses(kind, signed(kind, b"{}", id=id), b"{}")


@pytest.mark.parametrize("kind", KINDS)
def test_long_id_is_taken(kind: HookKind) -> None:
    assert not refuses(kind, signed(kind, b"{}", id="x" * 200), b"{}")


@pytest.mark.parametrize(
    ("kind", "event", "asks"),
    [
        ("github", "push", True),
        ("github", "ping", False),
        ("github", "issues", False),
        ("gitlab", "Push Hook", True),
        ("gitlab", "Tag Push Hook", True),
        ("gitlab", "Issue Hook", False),
    ],
)
def test_only_a_push_asks_for_a_refresh(kind: HookKind, event: str, asks: bool) -> None:
    headers = signed(kind, b"{}") | {f"x-{kind}-event": event}
    taken = verify(kind, headers, b"{}", secret_of(kind), now=NOW)
    assert (taken.event, taken.asks) == (event, asks)


def test_gitlab_is_known_by_the_key_that_only_its_retries_share() -> None:
    headers = signed("gitlab", b"{}") | {"idempotency-key": "two"}
    assert verify("gitlab", headers, b"{}", "größer", now=NOW).id == "two"


def test_standard_takes_one_of_several_signatures() -> None:
    headers = signed("standard", b"{}")
    several = f"v1a,xyz {headers['webhook-signature']} v1,b3RoZXI="
    assert not refuses("standard", headers | {"webhook-signature": several}, b"{}")


def test_standard_refuses_bytes_that_are_no_text() -> None:
    assert refuses("standard", signed("standard", b"{}"), b"\xff{}")


@pytest.mark.parametrize(
    ("kind", "secret", "problem"),
    [
        ("github", "", "is not set"),
        ("hmac", "s", ""),
        ("standard", STANDARD, ""),
        ("standard", "plJ3nmyCDGBKInavdOK15jsl", ""),
        ("standard", "cGxKMw", ""),
        ("standard", "whsec_", "is not a secret of Standard Webhooks: whsec_ and Base64"),
        ("standard", "größer", "is not a secret of Standard Webhooks: whsec_ and Base64"),
        ("standard", "not base 64!", "is not a secret of Standard Webhooks: whsec_ and Base64"),
    ],
)
def test_secret_that_signs_nothing_is_told(kind: HookKind, secret: str, problem: str) -> None:
    assert secret_problem(kind, secret) == problem


def test_endpoint_that_does_not_exist_is_of_some_kind_and_stays_so() -> None:
    names = [f"name-{n}" for n in range(100)]
    kinds = [stand_in(name, "nobody's") for name in names]
    assert set(kinds) == set(KINDS)
    assert kinds == [stand_in(name, "nobody's") for name in names]
    assert kinds != [stand_in(name, "another's") for name in names]

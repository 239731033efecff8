"""The receiver: what is taken is on disk before its 202, what is refused leaves nothing."""

import asyncio
import json
import logging
import socket
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from flows.webhook.serve import listen
from flows.webhook.signatures import KINDS, check_secrets
from pipelines.config import HookKind
from pipelines.errors import ConfigError, ServerFailed
from pipelines.knowledge import Pause, open_store, record_pause
from tests.machine import free_port, wait_until
from tests.receiver import BODY, SECRETS, Receiver, configured, endpoint

REFUSED = (401, {"error": "refused"})


@pytest.fixture
def receiver(tmp_path: Path) -> Receiver:
    return Receiver(configured(tmp_path))


def said(answer: httpx.Response) -> tuple[int, Any]:
    return answer.status_code, answer.json()


def nothing_kept(receiver: Receiver, name: str, id: str = "one") -> bool:
    return not receiver.waiting and receiver.inbox.sequence_of(name, id) is None


@pytest.mark.parametrize("kind", KINDS)
def test_delivery_is_on_disk_when_it_is_answered(receiver: Receiver, kind: HookKind) -> None:
    assert said(receiver.deliver(kind)) == (202, {"accepted": "one"})
    [wish] = receiver.waiting.values()
    assert (wish.source, wish.deliveries, wish.actor) == ("docs", 1, f"webhook: of-{kind}")


def test_delivery_asks_for_the_sources_of_its_endpoint_whatever_it_says(tmp_path: Path) -> None:
    both = endpoint("of-github", "github", '["docs", "wiki"]')
    receiver = Receiver(configured(tmp_path, both))
    receiver.deliver("github", body=b'{"source": "other", "paths": ["../../etc/passwd"]}')
    assert set(receiver.waiting) == {"docs", "wiki"}


@pytest.mark.parametrize("kind", KINDS)
def test_replay_is_answered_like_the_first_and_asks_for_nothing(
    receiver: Receiver, kind: HookKind
) -> None:
    first = receiver.deliver(kind)
    before = receiver.waiting
    receiver.now += timedelta(seconds=10)
    assert said(receiver.deliver(kind)) == said(first)
    assert receiver.waiting == before


def test_event_that_changes_nothing_is_taken_and_asks_for_nothing(receiver: Receiver) -> None:
    ping = receiver.signed("github") | {"x-github-event": "ping"}
    assert said(receiver.post("of-github", ping)) == (202, {"accepted": "one"})
    assert receiver.waiting == {}
    assert receiver.told == []


@pytest.mark.parametrize("kind", KINDS)
def test_forged_delivery_and_unknown_endpoint_are_answered_byte_for_byte_alike(
    receiver: Receiver, kind: HookKind
) -> None:
    headers = receiver.signed(kind)
    forged = {
        name: "sha256=" + 64 * "0" if "signature" in name or "token" in name else value
        for name, value in headers.items()
    }
    answers = [
        receiver.post(f"of-{kind}", forged),
        receiver.post(f"of-{kind}"),
        receiver.post("of-nobody", headers),
        receiver.post("of-nobody", forged),
        receiver.post("of-nobody%0a", forged),
        receiver.post("%F0%9F%93%9A", headers),
    ]
    assert said(answers[0]) == REFUSED
    assert len({(a.status_code, a.content, tuple(a.headers.raw)) for a in answers}) == 1
    assert nothing_kept(receiver, f"of-{kind}")


@pytest.mark.parametrize("kind", KINDS)
def test_signature_of_one_endpoint_is_none_of_another(tmp_path: Path, kind: HookKind) -> None:
    other = endpoint("other", kind, secret="OTHER_SECRET")  # noqa: S106 - a variable's name
    receiver = Receiver(configured(tmp_path, endpoint(f"of-{kind}", kind), other))
    receiver.env["OTHER_SECRET"] = "whsec_b3RoZXI="  # noqa: S105
    assert said(receiver.post("other", receiver.signed(kind))) == REFUSED
    assert nothing_kept(receiver, "other")


@pytest.mark.parametrize("secret", ["", None])
@pytest.mark.parametrize("kind", KINDS)
def test_endpoint_without_a_secret_refuses(
    receiver: Receiver, kind: HookKind, secret: str | None
) -> None:
    headers = receiver.signed(kind)
    receiver.env.pop(f"{kind.upper()}_SECRET")
    if secret is not None:
        receiver.env[f"{kind.upper()}_SECRET"] = secret
    assert said(receiver.post(f"of-{kind}", headers)) == REFUSED
    assert said(receiver.post(f"of-{kind}", headers | {"x-gitlab-token": ""})) == REFUSED
    assert nothing_kept(receiver, f"of-{kind}")


def test_stale_time_is_refused(receiver: Receiver) -> None:
    headers = receiver.signed("hmac")
    receiver.now += timedelta(minutes=6)
    assert said(receiver.post("of-hmac", headers)) == REFUSED
    assert nothing_kept(receiver, "of-hmac")


@pytest.mark.parametrize("name", ["of-github", "of-nobody"])
def test_body_of_two_mebibytes_is_too_large_before_anything_else(
    receiver: Receiver, name: str
) -> None:
    body = bytes(2 * 1024 * 1024)
    answer = receiver.post(name, receiver.signed("github", body=body), body)
    assert said(answer) == (413, {"error": "too large"})
    assert nothing_kept(receiver, name)


def test_body_that_does_not_say_its_length_is_read_no_further_than_allowed(
    receiver: Receiver,
) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while sent < 100:
            sent += 1
            yield bytes(100_000)

    assert said(receiver.post("of-github", {}, endless())) == (413, {"error": "too large"})
    assert sent == 11


def test_largest_body_is_taken(tmp_path: Path) -> None:
    receiver = Receiver(
        configured(tmp_path, endpoint("of-github", "github"), more="max_body_bytes = 20")
    )
    assert receiver.deliver("github", "a", 20 * b"x").status_code == 202
    assert receiver.deliver("github", "b", 21 * b"x").status_code == 413


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("length", ["14", "16", "x", "-1", "9" * 30])
def test_body_of_another_length_than_said_is_not_taken(
    receiver: Receiver, kind: HookKind, length: str
) -> None:
    headers = receiver.signed(kind) | {"content-length": length}
    answer = receiver.post(f"of-{kind}", headers)
    assert said(answer) == (400, {"error": "incomplete"})
    assert nothing_kept(receiver, f"of-{kind}")


async def left(receiver: Receiver, headers: Mapping[str, str]) -> list[Any]:
    """What the app sends to somebody who went away in the middle of the body."""
    messages = iter(
        [
            {"type": "http.request", "body": b'{"com', "more_body": True},
            {"type": "http.disconnect"},
        ]
    )
    sent: list[Any] = []

    async def receive() -> Any:
        return next(messages)

    async def send(message: Any) -> None:
        sent.append(message)

    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/hooks/of-gitlab",
        "query_string": b"",
        "headers": raw,
    }
    await receiver.app(scope, receive, send)
    return sent


def test_sender_that_goes_away_in_the_middle_leaves_nothing(receiver: Receiver) -> None:
    # Of a kind that signs no body: only its end says that it is whole.
    sent = asyncio.run(left(receiver, receiver.signed("gitlab")))
    assert sent[0]["status"] == 400
    assert nothing_kept(receiver, "of-gitlab")


def test_full_inbox_asks_to_come_again_and_keeps_nothing(tmp_path: Path) -> None:
    one = endpoint("of-github", "github")
    receiver = Receiver(configured(tmp_path, one, more="max_waiting = 2"))
    assert [receiver.deliver("github", id).status_code for id in ("a", "b")] == [202, 202]
    answer = receiver.deliver("github", "c")
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) > 0
    assert receiver.inbox.sequence_of("of-github", "c") is None
    assert receiver.deliver("github", "b").status_code == 202, "it is kept already"
    receiver.inbox.settle(receiver.waiting, run="r", taken_at=receiver.now, now=receiver.now)
    assert receiver.deliver("github", "c").status_code == 202


def test_inbox_that_cannot_be_written_asks_to_come_again(receiver: Receiver) -> None:
    store = Path(receiver.config.store_uri)
    store.write_text("a file where the folder should be")
    answer = receiver.deliver("github")
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0
    assert str(store) not in answer.text
    assert 'unavailable"} 1.0' in receiver.get("/metrics").text
    store.unlink()
    assert receiver.deliver("github").status_code == 202, "it was not taken before"


def test_what_was_asked_for_is_told_once_it_is_kept(receiver: Receiver) -> None:
    receiver.deliver("github")
    wait_until(lambda: bool(receiver.told))
    receiver.deliver("github")
    [happened] = receiver.told
    assert (happened.event, happened.resource) == ("refresh.requested", "source.kb.docs")
    assert happened.payload == {"source": "docs", "endpoint": "of-github", "delivery": "one"}


def test_alarm_is_not_set_for_a_source_that_is_paused(tmp_path: Path) -> None:
    """The server waits for a look at what it is told of, and nobody looks at a paused source."""
    receiver = Receiver(configured(tmp_path, endpoint("both", "github", '["docs", "wiki"]')))
    store = open_store(receiver.config.store_uri, now=receiver.now)
    record_pause(store, Pause("wiki", receiver.now, "somebody", "it moves"))
    assert receiver.post("both", receiver.signed("github"), BODY).status_code == 202
    wait_until(lambda: "source.kb.docs" in [happened.resource for happened in receiver.told])
    assert [happened.resource for happened in receiver.told] == ["source.kb.docs"]
    assert set(receiver.waiting) == {"docs", "wiki"}


def test_nobody_waits_for_who_is_told(receiver: Receiver) -> None:
    def refuses(*_: Any, **__: Any) -> None:
        raise RuntimeError("the server is away")

    receiver._tell = refuses  # type: ignore[method-assign]
    receiver.__post_init__()
    assert receiver.deliver("github").status_code == 202
    assert set(receiver.waiting) == {"docs"}


def test_every_delivery_is_one_line_without_bodies_headers_and_secrets(
    receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    body = b'{"text": "confidential"}'
    with caplog.at_level(logging.INFO):
        receiver.deliver("gitlab", "one", body)
        receiver.post("of-gitlab", {"x-gitlab-token": "tried"}, body)
        receiver.post("no%0Ane", {}, body)
        receiver.post("x" * 5000, {}, body)
    lines = [r.getMessage() for r in caplog.records if r.name == "flows.webhook.app"]
    assert [json.loads(line.removeprefix("delivery ")) for line in lines] == [
        {"endpoint": "of-gitlab", "id": "one", "outcome": "accepted"},
        {"endpoint": "of-gitlab", "id": "", "outcome": "refused"},
        {"endpoint": "no\nne", "id": "", "outcome": "refused"},
        {"endpoint": "x" * 100, "id": "", "outcome": "refused"},
    ]
    assert all("\n" not in line for line in lines)
    assert not any(text in caplog.text for text in ("confidential", "tried", "of gitlab, "))


def test_missing_secret_is_said_once_by_the_name_of_its_variable(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    receiver = Receiver(configured(tmp_path), env={"GITHUB_SECRET": "of github"})
    missing = [r.getMessage() for r in caplog.records if "refuses everything" in r.getMessage()]
    assert len(missing) == 3
    assert "HMAC_SECRET is not set" in "".join(missing)
    receiver.deliver("github")
    assert "of github" not in caplog.text


def test_health_says_whether_the_inbox_can_be_read(receiver: Receiver) -> None:
    assert said(receiver.get("/health")) == (200, {"ok": True})
    receiver.deliver("github")
    assert said(receiver.get("/health")) == (200, {"ok": True})
    receiver.inbox.path.write_bytes(b"no database, and long enough to be looked at" * 100)
    assert said(receiver.get("/health")) == (503, {"ok": False})


def test_document_describes_every_answer_and_no_page_loads_from_elsewhere(
    receiver: Receiver,
) -> None:
    hook = receiver.get("/openapi.json").json()["paths"]["/hooks/{endpoint}"]["post"]
    assert set(hook["responses"]) == {"202", "400", "401", "413", "429", "503"}
    assert receiver.get("/docs").status_code == receiver.get("/redoc").status_code == 404


def test_other_methods_and_places_tell_nothing(receiver: Receiver) -> None:
    assert receiver.get("/hooks/of-github").status_code == 405
    assert receiver.get("/hooks/of-github").content == receiver.get("/hooks/none").content
    assert receiver.post("of-github/", receiver.signed("github")).status_code == 404
    assert receiver.post("", receiver.signed("github")).status_code == 404


def test_start_without_a_secret_is_the_users_mistake(tmp_path: Path) -> None:
    config = configured(tmp_path)
    check_secrets(config, SECRETS)
    with pytest.raises(ConfigError) as caught:
        check_secrets(config, SECRETS | {"GITHUB_SECRET": "", "STANDARD_SECRET": "größer"})
    assert "webhook.endpoints[of-github].secret_env: GITHUB_SECRET (environment)" in str(
        caught.value
    )
    assert "STANDARD_SECRET (environment) is not a secret of Standard Webhooks" in str(caught.value)
    assert "größer" not in str(caught.value)


def test_place_where_it_cannot_listen_is_named(tmp_path: Path) -> None:
    port = free_port()
    config = configured(tmp_path, more=f"port = {port}")
    with (
        socket.create_server(("127.0.0.1", port)),
        pytest.raises(ServerFailed, match=rf"\[webhook\] host = 127.0.0.1, port = {port}"),
    ):
        listen(config)
    with listen(config) as listening:
        assert listening.getsockname() == ("127.0.0.1", port)

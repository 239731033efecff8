"""The receiver as a process: what it answered survives its death, and it stops when asked to."""

import http.client
import signal
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from flows.webhook.signing import sign
from pipelines.config import Config, HookKind
from pipelines.inbox import inbox_of
from tests.machine import free_port, wait_until, without_server
from tests.receiver import BODY, SECRETS, configured


@dataclass
class Process:
    """A receiver that listens."""

    config: Config
    process: "subprocess.Popen[str]"

    def ask(
        self, method: str, path: str, body: bytes = b"", headers: dict[str, bytes] | None = None
    ) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.config.webhook.port, timeout=60)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def deliver(self, kind: HookKind, id: str, body: bytes = BODY) -> int:
        secret = SECRETS[f"{kind.upper()}_SECRET"]
        signed = sign(kind, secret, body, id=id, now=datetime.now(UTC))
        headers = {name: value.encode() for name, value in signed.items()}
        return self.ask("POST", f"/hooks/of-{kind}", body, headers)[0]

    def listens(self) -> bool:
        assert self.process.poll() is None, self.process.communicate()[1]
        try:
            return self.ask("GET", "/health")[0] == 200
        except OSError:
            return False


def started(config: Config, **more: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "flows.webhook", str(config.path)],
        env=without_server() | SECRETS | more,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@contextmanager
def receiving(config: Config) -> Iterator[Process]:
    with started(config) as process:
        try:
            receiver = Process(config, process)
            wait_until(receiver.listens)
            yield receiver
        finally:
            with suppress(ProcessLookupError):
                process.kill()


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return configured(tmp_path, more=f"port = {free_port()}")


def test_what_was_answered_survives_a_kill(config: Config) -> None:
    with receiving(config) as receiver:
        assert receiver.deliver("github", "one") == 202
        receiver.process.kill()
        receiver.process.wait()
    inbox = inbox_of(config.store_uri)
    assert set(inbox.waiting()) == {"docs"}
    with receiving(config) as receiver:
        assert receiver.deliver("github", "one") == 202
    assert inbox.waiting()["docs"].deliveries == 1


def test_burst_of_eight_senders_is_taken_whole_while_others_look(config: Config) -> None:
    def deliver(n: int) -> int:
        return receiver.deliver("github", f"id-{n}")

    def look(_: int) -> bool:
        inbox = inbox_of(config.store_uri)
        now = datetime.now(UTC)
        inbox.settle(inbox.waiting(), run="run", taken_at=now, now=now)
        return receiver.ask("GET", "/health")[0] == 200

    with (
        receiving(config) as receiver,
        ThreadPoolExecutor(8) as senders,
        ThreadPoolExecutor(1) as run,
    ):
        looks = run.map(look, range(20))
        assert Counter(senders.map(deliver, range(200))) == {202: 200}
        assert all(looks)
    inbox = inbox_of(config.store_uri)
    assert {inbox.sequence_of("of-github", f"id-{n}") for n in range(200)} == set(range(1, 201))


def raw(config: Config, text: bytes, *, leaves: bool = False) -> bytes:
    """What is answered first to somebody who sends this and no more."""
    with socket.create_connection(("127.0.0.1", config.webhook.port), timeout=180) as line:
        line.sendall(text)
        return b"" if leaves else line.recv(12)


def test_bodies_that_are_cut_off_or_too_large_leave_nothing(config: Config) -> None:
    token = SECRETS["GITLAB_SECRET"].encode()
    head = (
        b"POST /hooks/of-gitlab HTTP/1.1\r\nHost: x\r\nX-Gitlab-Event: Push Hook\r\n"
        b"X-Gitlab-Event-UUID: cut\r\nX-Gitlab-Token: " + token + b"\r\nContent-Length: %d\r\n\r\n"
    )
    with receiving(config) as receiver:
        # No body is signed there: that it is whole is all that can be seen.
        raw(config, head % 100 + BODY, leaves=True)
        assert raw(config, head % (2 * 1024 * 1024) + BODY) == b"HTTP/1.1 413"
        assert receiver.ask("GET", "/health")[0] == 200
        assert inbox_of(config.store_uri).waiting() == {}
        assert raw(config, head % len(BODY) + BODY) == b"HTTP/1.1 202"
    assert inbox_of(config.store_uri).waiting()["docs"].deliveries == 1


def test_asked_to_stop_it_ends_in_order_and_has_said_nothing_secret(config: Config) -> None:
    with receiving(config) as receiver:
        assert receiver.deliver("gitlab", "one") == 202
        receiver.process.send_signal(signal.SIGTERM)
        out, err = receiver.process.communicate(timeout=180)
        assert (receiver.process.returncode, out) == (0, "")
        assert '{"endpoint": "of-gitlab", "id": "one", "outcome": "accepted"}' in err
        assert "Traceback" not in err
        assert not any(secret in err for secret in SECRETS.values())


def test_start_without_a_secret_names_the_variable(config: Config) -> None:
    with started(config, HMAC_SECRET="") as process:
        out, err = process.communicate(timeout=180)
    assert (process.returncode, out) == (2, "")
    assert "HMAC_SECRET (environment) is not set" in err
    assert "Traceback" not in err


def test_start_where_somebody_listens_says_so(config: Config) -> None:
    with socket.create_server(("127.0.0.1", config.webhook.port)), started(config) as process:
        _, err = process.communicate(timeout=180)
    assert process.returncode == 1
    assert f"[webhook] host = 127.0.0.1, port = {config.webhook.port}: cannot listen" in err
    assert "Traceback" not in err


def test_start_with_a_broken_configuration_is_said_in_words(tmp_path: Path) -> None:
    config = configured(tmp_path)
    config.path.write_text("[knowledge]\n")
    with started(config) as process:
        _, err = process.communicate(timeout=180)
    assert process.returncode == 2
    assert "knowledge.name: missing" in err

"""Asking a server: an address that cannot be one, and a database that is held for a moment."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from flows.ops.rest import Api


@pytest.mark.parametrize("url", ["http://127.0.0.1:abc/api", "http://[::1/api", "http://a b/api"])
def test_address_that_is_none_is_nobody_who_answers(url: str) -> None:
    with pytest.raises(OSError):  # noqa: PT011 - whatever the system says of a name
        Api(url).ask("GET", "/health", seconds=1)
    assert not Api(url).is_healthy(seconds=1)


@contextmanager
def answering(*statuses: int) -> Iterator[tuple[Api, list[str]]]:
    """A server that gives these answers in turn, the last one for ever, and what it was asked."""
    asked: list[str] = []

    class Answers(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(statuses[min(len(asked), len(statuses) - 1)])
            asked.append(self.path)
            self.send_header("Content-Length", "1")
            self.end_headers()
            self.wfile.write(b"7")

        do_GET = do_POST  # noqa: N815 - the name that the library asks for

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Answers)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield Api(f"http://127.0.0.1:{server.server_port}/api"), asked
    finally:
        server.shutdown()
        server.server_close()


def test_server_whose_database_was_held_is_asked_again() -> None:
    with answering(503, 503, 201) as (api, asked):
        assert api.ask("POST", "/deployments/x/create_flow_run", {}) == 7
        assert len(asked) == 3


def test_server_whose_database_stays_held_is_told_in_time() -> None:
    with answering(503) as (api, asked), pytest.raises(OSError, match="is answered 503"):
        api.ask("POST", "/flow_runs/filter", {}, seconds=1)
    assert 1 < len(asked) < 6


@pytest.mark.parametrize("status", [404, 500])
def test_other_refusals_are_told_at_once(status: int) -> None:
    with answering(status) as (api, asked), pytest.raises(OSError, match=f"answered {status}"):
        api.ask("GET", "/flows/x")
    assert len(asked) == 1


def test_health_is_what_was_said_at_once() -> None:
    with answering(503) as (api, asked):
        assert not api.is_healthy()
        assert not api.is_well()
    assert len(asked) == 2

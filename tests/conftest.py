"""What every test stands on: no network, no telemetry, the same examples each time."""

import ipaddress
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from pipelines import quiet

# Read by the hub's library on import, so before any test module is imported.
os.environ["HF_HUB_OFFLINE"] = "1"
# What is kept of weights that come with a package: nothing outside of the project.
os.environ["HF_HOME"] = str(Path(__file__).parents[1] / ".pytest_cache" / "huggingface")
quiet.silence()

hypothesis.settings.register_profile("local", deadline=None)
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True, database=None)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "local")


WATCHED = str(Path(__file__).parent / "watched")
"""Holds what makes children of tests fail the same way."""


def is_local(family: int, address: Any) -> bool:
    """Whether an address of ``socket.connect`` stays on this machine."""
    if family == socket.AF_UNIX:
        return True
    host = str(address[0]).partition("%")[0]
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


LONG = ("flows", "ops", "browser", "faults", "integration", "e2e")
"""Folders of tests that start servers and processes."""


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that take longest come first: two workers that share the files end together."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: (item.path not in slow, item.path.parent.name not in LONG))


@pytest.fixture(scope="session", autouse=True)
def no_network() -> Iterator[None]:
    """Fail the test that connects to another machine; its children are watched as well."""

    def guarded(connect: Any) -> Any:
        def check(self: socket.socket, address: Any) -> Any:
            if not is_local(self.family, address):
                # Not an Exception, so no retry or fallback swallows it.
                pytest.fail(f"a test connects to {address!r}", pytrace=True)
            return connect(self, address)

        return check

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", guarded(socket.socket.connect))
        patch.setattr(socket.socket, "connect_ex", guarded(socket.socket.connect_ex))
        patch.setenv("PYTHONPATH", WATCHED, prepend=os.pathsep)
        yield


@pytest.fixture(autouse=True)
def no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Importing readline, as a debugger does, says how wide the terminal of a worker is."""
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.delenv("LINES", raising=False)

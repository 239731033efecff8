"""Tests, and what they start, reach no other machine."""

import socket
import subprocess
import sys

import pytest

CONNECT = "import socket; socket.create_connection(('{}', {}), timeout=1)"


def test_a_test_that_connects_to_another_machine_fails() -> None:
    with socket.socket() as one, pytest.raises(pytest.fail.Exception, match="connects to"):
        one.connect(("192.0.2.1", 80))


def test_a_child_that_connects_to_another_machine_ends() -> None:
    code = f"try:\n    {CONNECT.format('192.0.2.1', 80)}\nexcept BaseException:\n    pass"
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert done.returncode == 97
    assert "connects to ('192.0.2.1', 80)" in done.stderr


def test_a_child_may_connect_to_its_own_machine() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        code = CONNECT.format("127.0.0.1", server.getsockname()[1])
        assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

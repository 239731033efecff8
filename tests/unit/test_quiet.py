"""Nothing is sent home, neither by what is installed nor by a test."""

import os
import socket
import subprocess
import sys

import pytest

from pipelines import quiet


def test_switches_are_set_and_a_persons_own_choice_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PREFECT_SERVER_ANALYTICS_ENABLED", raising=False)
    monkeypatch.setenv("LANCE_LOG", "debug")
    quiet.silence()
    assert os.environ["PREFECT_SERVER_ANALYTICS_ENABLED"] == "false"
    assert os.environ["LANCE_LOG"] == "debug"


def test_importing_flows_switches_telemetry_off_and_loads_nothing_heavy() -> None:
    code = (
        "import sys, os, flows\n"
        "print(os.environ['DO_NOT_TRACK'], os.environ['DVC_NO_ANALYTICS'])\n"
        "print({'prefect', 'torch', 'lancedb', 'huggingface_hub'} & set(sys.modules))\n"
    )
    environment = {"PATH": os.environ["PATH"]}
    run = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert run.stdout.splitlines() == ["1 true", "set()"]


def test_test_that_connects_to_another_machine_fails() -> None:
    with socket.socket() as outgoing, pytest.raises(pytest.fail.Exception, match=r"192\.0\.2\.1"):
        outgoing.connect(("192.0.2.1", 80))


def test_loopback_is_allowed() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname()).close()

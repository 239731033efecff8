"""Small programs under the supervisor: order, restarts, giving up, and that nothing is left."""

import contextlib
import dataclasses
import errno
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from flows.ops import supervise
from flows.ops.environment import MARK
from flows.ops.processes import marked, reap, wait_gone
from flows.ops.supervise import Backoff, Command, StopAsked, Supervisor
from pipelines.errors import ServerFailed
from pipelines.processes import ProcessId, is_alive
from tests.machine import wait_until

SLEEPS = "import time; time.sleep(600)"
QUICK = Backoff(first_seconds=0.05, longest_seconds=0.1, quick_seconds=60, give_up_after=3)


@pytest.fixture
def mark(tmp_path: Path) -> Iterator[str]:
    yield str(tmp_path)
    reap(str(tmp_path), seconds=0)


def program(
    folder: Path, code: str, name: str = "sleeper", ready: Callable[[], bool] | None = None
) -> Command:
    return Command(
        name=name,
        argv=(sys.executable, "-c", code),
        env=os.environ | {MARK: str(folder)},
        cwd=folder,
        log=folder / f"{name}.log",
        is_ready=ready or (lambda: True),
        ready_seconds=20,
        stop_seconds=3,
    )


def pid(supervisor: Supervisor, place: int = 0) -> int:
    process = supervisor.states()[place].process
    assert process is not None
    return process.pid


@contextlib.contextmanager
def watched(supervisor: Supervisor) -> Iterator[None]:
    """Programs end with the thread that started them, so what happens meanwhile is in another."""
    try:
        yield
        supervisor.watch()
    finally:
        supervisor.stop()


def meanwhile(supervisor: Supervisor, act: Callable[[], None]) -> None:
    def run() -> None:
        try:
            act()
        finally:
            supervisor.stopping.set()

    threading.Thread(target=run).start()


def test_killed_program_is_started_again(tmp_path: Path, mark: str) -> None:
    supervisor = Supervisor(mark, QUICK)
    supervisor.start(program(tmp_path, SLEEPS))
    first, seen = pid(supervisor), []

    def kill() -> None:
        os.kill(first, signal.SIGKILL)
        wait_until(lambda: supervisor.states()[0].restarts == 1, seconds=30)
        seen.append(pid(supervisor))

    meanwhile(supervisor, kill)
    with watched(supervisor):
        pass
    assert seen
    assert seen[0] != first
    assert not marked(mark)


def test_program_that_ends_again_and_again_is_given_up_with_its_last_words(
    tmp_path: Path, mark: str
) -> None:
    supervisor = Supervisor(mark, QUICK)
    supervisor.start(program(tmp_path, SLEEPS, "other"))
    supervisor.start(program(tmp_path, "print('no such table'); raise SystemExit(4)"))
    with pytest.raises(ServerFailed, match=r"sleeper ended 3 times.*no such table") as caught:  # noqa: SIM117
        with watched(supervisor):
            pass
    assert str(tmp_path / "sleeper.log") in caught.value.hint
    assert not marked(mark)


def end_too_often(supervisor: Supervisor, command: supervise.Command) -> None:
    """Starts one more, and lets it end oftener than makes the supervisor give up, meanwhile."""
    supervisor._children.append(supervise._Child(command, *supervise._spawn(command)))
    often = QUICK.give_up_after + 2

    def wait() -> None:
        wait_until(lambda: supervisor.states()[-1].restarts >= often, seconds=60)

    meanwhile(supervisor, wait)


def test_program_that_leaves_to_be_started_anew_is_no_matter_for_people(
    tmp_path: Path, mark: str, caplog: pytest.LogCaptureFixture
) -> None:
    supervisor = Supervisor(mark, QUICK)
    lane = replace(program(tmp_path, ""), leaves=True)
    supervisor.start(program(tmp_path, SLEEPS, "other"))
    end_too_often(supervisor, lane)
    with caplog.at_level("WARNING"), watched(supervisor):
        pass
    assert caplog.messages == []
    assert not marked(mark)


def test_program_that_is_not_needed_is_tried_for_ever_and_told(
    tmp_path: Path, mark: str, caplog: pytest.LogCaptureFixture
) -> None:
    supervisor = Supervisor(mark, QUICK)
    fails = replace(program(tmp_path, "raise SystemExit(4)"), leaves=True, is_needed=False)
    end_too_often(supervisor, fails)
    with caplog.at_level("WARNING"), watched(supervisor):
        pass
    assert any("sleeper ended (exit code 4)" in said for said in caplog.messages)


def test_delay_doubles_and_has_an_end() -> None:
    delays = [Backoff().delay(ends) for ends in range(1, 8)]
    assert delays == [1, 2, 4, 8, 16, 32, 60]


def test_programs_stop_in_reverse_order(tmp_path: Path, mark: str) -> None:
    says = (
        "import pathlib, signal, sys, time\n"
        "def end(*_):\n"
        "    with open('order', 'a') as f: f.write(sys.argv[1])\n"
        "    sys.exit()\n"
        "signal.signal(signal.SIGTERM, end)\n"
        "pathlib.Path(sys.argv[1]).touch()\n"
        "time.sleep(600)\n"
    )
    supervisor = Supervisor(mark)
    for name in ("a", "b", "c"):
        command = program(tmp_path, says, name, (tmp_path / name).exists)
        supervisor.start(
            Command(
                **{key: getattr(command, key) for key in ("name", "env", "cwd", "log", "is_ready")},
                argv=(*command.argv, name),
            )
        )
    supervisor.stop()
    assert (tmp_path / "order").read_text() == "cba"


def test_program_that_does_not_listen_is_killed(tmp_path: Path, mark: str) -> None:
    deaf = (
        "import pathlib, signal, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "pathlib.Path('deaf').touch()\n"
        "time.sleep(600)\n"
    )
    supervisor = Supervisor(mark)
    supervisor.start(program(tmp_path, deaf, ready=(tmp_path / "deaf").exists))
    supervisor.stop()
    assert not marked(mark)


def test_child_in_a_session_of_its_own_is_not_left(tmp_path: Path, mark: str) -> None:
    starts = (
        "import pathlib, subprocess, sys, time\n"
        f"child = subprocess.Popen([sys.executable, '-c', '{SLEEPS}'], start_new_session=True)\n"
        "pathlib.Path('child').write_text(str(child.pid))\n"
        "time.sleep(600)\n"
    )
    supervisor = Supervisor(mark)
    supervisor.start(program(tmp_path, starts, ready=(tmp_path / "child").exists))
    wait_until(lambda: (tmp_path / "child").read_text() != "", seconds=30)
    child = ProcessId.of(int((tmp_path / "child").read_text()))
    supervisor.stop()
    assert not is_alive(child)


def test_program_that_cannot_start_is_told_with_its_last_words(tmp_path: Path, mark: str) -> None:
    supervisor = Supervisor(mark)
    code = "raise SystemExit('the disk is on fire')"
    with pytest.raises(ServerFailed, match=r"exit code 1.*the disk is on fire"):
        supervisor.start(program(tmp_path, code, ready=lambda: False))
    supervisor.stop()


def test_program_that_is_never_ready_is_told(tmp_path: Path, mark: str) -> None:
    supervisor = Supervisor(mark)
    slow = program(tmp_path, SLEEPS, ready=lambda: False)
    never = Command(slow.name, slow.argv, slow.env, slow.cwd, slow.log, slow.is_ready, 0.1)
    with pytest.raises(ServerFailed, match="not ready after 0 seconds"):
        supervisor.start(never)
    supervisor.stop()
    assert not marked(mark)


def test_asking_to_stop_ends_the_wait(tmp_path: Path, mark: str) -> None:
    supervisor = Supervisor(mark)
    supervisor.stopping.set()
    with pytest.raises(StopAsked):
        supervisor.start(program(tmp_path, SLEEPS, ready=lambda: False))
    with pytest.raises(StopAsked):
        supervisor.run(program(tmp_path, SLEEPS))
    supervisor.stop()
    assert not marked(mark)


def test_long_log_becomes_the_former_one_while_its_program_writes(
    tmp_path: Path, mark: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervise, "_LOG_BYTES", 2000)
    supervisor = Supervisor(mark)
    writes = "import time\nwhile True: print('x' * 99, flush=True); time.sleep(0.01)"
    supervisor.start(program(tmp_path, writes))
    log, former = tmp_path / "sleeper.log", tmp_path / "sleeper.1.log"
    meanwhile(supervisor, lambda: wait_until(former.exists, seconds=30))
    with watched(supervisor):
        pass
    assert former.stat().st_size > 2000
    assert log.stat().st_size < 200_000
    assert b"\0" not in log.read_bytes()


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel ends them on Linux only")
def test_programs_end_with_a_supervisor_that_is_killed(tmp_path: Path, mark: str) -> None:
    code = (
        "import os, sys, time\n"
        "from pathlib import Path\n"
        "from flows.ops.supervise import Command, Supervisor\n"
        "here = Path.cwd()\n"
        f"sleeps = (sys.executable, '-c', '{SLEEPS}')\n"
        f"env = os.environ | {{'{MARK}': str(here)}}\n"
        "Supervisor(str(here)).start(Command('child', sleeps, env, here, here / 'log'))\n"
        "Path('started').touch()\n"
        "time.sleep(600)\n"
    )
    killed = subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path)
    wait_until((tmp_path / "started").exists, seconds=30)
    children = [ProcessId.of(child.pid) for child in psutil.Process(killed.pid).children()]
    killed.kill()
    killed.wait()
    assert children
    assert all(wait_gone(child, 20) for child in children)


def test_number_of_a_process_that_is_used_again_is_another_process() -> None:
    here = ProcessId.of(os.getpid())
    assert is_alive(here)
    assert not is_alive(ProcessId(here.pid, here.created - 100))


def test_program_that_cannot_be_started_now_is_tried_again(mark: str, tmp_path: Path) -> None:
    logs, aside = tmp_path / "logs", tmp_path / "aside"
    logs.mkdir()
    command = dataclasses.replace(program(tmp_path, SLEEPS), log=logs / "sleeper.log")
    patient = dataclasses.replace(QUICK, give_up_after=1_000)
    supervisor = Supervisor(mark, patient)

    def disturb() -> None:
        logs.rename(aside)
        logs.write_text("no folder")
        os.kill(pid(supervisor), signal.SIGKILL)
        wait_until(lambda: supervisor.states()[0].process is None)
        wait_until(lambda: supervisor._children[0].quick_ends > 3)
        logs.unlink()
        wait_until(lambda: supervisor.states()[0].process is not None)
        supervisor.stopping.set()

    with watched(supervisor):
        supervisor.start(command)
        other = threading.Thread(target=disturb)
        other.start()
    other.join()
    assert (logs / "sleeper.log").exists()


def test_state_that_cannot_be_written_stops_nothing(
    mark: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def full(_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    supervisor = Supervisor(mark, QUICK, on_change=full)
    with watched(supervisor):
        supervisor.start(program(tmp_path, SLEEPS))
        assert is_alive(ProcessId.of(pid(supervisor)))
        supervisor.stopping.set()
    assert "No space left on device" in caplog.text

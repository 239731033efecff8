"""The doctor without a server: each illness is told with its remedy, and none stops the others."""

import json
import os
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from flows.cli import run
from flows.ops.doctor import (
    Case,
    Check,
    examine,
    files,
    in_effect,
    programs,
    server,
    webhooks,
)
from flows.ops.environment import MARK, run_folder
from flows.ops.processes import reap
from flows.ops.rest import Api
from flows.ops.state import UpState, read_state, write_state
from flows.warm.life import tell
from pipelines.inbox import Delivery, inbox_of
from pipelines.knowledge import newest, refresh_lock
from pipelines.processes import ProcessId, is_alive
from tests.machine import NAMES_A_SERVER, free_port
from tests.project import Project

NAMES = [
    "python", "packages", "telemetry", "configuration", "permissions", "disk", "store", "lock",
    "suites", "embedder", "models", "up", "port", "database", "server", "work pool",
    "deployments", "automations", "schedules", "receiver", "warm lane", "inbox",
]  # fmt: skip


@pytest.fixture(autouse=True)
def no_server_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES_A_SERVER:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    project = Project(tmp_path)
    project.configure(more=f"[server]\nport = {free_port()}")
    project.write("a.md", "# A\n\nAll quokkas get leave in May.\n")
    return project


def case_of(project: Project, *, answers: bool = False) -> Case:
    config = project.config
    return Case(config, project.now, Api.of(config), is_wanted=False, answers=answers)


def told(project: Project, *argv: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, Any]:
    code = run(["--config", str(project.root / "staleproof.toml"), "doctor", "--json", *argv])
    return code, json.loads(capsys.readouterr().out)


def by_name(data: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {check["name"]: check for check in data["checks"]}


def test_without_a_server_its_checks_are_skipped_and_say_how_to_start_one(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    project.refresh()
    code, data = told(project, capsys=capsys)
    assert [check["name"] for check in data["checks"]] == NAMES
    states = {check["name"]: check["state"] for check in data["checks"]}
    on_server = ["server", "work pool", "deployments", "automations", "schedules"]
    no_endpoints = ["receiver", "warm lane"]
    no_models = ["models"]
    skipped = [name for name, state in states.items() if state == "skipped"]
    assert skipped == [*no_models, *on_server, *no_endpoints]
    assert all("staleproof up" in by_name(data)[name]["mend"] for name in on_server)
    assert not [name for name, state in states.items() if state == "error"]
    assert (code, data["ok"], data["fixed"]) == (0, True, [])
    assert data["configuration"]["knowledge"]["name"] == "kb"


def test_each_line_has_its_remedy_for_eyes(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    project.root.joinpath("staleproof.toml").chmod(0o666)
    open_up(project.root)
    assert run(["--config", str(project.root / "staleproof.toml"), "doctor"]) == 1
    shown = capsys.readouterr().out
    assert "permissions     error" in shown
    assert "-> chmod o-rwx" in shown
    assert "staleproof doctor --fix mends some of it" in shown
    assert "[knowledge]" in shown
    assert shown.count("staleproof up starts one") == 1


def test_broken_configuration_is_a_line_and_not_the_end(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "staleproof.toml").write_text("[knowledge]\nstroe = 1\n")
    assert run(["--config", str(tmp_path / "staleproof.toml"), "doctor", "--json"]) == 2
    data = json.loads(capsys.readouterr().out)
    checks = by_name(data)
    assert [check["name"] for check in data["checks"]] == NAMES
    assert checks["configuration"]["state"] == "error"
    assert "stroe" in checks["configuration"]["found"]
    assert checks["packages"]["state"] == "ok"
    assert checks["store"]["state"] == "skipped"
    assert data["configuration"] is None


def test_look_that_raises_is_an_error_line(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise KeyError("surprise")

    monkeypatch.setattr("flows.ops.doctor.files.shutil.disk_usage", broken)
    found = {check.name: check for check in examine(project.config, now=project.now).checks}
    assert found["disk"].state == "error"
    assert "KeyError: 'surprise' (test_doctor.py, line" in found["disk"].found
    assert found["store"].state == "warn"


def test_named_server_that_does_not_answer_is_exit_code_4(
    project: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PREFECT_API_URL", f"http://127.0.0.1:{free_port()}/api")
    code, data = told(project, capsys=capsys)
    assert (by_name(data)["server"]["state"], by_name(data)["server"]["retryable"]) == (
        "error",
        True,
    )
    assert by_name(data)["schedules"]["state"] == "skipped"
    assert code == 4


def test_package_that_does_not_fit_is_named_with_what_is_needed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    versions = {"fastapi": "0.165.0", "lancedb": None}
    real = programs._version
    monkeypatch.setattr(programs, "_version", lambda n: versions[n] if n in versions else real(n))
    check = programs.look_at_packages()
    assert check.state == "error"
    assert "fastapi 0.165.0 (<0.151,>=0.139 is needed)" in check.found
    assert "lancedb is missing" in check.found
    assert (
        check.mend
        == "Install what is needed: pip install 'fastapi<0.151,>=0.139' 'lancedb==0.40.*'"
    )


def test_telemetry_that_a_person_switched_on_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    assert programs.look_at_telemetry().state == "ok"
    monkeypatch.setenv("PREFECT_SERVER_ANALYTICS_ENABLED", "True")
    check = programs.look_at_telemetry()
    assert (check.state, "PREFECT_SERVER_ANALYTICS_ENABLED=True" in check.found) == ("warn", True)


def test_lock_says_who_holds_it_and_a_killed_holder_is_forgotten(project: Project) -> None:
    project.refresh()
    case = case_of(project)
    assert files.look_at_lock(case).found == "free"
    with refresh_lock(project.store, run="run-9", now=project.now):
        held = files.look_at_lock(case)
        assert (held.state, f"run run-9, process {os.getpid()}" in held.found) == ("ok", True)
        late = replace(case, now=project.now.replace(year=project.now.year + 1))
        assert files.look_at_lock(late).state == "warn"
    kill = (
        "import os, signal, sys\n"
        "from datetime import UTC, datetime\n"
        "from pipelines.knowledge import find_store, refresh_lock\n"
        "with refresh_lock(find_store(sys.argv[1]), run='run-k', now=datetime.now(UTC)):\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", kill, case.config.store_uri], check=False)
    dead = files.look_at_lock(case)
    assert (dead.state, dead.fixable) == ("warn", True)
    assert "run run-k" in dead.found
    files.forget_killed_holder(case)
    assert files.look_at_lock(case).found == "free"


def test_store_of_another_format_and_lost_files_are_told(project: Project) -> None:
    case = case_of(project)
    assert files.look_at_store(case).mend == "staleproof refresh"
    project.refresh()
    assert "publication #1, 1 document, 1 passage," in files.look_at_store(case).found
    for data in Path(case.config.store_uri).glob("chunks_*.lance/_versions/*"):
        data.unlink()
    lost = files.look_at_store(case)
    assert (lost.state, "publication #1" in lost.found) == ("error", True)


def open_up(folder: Path) -> None:
    """Others come as far as this folder, as in a project that is shared on a machine."""
    for above in (folder, *folder.parents):
        if above.stat().st_uid == os.getuid() and not above.stat().st_mode & stat.S_IXOTH:
            above.chmod(above.stat().st_mode | stat.S_IXOTH)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_what_is_open_to_others_is_told_and_closed_without_touching_the_rest(
    project: Project,
) -> None:
    project.refresh()
    open_up(project.root)
    case = case_of(project)
    config, secrets = project.root / "staleproof.toml", project.root / ".env"
    secrets.write_text("PREFECT_SERVER_API_AUTH_STRING=admin:pw\n")
    for path, bits in ((config, 0o646), (secrets, 0o644), (project.root / "store", 0o755)):
        path.chmod(bits)
    check = files.look_at_permissions(case)
    assert (check.state, check.fixable) == ("error", True)
    assert f"{config} can be changed" in check.found
    assert f"{secrets} can be read" in check.found
    assert "pw" not in check.found
    files.close_to_others(case)
    assert [mode(config), mode(secrets), mode(project.root / "store")] == [0o644, 0o640, 0o750]
    assert files.look_at_permissions(case).state == "ok"


def test_full_disk_is_an_error_and_little_room_a_warning(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def free(size: int) -> Check:
        usage = type("Usage", (), {"free": size})
        monkeypatch.setattr("flows.ops.doctor.files.shutil.disk_usage", lambda _: usage)
        return files.look_at_disk(case_of(project))

    assert [free(size).state for size in (10**8, 10**9, 10**10)] == ["error", "warn", "ok"]


def test_suite_with_a_mistake_names_file_and_entry(project: Project) -> None:
    folder = project.root / "data" / "expectations"
    folder.mkdir(parents=True)
    (folder / "chunks.json").write_text('{"name": "chunks", "expectations": [{"type": "nope"}]}')
    found = {check.name: check for check in examine(project.config, now=project.now).checks}
    assert found["suites"].state == "error"
    assert "chunks.json" in found["suites"].found


def test_model_that_is_nowhere_is_told_without_asking_the_hub(project: Project) -> None:
    file = project.root / "staleproof.toml"
    file.write_text(file.read_text() + '\n[embedder]\nmodel = "./weights"\n')
    found = {check.name: check for check in examine(project.config, now=project.now).checks}
    assert (found["embedder"].state, "weights" in found["embedder"].found) == ("error", True)
    file.write_text(file.read_text().replace("./weights", "nobody/has-this"))
    check = files.look_at_embedder(case_of(project))
    assert (check.state, "downloads it" in check.mend) == ("warn", True)


def test_other_weights_than_those_of_the_store_are_told(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipelines.embedding import fingerprint, locate_model

    project.refresh()
    built_in = "all-MiniLM-L6-v2"
    published = newest(project.store)
    assert published
    last = replace(published, model=built_in)
    monkeypatch.setattr(files, "newest", lambda _: last)
    check = files.look_at_embedder(case_of(project))
    assert (check.state, "publication #1" in check.found) == ("error", True)
    ours = fingerprint(locate_model(built_in, root=project.root))
    monkeypatch.setattr(files, "newest", lambda _: replace(last, fingerprint=ours))
    assert files.look_at_embedder(case_of(project)).state == "ok"


@contextmanager
def left_running(folder: Path) -> Iterator[ProcessId]:
    """A process as a killed ``up`` leaves it."""
    mark = str(folder)
    child = subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(600)"], env=os.environ | {MARK: mark}
    )
    try:
        yield ProcessId.of(child.pid)
    finally:
        reap(mark, seconds=0)
        child.wait()


def test_what_a_killed_up_left_is_ended_and_removed(project: Project) -> None:
    case = case_of(project)
    folder = run_folder(case.config)
    folder.mkdir()
    assert server.look_at_up(case).found == "not running"
    with left_running(folder) as left:
        gone = replace(left, created=left.created - 1000)
        write_state(
            case.config, UpState(gone, "http://x", "SQLite", "2026-01-01T00:00", ready=True)
        )
        check = server.look_at_up(case)
        assert (check.state, check.fixable) == ("error", True)
        assert str(left.pid) in check.found
        assert "ended 1 process and" in server.clear_up(case)
        assert not is_alive(left)
        assert read_state(case.config) is None
    assert server.look_at_up(case).state == "ok"


def test_fix_mends_and_looks_again(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    project.refresh()
    open_up(project.root)
    (project.root / "store").chmod(0o755)
    about = project.root / "store" / "refresh.holder.json"
    since = project.now.isoformat()
    about.write_text(json.dumps({"pid": 2**22 + 7, "run": "run-k", "since": since}))
    _, before = told(project, capsys=capsys)
    assert before["fixed"] == []
    assert about.exists()
    _, after = told(project, "--fix", capsys=capsys)
    assert {one["name"] for one in after["fixed"]} == {"permissions", "lock"}
    assert by_name(after)["permissions"]["state"] == by_name(after)["lock"]["state"] == "ok"
    assert not about.exists()
    assert mode(project.root / "store") == 0o750


def with_endpoint(project: Project, more: str = "") -> None:
    project.configure(
        more=f"[server]\nport = {free_port()}\n[webhook]\nport = {free_port()}\n{more}\n"
        '[[webhook.endpoints]]\nname = "docs"\nkind = "github"\nsource = "docs"\n'
        'secret_env = "DOCS_SECRET"'
    )


def test_endpoint_without_a_secret_is_told_and_with_one_it_can_start(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert webhooks.look_at_receiver(case_of(project)).state == "skipped"
    with_endpoint(project)
    found = {check.name: check for check in examine(project.config, now=project.now).checks}
    assert found["receiver"].state == "error"
    assert "DOCS_SECRET" in found["receiver"].found
    monkeypatch.setenv("DOCS_SECRET", "of a sender")
    assert (
        webhooks.look_at_receiver(case_of(project)).found == "not running; 1 endpoint, with secrets"
    )


@contextmanager
def up_that_runs(project: Project) -> Iterator[None]:
    here = ProcessId.of(os.getpid())
    run_folder(project.config).mkdir()
    write_state(project.config, UpState(here, "http://x", "SQLite", "2026-01-01T00:00", ready=True))
    yield


def test_receiver_and_warm_lane_that_do_not_live_are_told_where_up_runs(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCS_SECRET", "of a sender")
    with_endpoint(project, "warm_memory_mb = 256")
    with up_that_runs(project):
        case = case_of(project)
        assert webhooks.look_at_receiver(case).state == "error"
        assert webhooks.look_at_warm_lane(case).state == "warn"
        tell(project.config, ready=True)
        monkeypatch.setattr("flows.warm.life.held_mb", lambda _: 200)
        lane = webhooks.look_at_warm_lane(case)
        assert (lane.state, "200 MB" in lane.found) == ("ok", True)
        monkeypatch.setattr("flows.warm.life.held_mb", lambda _: 300)
        lane = webhooks.look_at_warm_lane(case)
        assert (lane.state, "warm_memory_mb = 256" in lane.found) == ("warn", True)


def test_what_waits_in_the_inbox_for_long_is_told_unless_a_refresh_goes_on(
    project: Project,
) -> None:
    project.refresh()
    assert webhooks.look_at_inbox(case_of(project)).found == "nothing waits"
    inbox = inbox_of(project.config.store_uri)
    inbox.take(Delivery("docs", "1", ("docs",)), most=9, now=project.now)
    assert webhooks.look_at_inbox(case_of(project)).state == "ok"
    project.later(minutes=11)
    check = webhooks.look_at_inbox(case_of(project))
    assert check.state == "warn"
    assert "1 source (1 call of webhooks)" in check.found
    assert "staleproof refresh docs" in check.mend
    with refresh_lock(project.store, run="run-9", now=project.now):
        assert webhooks.look_at_inbox(case_of(project)).state == "ok"


def test_port_that_another_program_took_is_told(project: Project) -> None:
    with socket.create_server(("127.0.0.1", project.config.server.port)):
        found = {check.name: check for check in examine(project.config, now=project.now).checks}
    assert found["port"].state == "error"
    assert "taken by another program" in found["port"].found


def test_database_of_something_else_is_told(project: Project) -> None:
    file = run_folder(project.config) / "prefect" / "prefect.db"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"not a database" * 100)
    found = {check.name: check for check in examine(project.config, now=project.now).checks}
    assert found["database"].state == "error"
    assert "prefect.db" in found["database"].found


def test_server_on_another_machine_is_not_looked_at_from_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_SERVER_API_AUTH_STRING", "admin:pw")
    project = Project(tmp_path)
    project.configure(more='[server]\nhost = "192.0.2.7"')  # nobody has it
    case = case_of(project)
    assert [server.look_at_port(case).state, server.look_at_database(case).state] == ["skipped"] * 2


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("PREFECT_API_AUTH_STRING", "admin:hunter2", "***"),
        ("PREFECT_API_KEY", "hunter2", "***"),
        ("STALEPROOF_SERVER__DATABASE_URL", "postgresql://u:hunter2@h/d", "postgresql://u:***@h/d"),
        ("STALEPROOF_SERVER__AUTH_ENV", "UI_LOGIN", "UI_LOGIN"),
        ("PREFECT_API_URL", "http://127.0.0.1:4200/api", "http://127.0.0.1:4200/api"),
    ],
)
def test_secrets_of_the_environment_are_masked(name: str, value: str, shown: str) -> None:
    assert in_effect(None, {name: value, "HOME": "/root"})["environment"] == {name: shown}


def test_password_in_the_url_of_a_source_is_masked(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.configure(
        '[[sources]]\nname = "w"\nkind = "git"\nurl = "https://me:hunter2@git.example/w.git"\n'
        'domain = "hr"\nlabels = ["public"]\n'
    )
    said = json.dumps(in_effect(project.config, {}))
    assert "hunter2" not in said
    assert "https://me:***@git.example/w.git" in said

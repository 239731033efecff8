"""What is in the way of ``up``: one sentence each, its exit code, and nothing is left running."""

import contextlib
import json
import os
import socket
import sqlite3
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flows.ops.processes import marked
from flows.ops.state import UpState, running
from flows.ops.supervise import StopAsked
from flows.ops.up import Listener, keep_up
from tests.machine import STALEPROOF, free_port
from tests.postgres import PASSWORD, Postgres, postgres
from tests.project import Project

SHIPPED = Path(__file__).parents[2] / "flows/ops/prefect.yaml"
URL = "STALEPROOF_SERVER__DATABASE_URL"


def refused(root: Path, code: int, server: str = "", **env: str) -> str:
    """The error of an ``up`` that does not start; nothing of it is left, in no case."""
    if not (root / "staleproof.toml").exists():
        Project(root).configure(more=f"[server]\nport = {free_port()}\n{server}")
    done = subprocess.run(
        [*STALEPROOF, "up", "--json"],
        cwd=root,
        env=os.environ | env,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert not marked(str(root / ".staleproof"))
    assert not (root / ".staleproof" / "up.json").exists()
    error: dict[str, Any] = json.loads(done.stdout)["error"]
    assert error["hint"] or "must be" in error["message"]
    assert error["message"].count(". ") == 0, "more than a sentence"
    assert PASSWORD not in done.stdout + done.stderr
    return f"{error['message']} {error['hint']}"


def test_port_that_is_taken_names_who_has_it(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        Project(tmp_path).configure(more=f"[server]\nport = {port}")
        said = refused(tmp_path, 4)
    assert f"Port {port} is taken" in said
    assert f"process {os.getpid()}" in said
    assert "[server] port" in said


@pytest.mark.parametrize(
    ("host", "said"),
    [
        ("192.0.2.1", "this machine cannot listen there"),
        ("no.such.machine.invalid", "nobody knows a machine of that name"),
    ],
)
def test_host_where_nothing_can_listen_is_told(tmp_path: Path, host: str, said: str) -> None:
    auth = {"PREFECT_SERVER_API_AUTH_STRING": "a:b"}
    assert said in refused(tmp_path, 2, f'host = "{host}"', **auth)


def test_host_that_others_reach_needs_a_password(tmp_path: Path) -> None:
    said = refused(tmp_path, 2, 'host = "0.0.0.0"')
    assert "PREFECT_SERVER_API_AUTH_STRING is not set" in said


ENDPOINT = (
    '[[webhook.endpoints]]\nname = "docs"\nkind = "github"\nsource = "docs"\n'
    'secret_env = "DOCS_SECRET"\n'
)


def test_endpoint_without_its_secret_is_told(tmp_path: Path) -> None:
    said = refused(tmp_path, 2, f"[webhook]\nport = {free_port()}\n{ENDPOINT}")
    assert "webhook.endpoints[docs].secret_env: DOCS_SECRET" in said


def test_port_of_the_receiver_that_is_taken_or_the_servers_is_told(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        hooks = f"[webhook]\nport = {port}\n{ENDPOINT}"
        said = refused(tmp_path, 4, hooks, DOCS_SECRET="of a sender")  # noqa: S106
    assert f"Port {port} is taken" in said
    assert "[webhook] port" in said
    same = free_port()
    Project(tmp_path).configure(
        more=f"[server]\nport = {same}\n[webhook]\nport = {same}\n{ENDPOINT}"
    )
    assert f"port = {same} is the port of [server] too" in refused(
        tmp_path,
        2,
        DOCS_SECRET="of a sender",  # noqa: S106
    )


@pytest.mark.parametrize(
    "url", ["mysql://me@host/db", "postgresql://me@host", "postgresql:///db", "host/db"]
)
def test_url_that_is_none_is_told(tmp_path: Path, url: str) -> None:
    said = refused(tmp_path, 2, f'database_url = "{url}"')
    assert "must be postgresql://user@host/database, or empty for SQLite" in said


def test_postgresql_that_does_not_answer_is_told(tmp_path: Path) -> None:
    url = f"postgresql://me@127.0.0.1:{free_port()}/db"
    said = refused(tmp_path, 4, f'database_url = "{url}"')
    assert "does not answer" in said


def database(root: Path, *statements: str) -> Path:
    file = root / ".staleproof" / "prefect" / "prefect.db"
    file.parent.mkdir(parents=True)
    with contextlib.closing(sqlite3.connect(file)) as made:
        for statement in statements:
            made.execute(statement)
        made.commit()
    return file


def test_database_of_a_newer_prefect_is_told_and_kept(tmp_path: Path) -> None:
    made = "CREATE TABLE alembic_version (version_num TEXT)"
    file = database(tmp_path, made, "INSERT INTO alembic_version VALUES ('feedfacecafe')")
    before = file.read_bytes()
    said = refused(tmp_path, 1)
    assert "feedfacecafe" in said
    assert "another Prefect than 3" in said
    assert file.read_bytes() == before


def test_database_of_something_else_is_told(tmp_path: Path) -> None:
    database(tmp_path, "CREATE TABLE recipes (name TEXT)")
    assert "not the database of a Prefect server" in refused(tmp_path, 1)


def test_broken_database_is_told(tmp_path: Path) -> None:
    file = database(tmp_path, "CREATE TABLE recipes (name TEXT)")
    file.write_bytes(b"no database at all " * 999)
    assert "cannot be read" in refused(tmp_path, 1)


@contextlib.contextmanager
def small_disk() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="small-"))
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        folder.rmdir()
        pytest.skip("may not mount a small disk here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)
        folder.rmdir()


@pytest.mark.parametrize("filled", [False, True])
def test_full_disk_is_told(filled: bool) -> None:
    with small_disk() as root:
        Project(root).configure(more=f"[server]\nport = {free_port()}")
        if filled:
            with contextlib.suppress(OSError), (root / "ballast").open("wb", 0) as ballast:
                while True:
                    ballast.write(b"x" * 4096)
        said = refused(root, 1)
    assert "disk" in said
    assert "200 MB" in said


def test_folder_without_deployments_is_told(tmp_path: Path) -> None:
    assert "prefect.yaml" in refused(tmp_path, 2)


def test_mistake_in_a_suite_is_told_before_anything_starts(tmp_path: Path) -> None:
    values = {"${knowledge}": "kb", "${config}": "staleproof.toml", "${pool}": "staleproof"}
    text = SHIPPED.read_text()
    for name, value in values.items():
        text = text.replace(name, value)
    (tmp_path / "prefect.yaml").write_text(text)
    suite = tmp_path / "data/expectations/documents.json"
    suite.parent.mkdir(parents=True)
    suite.write_text("{")
    assert "documents.json" in refused(tmp_path, 2)


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with postgres() as started:
        yield started


@pytest.mark.postgres
def test_wrong_password_is_told(tmp_path: Path, server: Postgres) -> None:
    said = refused(tmp_path, 2, **{URL: server.url(password="wrong")})  # noqa: S106
    assert 'refuses the user "staleproof"' in said
    assert "wrong" not in said


@pytest.mark.postgres
def test_missing_database_is_told_with_how_to_create_it(tmp_path: Path, server: Postgres) -> None:
    said = refused(tmp_path, 2, **{URL: server.url("nowhere")})
    assert 'no database "nowhere"' in said
    assert "createdb --owner staleproof nowhere" in said


def test_down_knows_whom_to_stop_from_the_first_step_on(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.configure(more=f"[server]\nport = {free_port()}")
    seen: list[UpState | None] = []

    def on_step(step: str) -> None:
        seen.append(running(project.config))
        raise StopAsked

    listener, stopping = Listener(on_step=on_step), threading.Event()
    with pytest.raises(StopAsked):
        keep_up(project.config, listener=listener, stopping=stopping)
    assert [state and (state.supervisor.pid, state.ready) for state in seen] == [
        (os.getpid(), False)
    ]
    assert running(project.config) is None

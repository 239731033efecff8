"""A PostgreSQL server of Debian's package on a free port, for the tests that need one."""

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.machine import free_port

PASSWORD = "of-a-test"  # noqa: S105 - of a server that lives as long as a test
_FOLDERS = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)


@dataclass(frozen=True, slots=True)
class Postgres:
    """A server with one superuser, ``staleproof``, and its own database."""

    port: int

    def url(self, database: str = "staleproof", password: str | None = PASSWORD) -> str:
        secret = f":{password}" if password else ""
        return f"postgresql://staleproof{secret}@127.0.0.1:{self.port}/{database}"


@contextlib.contextmanager
def postgres() -> Iterator[Postgres]:
    """Starts one and stops it; skips the test where the package is not installed."""
    if not _FOLDERS:
        pytest.skip("PostgreSQL is not installed")
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    who = _owner(folder)

    def run(program: str, *arguments: str) -> None:
        argv = [*who, str(_FOLDERS[0] / program), *arguments]
        subprocess.run(argv, cwd=folder, check=True, capture_output=True)

    port, data = free_port(), str(folder / "data")
    try:
        secret = folder / "password"
        secret.write_text(PASSWORD)
        run("initdb", "-D", data, "-U", "staleproof", "-A", "scram-sha-256", f"--pwfile={secret}")
        options = f"-p {port} -h 127.0.0.1 -k {folder} -c fsync=off"
        run("pg_ctl", "-D", data, "-w", "-l", str(folder / "log"), "-o", options, "start")
        try:
            env = os.environ | {"PGPASSWORD": PASSWORD}
            create = [str(_FOLDERS[0] / "createdb"), "-h", "127.0.0.1", "-p", str(port)]
            subprocess.run([*create, "-U", "staleproof", "staleproof"], env=env, check=True)
            yield Postgres(port)
        finally:
            run("pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _owner(folder: Path) -> list[str]:
    """PostgreSQL does not run as root: who it runs as, and owns its folder."""
    if os.geteuid() != 0:
        return []
    user = pwd.getpwnam("postgres")
    os.chown(folder, user.pw_uid, user.pw_gid)
    return ["runuser", "-u", "postgres", "--"]

"""Looks at this machine's part of a Prefect server: port, database, `up`, and whether it answers."""

from pathlib import Path

from filelock import FileLock, Timeout

from flows.ops.database import check_database, describe_database
from flows.ops.doctor.check import Case, Check, error, ok, skipped, warn
from flows.ops.down import take_down
from flows.ops.environment import auth_string, mark_of, run_folder, sqlite_file
from flows.ops.preflight import check_port
from flows.ops.processes import marked
from flows.ops.state import read_state, running
from pipelines.config import Config
from pipelines.errors import ConfigError, ServerUnavailable, StaleproofError

_HEALTH_SECONDS = 5
_LARGE_BYTES = 2_000_000_000
_START = "staleproof up starts one."


def look_at_server(case: Case) -> Check:
    """Whether one answers, to us, and of which version it is."""
    auth_string(case.config)  # says what is wrong with it
    try:
        case.api.ask("GET", "/health", seconds=_HEALTH_SECONDS)
    except OSError as problem:
        return _unanswered(case, problem)
    try:
        version = str(case.api.ask("GET", "/admin/version"))
    except OSError as problem:
        if "answered 401" not in str(problem):
            raise
        variable = "PREFECT_API_AUTH_STRING"
        return error(
            f"{case.api.url} asks for user and password, and does not take ours",
            f"Set {variable} to the server's user:password.",
        )
    return _of_version(case.api.url, version)


def _unanswered(case: Case, problem: OSError) -> Check:
    said = f"no Prefect server answers at {case.api.url}"
    if not case.is_wanted:
        return skipped(said, _START)
    raise ServerUnavailable(
        f"{said} ({problem.strerror or problem})",
        hint="See .staleproof/logs, or PREFECT_API_URL; staleproof down, then up, starts it anew.",
    ) from problem


def _of_version(url: str, version: str) -> Check:
    from importlib.metadata import version as installed

    ours = installed("prefect")
    if version.split(".")[:2] != ours.split(".")[:2]:
        return warn(
            f"Prefect {version} answers at {url}, and {ours} is installed here",
            f"Run the same on both sides: prefect {ours}.",
        )
    return ok(f"Prefect {version} answers at {url}")


def look_at_up(case: Case) -> Check:
    """Whether ``staleproof up`` runs, and what a killed one left."""
    state = running(case.config)
    if state is not None:
        names = ", ".join(
            f"{one.name} (process {one.process.pid})" if one.process else f"{one.name} (ended)"
            for one in state.processes
        )
        ready = "runs" if state.ready else "is starting"
        return ok(f"{ready} since {state.since[:16].replace('T', ' ')} UTC: {names}")
    left = marked(mark_of(case.config))
    if left:
        pids = ", ".join(str(one.pid) for one in left)
        return error(
            f"it was killed and left processes running: {pids}", "staleproof down", fixable=True
        )
    if read_state(case.config) is not None:
        return warn(
            "it was killed; the file with its state is left", "staleproof down", fixable=True
        )
    return ok("not running")


def clear_up(case: Case) -> str:
    """What a killed ``up`` left goes, unless one is being started right now.

    Raises:
        StaleproofError: One is.
    """
    try:
        with FileLock(run_folder(case.config) / "up.lock", timeout=0):
            stopped = take_down(case.config)
    except Timeout as problem:
        raise StaleproofError("Another `staleproof up` is starting or stopping.") from problem
    ended = f"{stopped.processes} process{'es' * (stopped.processes != 1)}"
    return f"ended {ended} and removed the state of an up that was killed"


def look_at_port(case: Case) -> Check:
    """Whether the server listens, or can."""
    server = case.config.server
    if case.answers:
        return ok(f"the server listens at {case.api.url}")
    if not is_here(case.config):
        return skipped(f"[server] host = {server.host} is not this machine")
    check_port(case.config)
    return ok(f"{server.port} on {server.host} is free")


def look_at_database(case: Case) -> Check:
    """Whether the server's database can be used, and how large it is."""
    if not is_here(case.config):
        return skipped(f"it is beside the server, on {case.config.server.host}")
    check_database(case.config)
    file = sqlite_file(case.config)
    if file is None:
        return ok(f"{describe_database(case.config)}, answers")
    if not file.exists():
        return ok("SQLite, made at the first start of staleproof up")
    size, wal = _size(file), _size(file.with_name(f"{file.name}-wal"))
    said = f"SQLite, {size / 1e6:,.0f} MB and {wal / 1e6:,.0f} MB not merged yet, {file}"
    if size + wal > _LARGE_BYTES:
        return warn(said, "Keep fewer runs ([server] keep_runs_days), or use PostgreSQL.")
    return ok(said)


def _size(file: Path) -> int:
    return file.stat().st_size if file.exists() else 0


def is_here(config: Config) -> bool:
    """Whether ``[server] host`` is an address of this machine."""
    if config.server.is_local:
        return True
    try:
        check_port(config)
    except ConfigError:
        return False
    except StaleproofError:  # taken, so it is
        return True
    return True

"""A person's own project whose documents are in git, kept up by ``staleproof up``, and its history.

The history is read through the server's API alone, as the pages of its UI read it.
"""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import psutil
import pytest

from flows.ops.processes import reap, send
from flows.ops.rest import Api
from flows.ops.state import ProcessState, read_state
from pipelines.config import Config, load_config
from pipelines.knowledge import Publication, find_store, newest, publications
from tests.machine import STALEPROOF, free_port, without_server

T = TypeVar("T")
Json = dict[str, Any]

BUNDLE = Path(
    os.environ.get("HANDBOOK_BUNDLE")
    or Path(__file__).resolve().parents[1].parent / "shared/data/handbook.bundle"
)
AUTOMATIONS = Path(__file__).parents[1] / "infra/automations"
NAME = "handbook"
SCHEDULE_SECONDS = 10
HEARTBEAT_SECONDS = 40
"""Without a heartbeat for so long a run is lost; Prefect sends one every 30 seconds."""

_PATIENCE_SECONDS = 420
_SOON = {
    "PREFECT_SERVER_SERVICES_SCHEDULER_RECENT_DEPLOYMENTS_LOOP_SECONDS": "2",
    "PREFECT_WORKER_PREFETCH_SECONDS": "1",
    "PREFECT_WORKER_QUERY_SECONDS": "1",
}
"""What ``up`` leaves as a person has set it; nobody waits longer for a run than it takes."""

_NO_PAGES = {"limit": 200, "offset": 0}


def until(look: Callable[[], T], enough: Callable[[T], Any], why: str) -> T:
    """What is seen once it suffices.

    A server that is being started again meanwhile is asked again.
    """
    deadline = time.monotonic() + _PATIENCE_SECONDS
    seen: T | None = None
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            seen = look()
            if enough(seen):
                return seen
        time.sleep(0.3)
    raise AssertionError(f"{why} did not happen; last seen: {seen}")


def git(folder: Path, *arguments: str) -> str:
    who = ("-c", "user.name=Somebody", "-c", "user.email=somebody@example.org")
    done = subprocess.run(
        ["git", "-C", str(folder), *who, *arguments], check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


@dataclass
class Home:
    """A project in git, and beside it the repository that its documents come from."""

    folder: Path
    env: dict[str, str]
    ended: list[str] = field(default_factory=list)
    """The runs that changed something and that a test has seen."""

    @property
    def root(self) -> Path:
        return self.folder / "project"

    @property
    def documents(self) -> Path:
        return self.folder / f"{NAME}.git"

    @property
    def config(self) -> Config:
        return load_config(self.root / "staleproof.toml", env={})

    @property
    def api(self) -> Api:
        return Api.of(self.config)

    def __call__(self, *argv: str) -> Json:
        """A command of staleproof, as a person types it; what it prints as JSON."""
        done = subprocess.run(
            [*STALEPROOF, *argv, "--json"],
            cwd=self.root,
            env=without_server() | _SOON | self.env,
            capture_output=True,
            text=True,
            timeout=_PATIENCE_SECONDS,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        said: Json = json.loads(done.stdout)
        return said

    # What a person edits.

    def edit(self, file: str, pattern: str, new: str) -> None:
        path = self.root / file
        text, count = re.subn(pattern, new, path.read_text(), count=1, flags=re.MULTILINE)
        assert count == 1, (file, pattern)
        path.write_text(text)

    def include(self, *globs: str) -> None:
        self.edit("staleproof.toml", r"^include = \[.*?\]", f"include = {json.dumps(globs)}")

    def move_branch(self, commit: str) -> None:
        git(self.documents, "update-ref", "refs/heads/main", commit)

    # What is published.

    def published(self) -> Publication:
        store = find_store(self.config.store_uri)
        last = newest(store) if store else None
        assert last is not None
        return last

    def numbers(self) -> list[int]:
        store = find_store(self.config.store_uri)
        return [one.number for one in publications(store)] if store else []

    def rows(self) -> list[Json]:
        store = find_store(self.config.store_uri)
        assert store is not None
        table = store.at(*self.published().state)
        rows = table.search().select(["uri", "position", "text"]).to_arrow().to_pylist()
        return list(rows)

    # What the history says.

    def _filtered(self, what: str, **body: Any) -> list[Json]:
        found: list[Json] = self.api.ask("POST", f"/{what}/filter", body | _NO_PAGES)
        return found

    def runs(self, flow: str = "refresh") -> list[Json]:
        """The runs of the knowledge base's deployment that are not to come, oldest first."""
        deployed = self.api.ask("GET", f"/deployments/name/{flow}/{NAME}")
        only = {"deployment_id": {"any_": [deployed["id"]]}, "start_time": {"is_null_": False}}
        runs = self._filtered("flow_runs", flow_runs=only, sort="START_TIME_ASC")
        return [run for run in runs if run["state_type"] not in ("SCHEDULED", "PENDING")]

    def run(self, run_id: str) -> Json:
        found: Json = self.api.ask("GET", f"/flow_runs/{run_id}")
        return found

    def states(self, run_id: str) -> list[Json]:
        """All states that a run went through."""
        found: list[Json] = self.api.ask("GET", f"/flow_run_states/?flow_run_id={run_id}")
        return sorted(found, key=lambda state: state["timestamp"])

    def tasks(self, run_id: str, last: str | None = None) -> list[str]:
        """The names of a run's task runs that completed, in order, once the last one is there."""

        def look() -> list[str]:
            only = {"id": {"any_": [run_id]}}
            found = self._filtered("task_runs", flow_runs=only, sort="EXPECTED_START_TIME_ASC")
            return [t["name"] for t in found if t["state_type"] == "COMPLETED"]

        return until(look, lambda names: last is None or last in names, f"task {last}")

    def artifacts(self, run_id: str) -> dict[str, str]:
        only = {"flow_run_id": {"any_": [run_id]}}
        found = self._filtered("artifacts", artifacts=only, sort="CREATED_DESC")
        return {one["key"] or one["type"]: str(one["data"]) for one in found}

    def events(self, run_id: str, enough: int) -> list[Json]:
        """Our events in the course of a run, oldest first, once there are enough."""
        related = {"id": [f"prefect.flow-run.{run_id}"]}
        only = {"event": {"prefix": ["staleproof."]}, "related": related, "order": "ASC"}

        def look() -> list[Json]:
            found: list[Json] = self.api.ask("POST", "/events/filter", {"filter": only})["events"]
            return found

        return until(look, lambda found: len(found) >= enough, f"{enough} events")

    def logs(self, run_id: str) -> str:
        """All that a run logged, once its last line is there."""
        only = {"flow_run_id": {"any_": [run_id]}}

        def ended(lines: list[Json]) -> bool:
            of_flow = (line["message"] for line in lines if line["name"] == "prefect.flow_runs")
            return any(message.startswith("Finished in state") for message in of_flow)

        def look() -> list[Json]:
            return self._filtered("logs", logs=only, sort="TIMESTAMP_ASC")

        lines = until(look, ended, "the last line of the log")
        return "\n".join(line["message"] for line in lines)

    # What is waited for.

    def next_change(self, why: str = "a refresh that changes something") -> Json:
        """The next run that completed and changed something, which no test has seen yet."""

        def look() -> list[Json]:
            done = [run for run in self.runs() if run["state_type"] in ("COMPLETED", "FAILED")]
            changed = [run for run in done if not run["name"].endswith("nothing changed")]
            return [run for run in changed if run["id"] not in self.ended]

        run = until(look, bool, why)[0]
        self.ended.append(run["id"])
        return run

    def embedding(self) -> Json:
        """A run that is about to embed at this moment."""

        def look() -> list[Json]:
            running = [run for run in self.runs() if run["state_type"] == "RUNNING"]
            only = {"id": {"any_": [run["id"] for run in running]}}
            begun = self._filtered("task_runs", flow_runs=only) if running else []
            ids = {task["flow_run_id"] for task in begun if task["name"].startswith("check:")}
            return [run for run in running if run["id"] in ids]

        return until(look, bool, "a run that embeds")[0]

    def process(self, name: str) -> ProcessState:
        state = read_state(self.config)
        assert state is not None
        return next(one for one in state.processes if one.name == name)

    def kill(self, name: str) -> None:
        """kill -9 of a program of ``up``, and of everything that it has started."""
        process = self.process(name).process
        assert process is not None
        children = psutil.Process(process.pid).children(recursive=True)
        for one in (psutil.Process(process.pid), *children):
            with contextlib.suppress(psutil.NoSuchProcess):
                one.kill()

    def until_back(self, name: str, restarts: int) -> None:
        """Waits until the supervisor has started it again."""
        until(lambda: self.process(name).restarts, lambda n: n == restarts, f"a restart of {name}")


def make_home(folder: Path, env: dict[str, str], commit: str, include: Sequence[str]) -> Home:
    """A project that ``init`` made for a repository at a commit, on a free port, often refreshed."""
    home = Home(folder, env)
    home.root.mkdir()
    git(folder, "clone", "--quiet", "--bare", "--branch", "main", str(BUNDLE), str(home.documents))
    home.move_branch(commit)
    git(home.root, "init", "--quiet")
    home("init", f"../{home.documents.name}")
    home.include(*include)
    home.edit("staleproof.toml", r"^exclude = \[\]", 'exclude = ["**/leave.md"]')
    home.edit("staleproof.toml", r"^port = \d+", f"port = {free_port()}")
    home.edit("prefect.yaml", r'cron: "\*/15 .*"', f"interval: {SCHEDULE_SECONDS}")
    shutil.copytree(AUTOMATIONS, home.root / "infra/automations")
    lost = "infra/automations/heartbeat-lost.yaml"
    home.edit(lost, r"within: \d+", f"within: {HEARTBEAT_SECONDS}")
    git(home.root, "add", "--all")
    git(home.root, "commit", "--quiet", "--message", "What staleproof init wrote, and our settings")
    return home


@contextlib.contextmanager
def kept_up(
    folder: Path,
    env: dict[str, str],
    commit: str,
    include: Sequence[str],
    *,
    prepare: Callable[[Home], None] = lambda _: None,
) -> Iterator[Home]:
    """The same, while its server and worker run; nothing of it is left behind.

    Args:
        folder: An empty one.
        env: Of every command.
        commit: Where its branch is.
        include: What is taken of it.
        prepare: Does something to the project before they are started.

    Raises:
        pytest.skip.Exception: There is no bundle here.
    """
    if not BUNDLE.is_file():
        pytest.skip("the handbook bundle is not part of the project; HANDBOOK_BUNDLE names it")
    home = make_home(folder, env, commit, include)
    prepare(home)
    try:
        home("up", "--detach")
        yield home
        home("down")
    finally:
        state = read_state(home.config)
        if state is not None:
            send(state.supervisor, signal.SIGKILL)
        reap(str(home.root / ".staleproof"), seconds=0)

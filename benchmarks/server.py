"""On a Prefect server: what a run that finds no change costs, and many knowledge bases at once.

Server and worker are those of ``staleproof up``, on a free port, on SQLite or on PostgreSQL of
Debian's package. The documents were refreshed before, with a stand-in encoder; every run that is
measured finds nothing new, and what it takes is what looking takes.
"""

import argparse
import contextlib
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import psutil

from benchmarks.corpus import StandIn, refresh, write_documents
from benchmarks.measure import head, row
from flows.ops.environment import child_environment, client_environment, run_folder
from flows.ops.rest import Api
from flows.ops.starter import prefect_yaml
from flows.ops.state import read_state
from pipelines.config import Config, load_config
from tests.machine import STALEPROOF, free_port

DATABASES = ("sqlite", "postgresql")
URL = "STALEPROOF_SERVER__DATABASE_URL"
EVERY = "*/15 * * * *"
"""How often the prefect.yaml of a new project refreshes."""
OFTEN_SECONDS = 20
PAGE = 200


@dataclass(frozen=True, slots=True)
class Run:
    """One refresh as the server has it; seconds, and None where it has not come so far."""

    name: str
    state: str
    due: datetime
    delay: float | None
    """From its time until it ran."""
    took: float | None
    """From its time until it had ended."""
    engine: float | None = None
    """What its receipt says of the work itself."""


def new_project(root: Path, name: str, documents: int, *, port: int, schedule: str) -> Config:
    """A project with a publication, whose deployments are those of ``init`` but for one schedule."""
    root.mkdir(parents=True)
    write_documents(root / "docs", documents, seed=documents + sum(name.encode()))
    (root / "staleproof.toml").write_text(
        f'[knowledge]\nname = "{name}"\nstore = "store"\n[server]\nport = {port}\n'
        '[[sources]]\nname = "docs"\nkind = "files"\npath = "docs"\ndomain = "any"\n'
        'labels = ["public"]\n'
    )
    text = prefect_yaml(knowledge=name, config="staleproof.toml")
    (root / "prefect.yaml").write_text(text.replace(f'cron: "{EVERY}"', schedule, 1))
    config = load_config(root / "staleproof.toml")
    refresh(config, StandIn())
    return config


@contextlib.contextmanager
def database(kind: str) -> Iterator[dict[str, str]]:
    """The environment that names a database; an empty one is SQLite."""
    if kind == "sqlite":
        yield {}
        return
    from tests.postgres import postgres

    with postgres() as server:
        yield {URL: server.url()}


@contextlib.contextmanager
def up(config: Config, env: dict[str, str]) -> Iterator[None]:
    """Keeps the server and the worker of a project up meanwhile."""
    _staleproof(config, env, "up", "--detach")
    try:
        yield
    finally:
        _staleproof(config, env, "down")


def _staleproof(config: Config, env: dict[str, str], *argv: str) -> None:
    command = [*STALEPROOF, "--config", str(config.path), *argv]
    subprocess.run(command, env=os.environ | env, check=True, stdout=subprocess.DEVNULL)


def deploy(config: Config) -> None:
    """Brings the deployments and automations of one more project onto the server."""
    run_folder(config).mkdir(exist_ok=True)
    subprocess.run(
        [sys.executable, "-P", "-m", "flows.ops.prepare", "apply", str(config.path)],
        cwd=config.root,
        env=child_environment(config, client_environment(config)),
        check=True,
        stdout=subprocess.DEVNULL,
    )


def cpu_seconds(config: Config) -> dict[str, float]:
    """CPU time so far of the server, of the worker, and of the worker's runs that have ended."""
    state, told = read_state(config), {}
    assert state is not None  # noqa: S101 - it is up
    for one in state.processes:
        assert one.process is not None  # noqa: S101
        times = psutil.Process(one.process.pid).cpu_times()
        told[one.name] = times.user + times.system
        if one.name == "worker":
            told["runs"] = times.children_user + times.children_system
    return told


def refreshes(api: Api, since: datetime, until: datetime) -> list[Run]:
    """The scheduled refreshes that were due in a span of time, by that time."""
    flows = {"name": {"any_": ["refresh"]}}
    due = {"after_": since.isoformat(), "before_": until.isoformat()}
    body = {"flows": flows, "flow_runs": {"expected_start_time": due}, "limit": PAGE}
    found: list[Run] = []
    while page := api.ask("POST", "/flow_runs/filter", body | {"offset": len(found)}):
        found += [_run(one) for one in page]
    return sorted(found, key=lambda run: run.due)


def _run(told: dict[str, object]) -> Run:
    at = {
        key: datetime.fromisoformat(str(told[key])) if told[key] else None
        for key in ("expected_start_time", "start_time", "end_time")
    }
    due, began, ended = at.values()
    assert due is not None  # noqa: S101 - every run has one
    ran = began is not None and told["state_type"] in ("RUNNING", "COMPLETED", "FAILED")
    return Run(
        name=str(told["name"]),
        state=str(told["state_name"]),
        due=due,
        delay=(began - due).total_seconds() if ran and began else None,
        took=(ended - due).total_seconds() if ran and ended else None,
    )


def engine_seconds(api: Api, knowledge: str, since: datetime) -> list[float]:
    """What the receipts say of the work itself, in total."""
    only = {"key": {"any_": [f"refresh-{knowledge}"]}}
    body = {"artifacts": only, "limit": PAGE, "sort": "CREATED_DESC"}
    kept = api.ask("POST", "/artifacts/filter", body)
    new = [one["data"] for one in kept if datetime.fromisoformat(one["created"]) >= since]
    return [float(found[1]) for text in new if (found := re.search(r", total (\d+\.\d+)", text))]


def _p50(values: list[float]) -> float:
    return statistics.median(values) if values else float("nan")


def cost(kind: str, documents: int, runs: int) -> None:
    """One knowledge base, refreshed often; nothing changes."""
    with _folder() as folder, database(kind) as env:
        schedule = f"interval: {OFTEN_SECONDS}"
        config = new_project(folder / "one", "one", documents, port=free_port(), schedule=schedule)
        with up(config, env):
            api = Api.of(config)
            _sleep(2 * OFTEN_SECONDS)  # the first ones also make what is made once
            before, since = cpu_seconds(config), _now()
            _sleep(runs * OFTEN_SECONDS)
            after, until = cpu_seconds(config), _now()
            _sleep(OFTEN_SECONDS)
            engine = _p50(engine_seconds(api, "one", since))
            done = [one for one in refreshes(api, since, until) if one.took is not None]
    took = [one.took for one in done if one.took is not None]
    delay = [one.delay for one in done if one.delay is not None]
    used = {name: (after[name] - before[name]) / max(1, len(done)) for name in before}
    row(
        f"a run that finds no change, {documents} documents, {kind}",
        f"{_p50(took):.2f} s from its time to its end (max {max(took):.2f}, n={len(took)})",
        f"runs {_p50(delay):.2f} s after its time; the engine {engine:.2f} s of it; CPU seconds a"
        f" run: its process {used['runs']:.1f}, server {used['server']:.1f}, worker"
        f" {used['worker']:.1f}",
    )


def many(kind: str, documents: int, count: int, minutes: int) -> None:
    """So many knowledge bases on one server, each refreshed every five minutes, all at once."""
    with _folder() as folder, database(kind) as env:
        port = free_port()
        names = [f"kb-{number:02}" for number in range(count)]
        schedule = 'cron: "*/5 * * * *"'
        made = [
            new_project(folder / name, name, documents, port=port, schedule=schedule)
            for name in names
        ]
        with up(made[0], env):
            for config in made[1:]:
                deploy(config)
            api = Api.of(made[0])
            since = _whole_five_minutes(_now())
            until = since + timedelta(minutes=minutes)
            _sleep((since - _now()).total_seconds())
            psutil.cpu_percent()
            before = cpu_seconds(made[0])
            _sleep((until - _now()).total_seconds() - 1)
            busy, after = psutil.cpu_percent(), cpu_seconds(made[0])
            found = refreshes(api, since, until - timedelta(seconds=1))
            memory = _server_memory(made[0])
            log = (made[0].root / ".staleproof/logs/server.log").read_text(errors="replace")
    _tell_many(kind, minutes, found, busy)
    used = {name: after[name] - before[name] for name in before}
    locked = log.count("database is locked")
    print(f"  CPU seconds: {', '.join(f'{name} {spent:.0f}' for name, spent in used.items())};")
    print(f"  server {memory:.0f} MB at the end; 'database is locked' {locked} times in its log")


def _tell_many(kind: str, minutes: int, found: list[Run], busy: float) -> None:
    took = sorted(one.took for one in found if one.took is not None)
    delay = sorted(one.delay for one in found if one.delay is not None)
    on_time = sum(one < 300 for one in took)
    states = ", ".join(
        f"{count} {state}" for state, count in Counter(r.state for r in found).items()
    )
    row(
        f"{len({r.due for r in found})} rounds in {minutes} minutes, {kind}",
        f"{on_time} of {len(found)} done before the next was due ({states})",
        f"began p50 {_p50(delay):.0f} s and at most {max(delay, default=0):.0f} s after its time;"
        f" ended p50 {_p50(took):.0f} s, at most {max(took, default=0):.0f} s; both cores"
        f" {busy:.0f} % busy",
    )


def _server_memory(config: Config) -> float:
    state = read_state(config)
    assert state is not None  # noqa: S101
    process = next(one.process for one in state.processes if one.name == "server")
    assert process is not None  # noqa: S101
    return float(psutil.Process(process.pid).memory_info().rss) / 1e6


def _whole_five_minutes(moment: datetime) -> datetime:
    """The next one that is at least a minute away, less a second."""
    step = 300 - moment.timestamp() % 300
    return moment + timedelta(seconds=step if step > 60 else step + 300) - timedelta(seconds=1)


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def _now() -> datetime:
    return datetime.now().astimezone()


def _sleep(seconds: float) -> None:
    time.sleep(max(0.0, seconds))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("cost", "many"))
    parser.add_argument("--database", choices=DATABASES, nargs="+", default=list(DATABASES))
    parser.add_argument("--documents", type=int, default=50, help="of each knowledge base")
    parser.add_argument("--runs", type=int, default=9, help="cost: how many to measure")
    parser.add_argument("--count", type=int, default=20, help="many: knowledge bases")
    parser.add_argument("--minutes", type=int, default=15, help="many: how long")
    asked = parser.parse_args()
    head(f"{asked.what}, on a Prefect server")
    for kind in asked.database:
        if asked.what == "cost":
            cost(kind, asked.documents, asked.runs)
        else:
            many(kind, asked.documents, asked.count, asked.minutes)

"""From a webhook to a searchable passage: the warm lane, the worker's lane, and plain Prefect.

A document is edited and the receiver told of it; the clock runs until a reader that stays open
finds the new sentence. Plain Prefect is a deployment of a flow that calls the same refresh, whose
run is created through the API and started by the same kind of worker, without receiver and lane.

The model is the built-in one. Only what a store begins with has vectors of a stand-in, for to embed
a hundred thousand passages takes hours; they count as the model's, so that an edit is embedded alone.
"""

import argparse
import contextlib
import functools
import http.client
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import psutil

from benchmarks.corpus import SECTIONS, StandIn, edit, refresh, write_documents
from benchmarks.measure import head, row
from benchmarks.server import DATABASES, EVERY, database, up
from flows.ops.environment import child_environment, client_environment
from flows.ops.rest import Api
from flows.ops.starter import prefect_yaml
from flows.ops.state import read_state
from flows.warm.server import deployment_id
from flows.webhook.signing import sign
from pipelines.answers import Question, search_knowledge
from pipelines.config import Config, load_config
from pipelines.embedding import load_encoder
from pipelines.inbox import inbox_of
from pipelines.knowledge import Store, find_store, newest
from pipelines.quality.unchanged import TEXTS as FIXED
from pipelines.records import Encoder, Vectors
from tests.machine import free_port

LANES = ("warm", "worker", "plain")
NAMES = {"warm": "warm lane", "worker": "worker's lane", "plain": "plain Prefect"}
NAME, SECRET, VARIABLE = "docs", uuid4().hex, "WEBHOOK_SECRET_DOCS"
PLAIN = """
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from prefect import flow

from pipelines.config import load_config
from pipelines.refresh import refresh_knowledge


@flow
def plain(config: str) -> None:
    refresh_knowledge(load_config(Path(config)), now=datetime.now(UTC), run_id=uuid4().hex)


if __name__ == "__main__":
    folder = str(Path(__file__).parent)
    there = plain.from_source(source=folder, entrypoint="plain.py:plain")
    print(there.deploy(name="plain", work_pool_name="staleproof", build=False, print_next_steps=False))
"""
LONGEST_SECONDS = 600
POLL_SECONDS = 0.1
PAUSE_SECONDS = 1.0
"""Between the end of a run and the next edit: each is one of its own, not part of a burst."""


@dataclass(frozen=True, slots=True)
class Edit:
    """Seconds from the moment that the change was told of."""

    answered: float
    """Until who told of it had his answer."""
    began: float
    """Until the run ran that looked."""
    found: float
    """Until the reader found it."""


@dataclass
class Like(StandIn):
    """Vectors of a stand-in that count as those of a model."""

    real: Encoder | None = None

    def count(self, texts: Sequence[str]) -> list[int]:
        """Of the model, so that passages are cut as it has them."""
        assert self.real is not None  # noqa: S101
        return list(self.real.count(texts))

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Of the model for the fixed texts by which a store knows it again."""
        assert self.real is not None  # noqa: S101
        return self.real.encode(texts) if texts == FIXED else super().encode(texts)


@functools.cache
def model() -> Encoder:
    """The built-in one, loaded once for the reader."""
    encoder = load_encoder("all-MiniLM-L6-v2", root=Path())
    encoder.encode(["A first passage takes longer than any later one."])
    return encoder


@functools.cache
def opened(uri: str) -> Store:
    """The store, as a reader keeps it open."""
    store = find_store(uri)
    assert store is not None  # noqa: S101 - something was published
    return store


def configure(root: Path, lane: str, port: int) -> Config:
    """The project as a lane needs it."""
    receives = (
        f"[webhook]\nport = {free_port()}\nwarm = {str(lane == 'warm').lower()}\n"
        f'[[webhook.endpoints]]\nname = "{NAME}"\nkind = "hmac"\nsource = "docs"\n'
        f'secret_env = "{VARIABLE}"\n'
    )
    (root / "staleproof.toml").write_text(
        f'[knowledge]\nname = "{NAME}"\nstore = "store"\n[server]\nport = {port}\n'
        f"[queries]\nlog = false\n{receives if lane != 'plain' else ''}"
        '[[sources]]\nname = "docs"\nkind = "files"\npath = "docs"\ndomain = "any"\n'
        'labels = ["public"]\n'
    )
    return load_config(root / "staleproof.toml")


def new_project(root: Path, passages: int) -> None:
    """Documents with so many passages, published; nothing is refreshed by schedule."""
    write_documents(root / "docs", passages // SECTIONS)
    text = prefect_yaml(knowledge=NAME, config="staleproof.toml")
    (root / "prefect.yaml").write_text(text.replace(EVERY, "0 5 1 1 *", 1))
    (root / "plain.py").write_text(PLAIN)
    real = model()
    like = Like(real.model, real.fingerprint, real.dimension, real.max_tokens, real)
    refresh(configure(root, "plain", free_port()), like)


def post(config: Config) -> None:
    """Tells the receiver, as a sender does."""
    body, now = b'{"commits": []}', datetime.now(UTC)
    headers = sign("hmac", SECRET, body, id=uuid4().hex, now=now)
    webhook = config.webhook
    connection = http.client.HTTPConnection(webhook.host, webhook.port, timeout=30)
    with contextlib.closing(connection):
        connection.request("POST", f"/hooks/{NAME}", body, headers)
        if (status := connection.getresponse().status) != 202:
            raise SystemExit(f"the receiver answered {status}")


def deploy_plain(config: Config) -> Callable[[], None]:
    """Deploys it; what is returned creates a run."""
    env = child_environment(config, client_environment(config))
    command = [sys.executable, "-P", str(config.root / "plain.py")]
    subprocess.run(command, cwd=config.root, env=env, check=True, stdout=subprocess.DEVNULL)
    api = Api.of(config)
    id = api.ask("GET", "/deployments/name/plain/plain")["id"]
    body = {"parameters": {"config": str(config.path)}, "state": {"type": "SCHEDULED"}}

    def create() -> None:
        # A busy server on SQLite answers 503; whoever creates runs tries again.
        for _ in range(20):
            with contextlib.suppress(OSError):
                api.ask("POST", f"/deployments/{id}/create_flow_run", body, seconds=60)
                return
            time.sleep(0.5)
        raise SystemExit("the server makes no run")

    return create


@dataclass(frozen=True, slots=True)
class Bench:
    """A project that is kept up, and how one tells of a change."""

    config: Config
    lane: str
    tell: Callable[[], None]
    deployment: str

    def edit(self, number: int) -> Edit:
        """Edits another document each time, and waits until it is found."""
        word = f"zebra{number}{uuid4().hex[:6]}"
        files = sorted((self.config.root / "docs").rglob("*.md"))
        edit(files[number * 7 % len(files)], word)
        before, at, started = self.number(), datetime.now(UTC), time.perf_counter()
        self.tell()
        answered = time.perf_counter() - started
        while not (self.number() > before and self.finds(word)):
            if time.perf_counter() - started > LONGEST_SECONDS:
                raise SystemExit(f"edit {number} was not found within {LONGEST_SECONDS} s")
            time.sleep(POLL_SECONDS)
        found = time.perf_counter() - started
        began = (self.until_idle(at) - at).total_seconds()
        time.sleep(PAUSE_SECONDS)
        return Edit(answered, began, found)

    def number(self) -> int:
        """Of the newest publication."""
        last = newest(opened(self.config.store_uri))
        return last.number if last else 0

    def finds(self, word: str) -> bool:
        """Whether a reader finds the new sentence."""
        # Every edit before this one left a sentence that is as like the question as its own.
        question = Question(f"This says {word} now.", k=100)
        hits = search_knowledge(
            self.config,
            question,
            now=datetime.now(UTC),
            load_encoder=lambda name, *, root, batch_size=32: model(),
        )
        return any(word in hit.text for hit in hits.hits)

    def until_idle(self, since: datetime) -> datetime:
        """Waits until what was told has been looked at and no run goes on; when the first began."""
        api, inbox = Api.of(self.config), inbox_of(self.config.store_uri)
        only = {
            "deployment_id": {"any_": [self.deployment]},
            "start_time": {"after_": since.isoformat()},
        }
        body = {"flow_runs": only, "sort": "START_TIME_ASC", "limit": 20}
        while True:
            with contextlib.suppress(OSError):  # of a busy server
                found = api.ask("POST", "/flow_runs/filter", body)
                runs = [one for one in found if one["start_time"]]  # those to come are among them
                if runs and all(one["end_time"] for one in runs) and not inbox.waiting():
                    return datetime.fromisoformat(runs[0]["start_time"])
            time.sleep(0.1)


@contextlib.contextmanager
def bench(root: Path, lane: str, env: dict[str, str]) -> Iterator[Bench]:
    """All processes of a lane, ready."""
    config = configure(root, lane, free_port())
    with up(config, env | {VARIABLE: SECRET}):
        api = Api.of(config)
        if lane == "plain":
            tell = deploy_plain(config)
            deployment = str(api.ask("GET", "/deployments/name/plain/plain")["id"])
        else:
            tell, deployment = functools.partial(post, config), deployment_id(api, config)
        yield Bench(config, lane, tell, deployment)


def measure(bench: Bench, edits: int, what: str) -> None:
    """So many edits, one after the other; the first ones, which load something, do not count."""
    for number in range(2):
        bench.edit(number)
    done = [bench.edit(number) for number in range(2, edits + 2)]
    found, began, answered = (
        sorted(getattr(one, name) for one in done) for name in ("found", "began", "answered")
    )
    told = "its run was created" if bench.lane == "plain" else "answered 202"
    row(
        f"{NAMES[bench.lane]}, {what}",
        f"p50 {statistics.median(found):.2f} s, p95 {p95(found):.2f} s, at most {found[-1]:.2f} s"
        f" (n={len(found)})",
        f"{told} after p50 {statistics.median(answered) * 1000:.0f} ms; the run began after p50"
        f" {statistics.median(began):.2f} s",
        memory(bench),
    )


def p95(values: Sequence[float]) -> float:
    """The value that 95 of 100 do not pass; of sorted ones."""
    return values[min(len(values) - 1, int(0.95 * len(values)))]


def memory(bench: Bench) -> float | None:
    """What the warm lane holds at the end."""
    state = read_state(bench.config)
    held = (one.process for one in (state.processes if state else ()) if one.name == "warm lane")
    found = next(held, None)
    return psutil.Process(found.pid).memory_info().rss / 2**20 if found else None


def main(kinds: Sequence[str], sizes: Sequence[int], lanes: Sequence[str], edits: int) -> None:
    """Measures and prints."""
    head("From a webhook to a searchable passage")
    for passages in sizes:
        with tempfile.TemporaryDirectory() as folder:
            new_project(Path(folder), passages)
            for kind in kinds:
                with database(kind) as env:
                    for lane in lanes:
                        with bench(Path(folder), lane, env) as made:
                            measure(made, edits, f"{passages:,} passages, {kind}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", choices=DATABASES, nargs="+", default=["sqlite"])
    parser.add_argument("--passages", type=int, nargs="+", default=[1_000, 100_000])
    parser.add_argument("--lanes", choices=LANES, nargs="+", default=list(LANES))
    parser.add_argument("--edits", type=int, default=50)
    asked = parser.parse_args()
    main(asked.database, asked.passages, asked.lanes, asked.edits)

"""From a push to a searchable passage: receiver, inbox, warm lane and server as people run them.

What is shown is that a 202 is a promise: by pushes of the handbook's own commits, in a burst, and
with each of the processes killed. All on one ``up``, on PostgreSQL.
"""

import contextlib
import http.client
import json
import signal
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest

from flows.ops.processes import reap, send
from flows.ops.state import read_state
from flows.webhook.signing import sign
from pipelines.inbox import Inbox, inbox_of
from tests.home import NAME, Home, Json, kept_up, until
from tests.machine import free_port
from tests.postgres import PASSWORD, postgres

FIRST = "bb4059b06197f20cda619163603c0365a6ebb41a"
SECOND = "b9e66e68eb6d2767dbad6456e7b57e94d543aced"
THIRD = "e02e32da444d7ed705b47121a79a960edbc0e3cb"
FEW = "pages/travel-and-leave/*.md"
NEW = f"{NAME}/pages/travel-and-leave/fmla.md"
"""A document that came with the second commit."""

TEXTS = ("texts-0", "texts-1", "texts-2")
"""Sources of kind files, whose documents a test writes."""
MOST_WAITING = 150
BODY = json.dumps({"ref": "refs/heads/main", "commits": []}).encode()
URL = "STALEPROOF_SERVER__DATABASE_URL"
PROCESSES = ("server", "worker", "receiver", "warm lane")

pytestmark = [pytest.mark.slow, pytest.mark.corpus, pytest.mark.postgres]


@dataclass(frozen=True, slots=True)
class Answered:
    """What a sender is told."""

    status: int
    said: bytes
    retry_after: str | None


@dataclass
class Hooks:
    """A home whose sources have webhooks, and who posts to them."""

    home: Home
    secrets: dict[str, str] = field(default_factory=dict)
    ids: Iterator[int] = field(default_factory=lambda: count(1))

    @property
    def inbox(self) -> Inbox:
        return inbox_of(self.home.config.store_uri)

    def add(self, kind: str, name: str, *sources: str) -> None:
        """As a person does it; and sets the variable."""
        named = [word for source in sources for word in ("--source", source)]
        said = self.home("webhook", "add", kind, "--endpoint", name, *named)
        self.secrets[name] = said["secret"]
        self.home.env[said["secret_env"]] = said["secret"]

    def signed(self, name: str, **other: Any) -> dict[str, str]:
        """The headers of a new delivery, or of one that is wrong in some way."""
        [kind] = [one.kind for one in self.home.config.webhook.endpoints if one.name == name]
        secret = other.pop("secret", self.secrets[name])
        given = {"id": f"delivery-{next(self.ids)}", "now": datetime.now(UTC)} | other
        return sign(kind, secret, BODY, **given)

    def post(
        self, name: str, headers: Mapping[str, str] | None = None, body: bytes = BODY
    ) -> Answered:
        webhook = self.home.config.webhook
        connection = http.client.HTTPConnection(webhook.host, webhook.port, timeout=60)
        try:
            connection.request("POST", f"/hooks/{name}", body, dict(headers or self.signed(name)))
            answer = connection.getresponse()
            return Answered(answer.status, answer.read(), answer.getheader("Retry-After"))
        finally:
            connection.close()

    def push(self, name: str = "push") -> str:
        """A good delivery, taken; its id."""
        id = f"delivery-{next(self.ids)}"
        assert self.post(name, self.signed(name, id=id)).status == 202
        return id

    def until_listening(self) -> None:
        """Until the receiver, started again, takes connections."""
        webhook = self.home.config.webhook

        def refused() -> int:
            with socket.socket() as probe:
                return probe.connect_ex((webhook.host, webhook.port))

        until(refused, lambda error: not error, "a receiver that listens")

    def until_looked(self, name: str, id: str) -> None:
        """Until a run has looked at all that a delivery asks for."""
        sequence = self.inbox.sequence_of(name, id)
        assert sequence is not None
        [sources] = [one.sources for one in self.home.config.webhook.endpoints if one.name == name]

        def look() -> list[str]:
            settled = self.inbox.settled()
            return [s for s in sources if s not in settled or settled[s].sequence < sequence]

        until(look, lambda left: not left, f"a look at what {id} of {name} asks for")

    def runs(self) -> list[Json]:
        """All runs, once none goes on: one that does would take what is asked for next."""

        def ended(runs: list[Json]) -> bool:
            return all(run["end_time"] for run in runs)

        return until(self.home.runs, ended, "the end of each run")

    def write(self, source: str, name: str, text: str) -> None:
        """A document of a source of kind files; nobody sees half of it."""
        file = self.home.folder / source / name
        new = file.with_suffix(".new")
        new.write_text(text)
        new.replace(file)

    def texts(self) -> dict[str, str]:
        """By uri, all that is published of the sources of kind files."""
        found: dict[str, str] = {}
        for row in sorted(self.home.rows(), key=lambda row: (row["uri"], row["position"])):
            if not row["uri"].startswith(NAME):
                found[row["uri"]] = found.get(row["uri"], "") + row["text"]
        return found

    def assert_nothing_twice(self) -> None:
        rows = self.home.rows()
        assert len({(row["uri"], row["position"]) for row in rows}) == len(rows)


def prepare(home: Home) -> None:
    """No schedule comes in between; three sources more, and webhooks."""
    home.edit("prefect.yaml", r"interval: \d+", 'cron: "0 5 1 1 *"')
    config = home.root / "staleproof.toml"
    home.edit("staleproof.toml", r"^port = 4280", f"port = {free_port()}")
    home.edit("staleproof.toml", r"^max_waiting = \d+", f"max_waiting = {MOST_WAITING}")
    for name in TEXTS:
        (home.folder / name).mkdir()
        (home.folder / name / "about.md").write_text(f"# About\n\nThis is {name}.\n")
        with config.open("a") as more:
            more.write(
                f'\n[[sources]]\nname = "{name}"\nkind = "files"\npath = "../{name}"\n'
                'domain = "texts"\nlabels = ["public"]\n'
            )


@pytest.fixture(scope="module")
def hooks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hooks]:
    made: list[Hooks] = []

    def add_all(home: Home) -> None:
        prepare(home)
        hooks = Hooks(home)
        made.append(hooks)
        hooks.add("github", "push", NAME)
        hooks.add("hmac", "signed", *TEXTS)
        for name in TEXTS:
            hooks.add("standard", name, name)

    folder = tmp_path_factory.mktemp("webhooks")
    with postgres() as server:
        env = {URL: server.url()}
        with kept_up(folder, env, FIRST, [FEW], prepare=add_all) as home:
            [hooks] = made
            assert home("webhook", "test", "push", "--wait", "7m")["status"] == 202
            assert home("webhook", "test", "signed", "--wait", "7m")["status"] == 202
            yield hooks
            logs = {one.name: one.read_text() for one in (home.root / ".staleproof/logs").iterdir()}
    told = [name for name, text in logs.items() if "database is locked" in text]
    assert told == []
    secrets = [*hooks.secrets.values(), PASSWORD]
    assert [name for name, text in logs.items() if any(one in text for one in secrets)] == []


def test_processes_of_webhooks_are_shown_by_up(hooks: Hooks) -> None:
    said = hooks.home("up")
    assert [one["name"] for one in said["processes"]] == list(PROCESSES)


def test_push_of_a_commit_is_searchable_and_counts_once_however_often_it_comes(
    hooks: Hooks,
) -> None:
    home, before = hooks.home, len(hooks.runs())
    published = home.published().number
    home.move_branch(SECOND)
    headers = hooks.signed("push", id="of-the-second-commit")
    assert hooks.post("push", headers).status == 202
    hooks.until_looked("push", "of-the-second-commit")
    [run] = hooks.runs()[before:]
    assert (run["name"], run["state_type"]) == (f"refresh {NAME} +4 ~2", "COMPLETED")
    assert run["parameters"]["sources"] == [NAME]
    assert "audit" in home.tasks(run["id"], "clean up")
    assert f"refresh-{NAME}" in home.artifacts(run["id"])
    assert home.published().number == published + 1
    assert home.published().run == run["id"].replace("-", "")
    hits = home("search", "How long is leave under the Family and Medical Leave Act?")["hits"]
    assert NEW in [hit["uri"] for hit in hits]

    for _ in range(3):
        assert hooks.post("push", headers).status == 202
        assert hooks.inbox.waiting() == {}
    hooks.until_looked("push", hooks.push())
    assert len(hooks.runs()) == before + 2  # of the last one, which was new
    assert home.published().number == published + 1


def test_what_is_not_a_signed_delivery_starts_nothing_and_is_told_nothing(hooks: Hooks) -> None:
    before = len(hooks.runs())
    long_ago = datetime.now(UTC) - timedelta(minutes=10)
    forged = hooks.signed("push") | {"X-Hub-Signature-256": "sha256=" + 64 * "0"}
    refused = [
        hooks.post("push", forged),
        hooks.post("push", hooks.signed("push"), BODY + b" "),
        hooks.post("push", {"X-GitHub-Event": "push"}),
        hooks.post("push", hooks.signed("push", secret="")),
        hooks.post("signed", hooks.signed("signed", now=long_ago)),
        hooks.post("signed", hooks.signed("push")),
        hooks.post("texts-1", hooks.signed("texts-0")),
        hooks.post("nowhere", hooks.signed("push")),
    ]
    assert {(one.status, one.said) for one in refused} == {(401, refused[0].said)}
    assert len(refused[0].said) < 40
    large = 2 * 1024 * 1024 * b" "
    assert hooks.post("push", hooks.signed("push"), large).status == 413
    post_half(hooks)
    assert hooks.inbox.waiting() == {}
    hooks.until_looked("push", hooks.push())
    assert len(hooks.runs()) == before + 1
    assert hooks.inbox.waiting() == {}


def post_half(hooks: Hooks) -> None:
    """A delivery that breaks off: the signature is of what there is, its length is not."""
    webhook = hooks.home.config.webhook
    headers = {**hooks.signed("push", id="half"), "Host": "here", "Content-Length": "1000"}
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    with socket.create_connection((webhook.host, webhook.port), timeout=60) as connection:
        connection.sendall(f"POST /hooks/push HTTP/1.1\r\n{head}\r\n".encode() + BODY)
        connection.shutdown(socket.SHUT_WR)
        said = connection.recv(1000)
    assert not said or b" 400 " in said.splitlines()[0]
    assert hooks.inbox.sequence_of("push", "half") is None


POSTS, CLIENTS, DOCUMENTS = 500, 8, 50
MOST_RUNS = 12
OVERLAP = "Deployment concurrency limit reached."
"""What a run is told that came while another one had still to give back its place."""


def test_burst_makes_a_handful_of_runs_and_loses_no_version(hooks: Hooks) -> None:
    before = len(hooks.runs())
    last = {f"{TEXTS[n % 3]}/{n:02}.md": "" for n in range(DOCUMENTS)}
    writing = {uri: threading.Lock() for uri in last}
    statuses: list[int] = []

    def edit_and_post(number: int) -> None:
        uri = list(last)[number % DOCUMENTS]
        source, _, name = uri.partition("/")
        with writing[uri]:
            last[uri] = f"Document {name} is at version {number}."
            hooks.write(source, name, f"# Document {name}\n\n{last[uri]}\n")
        headers = hooks.signed(source)
        while (answer := hooks.post(source, headers)).status != 202:
            statuses.append(answer.status)
            assert answer.retry_after
            time.sleep(1)
        statuses.append(202)

    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(edit_and_post, range(POSTS)))
    assert statuses.count(202) == POSTS
    assert set(statuses) <= {202, 429}
    until(hooks.inbox.waiting, lambda left: not left, "a look at everything")
    found = {uri: text for uri, text in hooks.texts().items() if uri in last}
    assert {uri: last[uri] in text for uri, text in found.items()} == dict.fromkeys(last, True)
    hooks.assert_nothing_twice()
    runs = hooks.runs()[before:]
    assert 0 < len(runs) <= MOST_RUNS
    assert {r["state"]["message"] for r in runs if r["state_type"] != "COMPLETED"} <= {OVERLAP}


def test_receiver_that_is_killed_after_its_answer_has_kept_the_delivery(hooks: Hooks) -> None:
    home, published = hooks.home, hooks.home.published().number
    home.move_branch(THIRD)
    id = hooks.push()
    home.kill("receiver")
    hooks.until_looked("push", id)
    assert home.published().number == published + 1
    home.until_back("receiver", restarts=1)
    hooks.until_listening()
    headers = hooks.signed("push", id=id)
    assert hooks.post("push", headers).status == 202  # delivered again: it is known
    assert hooks.inbox.waiting() == {}


def long_texts(hooks: Hooks, word: str) -> dict[str, str]:
    """Writes so much that embedding it takes a while; what each document says."""
    last = {}
    for number in range(40):
        name = f"long-{number:02}.md"
        said = f"Of {word} number {number} it is said that it goes on."
        more = " ".join(f"{word} {number} {line}, and what follows from it." for line in range(60))
        hooks.write(TEXTS[0], name, f"# {word} {number}\n\n{said}\n\n{more}\n")
        last[f"{TEXTS[0]}/{name}"] = said
    return last


def embedding(hooks: Hooks, word: str) -> tuple[dict[str, str], str, Json]:
    """What was written, the delivery that told of it, and the run that embeds it at this moment."""
    hooks.runs()  # none of before is taken for it
    last = long_texts(hooks, word)
    id = hooks.push(TEXTS[0])
    return last, id, hooks.home.embedding()


def until_published(hooks: Hooks, last: dict[str, str]) -> None:
    def look() -> list[str]:
        found = hooks.texts()
        return [uri for uri, said in last.items() if said not in found.get(uri, "")]

    until(look, lambda left: not left, "the publication of what was written")
    hooks.assert_nothing_twice()


def test_run_of_a_warm_lane_that_is_killed_is_done_by_another(hooks: Hooks) -> None:
    home = hooks.home
    last, id, killed = embedding(hooks, "oranges")
    published = home.published().number
    home.kill("warm lane")
    hooks.until_looked(TEXTS[0], id)
    until_published(hooks, last)
    assert home.published().number == published + 1
    assert home.published().run != killed["id"].replace("-", "")
    home.until_back("warm lane", restarts=1)
    assert home.run(killed["id"])["state_type"] == "CRASHED"


def test_run_goes_on_while_the_server_is_killed(hooks: Hooks) -> None:
    home = hooks.home
    last, id, run = embedding(hooks, "lemons")
    published = home.published().number
    home.kill("server")
    assert hooks.post(TEXTS[1]).status == 202  # the receiver needs no server
    hooks.until_looked(TEXTS[0], id)
    until_published(hooks, last)
    assert home.published().number == published + 1
    home.until_back("server", restarts=1)
    ended = until(lambda: home.run(run["id"]), lambda run: run["end_time"], "the end of the run")
    assert ended["state_type"] == "COMPLETED"
    until(hooks.inbox.waiting, lambda left: not left, "a look at what came meanwhile")


def test_everything_killed_at_once_is_made_good_by_the_next_up(hooks: Hooks) -> None:
    home = hooks.home
    last, _, killed = embedding(hooks, "apples")
    published = home.published().number
    id = hooks.push("signed")  # came while it ran
    state = read_state(home.config)
    assert state is not None
    send(state.supervisor, signal.SIGKILL)
    reap(str(home.root / ".staleproof"), seconds=0)
    with contextlib.suppress(OSError):
        hooks.post(TEXTS[0])
        raise AssertionError("somebody answers")
    home("up", "--detach")
    hooks.until_looked("signed", id)
    until_published(hooks, last)
    assert home.published().number == published + 1
    assert home.run(killed["id"])["state_type"] == "CRASHED"
    assert hooks.runs()
    assert hooks.inbox.waiting() == {}

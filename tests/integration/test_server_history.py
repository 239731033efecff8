"""A project's life on its own server: scheduled refreshes, kills, and what the history says then.

The same on SQLite and on PostgreSQL, by the server's API alone. The source is git: commits of the
handbook, a few documents of each.
"""

import contextlib
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from tests.home import NAME, Home, Json, git, kept_up, until
from tests.postgres import PASSWORD, postgres

FIRST = "bb4059b06197f20cda619163603c0365a6ebb41a"
SECOND = "b9e66e68eb6d2767dbad6456e7b57e94d543aced"
THIRD = "e02e32da444d7ed705b47121a79a960edbc0e3cb"
FEW = "pages/travel-and-leave/*.md"
"""Without the longest one 4 documents at first, then 8."""
MORE = "pages/18f/how-18f-works/*.md"
"""So much that embedding it takes a while."""

URL = "STALEPROOF_SERVER__DATABASE_URL"
OVERLAP = "Deployment concurrency limit reached."

pytestmark = [pytest.mark.slow, pytest.mark.corpus]


SQLITE = "sqlite"
POSTGRESQL = pytest.param("postgresql", marks=pytest.mark.postgres)


@pytest.fixture(scope="module", params=[SQLITE, POSTGRESQL])
def home(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Home]:
    with contextlib.ExitStack() as stack:
        env = {}
        if request.param == "postgresql":
            env = {URL: stack.enter_context(postgres()).url()}
        folder = tmp_path_factory.mktemp(request.param)
        made = stack.enter_context(kept_up(folder, env, FIRST, [FEW]))
        yield made
        assert (made.root / ".staleproof/prefect/prefect.db").exists() is not bool(env)


BEGINS = ["Scheduled", "Pending", "Submitting", "Running"]


def names(states: list[Json]) -> list[str]:
    """Without how late it was: that tells of the machine."""
    return [state["name"] for state in states if state["name"] != "Late"]


@pytest.fixture(scope="module")
def refreshed(home: Home) -> list[Json]:
    """The three scheduled runs that found something, the branch moved after each."""
    runs = [home.next_change("the first refresh")]
    for commit in (SECOND, THIRD):
        home.move_branch(commit)
        runs.append(home.next_change(f"a refresh at {commit}"))
    return runs


def test_scheduled_runs_follow_the_branch_and_say_what_they_did(
    home: Home, refreshed: list[Json]
) -> None:
    said = ["+4", "+4 ~2", "~5"]
    assert [run["name"] for run in refreshed] == [f"refresh {NAME} {one}" for one in said]
    for number, (run, did) in enumerate(zip(refreshed, said, strict=True), start=1):
        assert names(home.states(run["id"])) == [*BEGINS, "Completed"]
        assert run["state"]["message"] == f"{did}. Readers see #{number}."
        assert run["created_by"]["type"] == "SCHEDULE"
        assert run["parameters"] == {"config": "staleproof.toml"}
        assert set(run["tags"]) == {"auto-scheduled", "staleproof", f"kb:{NAME}"}
        assert run["deployment_version"] == git(home.root, "rev-parse", "--short=12", "HEAD")
    last = home.published()
    assert (last.number, last.run, last.actor) == (
        3,
        refreshed[2]["id"].replace("-", ""),
        "prefect",
    )


def test_time_line_of_a_run_reads(home: Home, refreshed: list[Json]) -> None:
    steps = ["scan:handbook", "plan", "versions", "check:batch 1", "embed:batch 1"]
    steps += ["write:batch 1", "audit", "publish", "clean up"]
    for run in refreshed:
        found = home.tasks(run["id"], "clean up")
        assert [name for name in found if name in steps] == steps


def test_pages_of_a_run_are_kept(home: Home, refreshed: list[Json]) -> None:
    second = home.artifacts(refreshed[1]["id"])
    assert {f"{kind}-{NAME}" for kind in ("refresh", "knowledge", "audit")} <= set(second)
    receipt = second[f"refresh-{NAME}"]
    assert f"{NAME} +4 ~2, published as #2" in receipt
    assert "handbook/pages/travel-and-leave/fmla.md" in receipt
    assert SECOND[:12] in receipt
    assert "#2" in second[f"knowledge-{NAME}"]


def test_events_of_each_run_are_there_once(home: Home, refreshed: list[Json]) -> None:
    for number, run in enumerate(refreshed, start=1):
        events = home.events(run["id"], enough=2)
        seen = [(event["event"], event["resource"]["prefect.resource.id"]) for event in events]
        assert seen == [
            ("staleproof.refresh.completed", f"staleproof.source.{NAME}.{NAME}"),
            ("staleproof.knowledge.published", f"staleproof.knowledge.{NAME}"),
        ]
        assert events[1]["payload"]["number"] == number


def test_run_between_changes_says_that_nothing_changed(home: Home, refreshed: list[Json]) -> None:
    known = {run["id"] for run in refreshed}

    def look() -> list[Json]:
        done = [run for run in home.runs() if run["state_type"] == "COMPLETED"]
        return [run for run in done if run["id"] not in known]

    quiet = until(look, bool, "a run that finds nothing")[-1]
    assert quiet["name"] == f"refresh {NAME} nothing changed"
    assert home.tasks(quiet["id"], "plan") == ["scan:handbook", "plan"]
    [event] = home.events(quiet["id"], enough=1)
    assert event["event"] == "staleproof.refresh.completed"
    assert home.numbers() == [3, 2, 1]


def test_every_due_time_is_one_run_and_overlaps_are_told(home: Home, refreshed: list[Json]) -> None:
    runs = home.runs()
    due = [run["expected_start_time"] for run in runs if run["created_by"]["type"] == "SCHEDULE"]
    assert len(due) == len(set(due)) >= len(refreshed)
    for run in runs:
        kind, message = run["state_type"], run["state"]["message"]
        assert kind in ("COMPLETED", "RUNNING") or (kind, message) == ("CANCELLED", OVERLAP)


def test_logs_say_what_happened_and_nothing_of_a_document(
    home: Home, refreshed: list[Json]
) -> None:
    sentences = {line for row in home.rows() for line in row["text"].splitlines() if len(line) > 60}
    assert len(sentences) > 40
    for run, did in zip(refreshed, ("+4", "+4 ~2", "~5"), strict=True):
        logs = home.logs(run["id"])
        assert f"Refresh of {NAME}: {did}" in logs
        told: list[Any] = [logs, home.artifacts(run["id"]), home.states(run["id"])]
        shown = str([*told, home.events(run["id"], enough=2)])
        assert not [sentence for sentence in sentences if sentence in shown]
        assert PASSWORD not in shown


def test_project_in_git_is_as_it_was(home: Home, refreshed: list[Json]) -> None:
    del refreshed
    assert git(home.root, "status", "--porcelain") == ""


def assert_done_once(home: Home) -> None:
    """Each document that there shall be, each of its passages once, and one publication a change."""
    rows = home.rows()
    assert len({(row["uri"], row["position"]) for row in rows}) == len(rows)
    folders = Counter(uri.rpartition("/")[0] for uri in {row["uri"] for row in rows})
    pages = f"{NAME}/pages"
    assert folders == {f"{pages}/travel-and-leave": 8, f"{pages}/18f/how-18f-works": 12}
    assert home.numbers() == [4, 3, 2, 1]


@pytest.mark.parametrize("home", [POSTGRESQL], indirect=True)
def test_run_that_was_killed_with_its_worker_is_crashed_and_run_again(
    home: Home, refreshed: list[Json]
) -> None:
    assert len(refreshed) == home.published().number
    home.include(FEW, MORE)
    killed = home.embedding()
    home.kill("worker")
    assert home.published().number == 3
    after = home.next_change("a refresh after the kill")
    assert (after["name"], after["state_type"]) == (f"refresh {NAME} +12", "COMPLETED")
    assert home.process("worker").restarts == 1
    states = home.states(killed["id"])
    assert names(states) == [*BEGINS, "Crashed"]
    assert states[-1]["message"].startswith("No heartbeat for")
    assert "What readers see is as it was" in states[-1]["message"]

    def look() -> list[Json]:
        ended = [run for run in home.runs() if run["state_type"] != "RUNNING"]
        return [run for run in ended if run["created_by"]["type"] == "AUTOMATION"]

    [again] = until(look, bool, "the run that an automation starts")
    assert again["created_by"]["display_value"] == f"staleproof/{NAME}/run-again"
    assert again["parameters"]["reason"] == "again after a crash"
    # It, or the scheduled one that came first, did the work; of two at once one is cancelled.
    assert after["id"] == again["id"] or again["state"]["message"] == OVERLAP
    assert_done_once(home)


@pytest.mark.parametrize("home", [SQLITE], indirect=True)
def test_run_goes_on_while_the_server_is_killed_and_comes_back(
    home: Home, refreshed: list[Json]
) -> None:
    assert len(refreshed) == home.published().number
    home.include(FEW, MORE)
    run = home.embedding()
    home.kill("server")
    home.until_back("server", restarts=1)
    until(home.api.is_healthy, bool, "the return of the server")
    after = home.next_change("the end of the run that went on")
    assert (after["id"], after["name"]) == (run["id"], f"refresh {NAME} +12")
    states = home.states(run["id"])
    assert names(states) == [*BEGINS, "Completed"]
    assert states[-1]["message"] == "+12. Readers see #4."
    assert "embed:batch 1" in home.tasks(run["id"], "clean up")
    assert "Refresh of handbook: +12" in home.logs(run["id"])
    assert f"refresh-{NAME}" in home.artifacts(run["id"])
    assert_done_once(home)

    def look() -> list[Json]:
        return [r for r in home.runs() if r["start_time"] > after["end_time"]]

    later = until(look, lambda runs: runs and runs[-1]["end_time"], "a later run")
    assert later[-1]["state_type"] in ("COMPLETED", "CANCELLED")

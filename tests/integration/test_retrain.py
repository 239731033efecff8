"""A retraining makes a version that says all about itself, or leaves nothing behind."""

import dataclasses
import json
import threading
import time
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from pipelines.decide import withhold
from pipelines.errors import (
    NotVersioned,
    RegistryBusy,
    RunCancelled,
    StageFailed,
    TrainingError,
    UnknownName,
)
from pipelines.knowledge import (
    Publication,
    VerdictRow,
    insert_until_won,
    newest,
    record_verdict,
)
from pipelines.records import Happened, Progress, call
from pipelines.registry import checkout_path, read_text, registry_lock, versions
from pipelines.retrain import Asked, may_retrain, plan_retrain
from tests.planted import text
from tests.project import source
from tests.trained import LOSES, MODEL, MODELS, Trained, has_ended, make_trained

pytestmark = pytest.mark.slow  # whole retrainings: `make test` has a minute for all of them


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    made = make_trained(tmp_path_factory.mktemp("template"))
    for number in range(4):
        made.project.write(f"{number}.md", text(f"animal-{number}"))
    made.project.refresh()
    return made


@pytest.fixture
def trained(template: Trained, tmp_path: Path) -> Trained:
    """Four documents are published, and there is no version."""
    return template.copied(tmp_path)


@pytest.fixture(scope="module")
def with_version(template: Trained, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    made = template.copied(tmp_path_factory.mktemp("once"))
    made.repo.write("params.yaml", "models: {}")
    made.repo.write("pipelines/mine.py", "unfinished = ")
    made.before = made.repo.print_of_tree()
    made.report = made.retrain(asked=Asked(by_itself=True))
    return made


@pytest.fixture
def once(with_version: Trained, tmp_path: Path) -> Trained:
    """The same, and a first version that may be promoted."""
    return with_version.copied(tmp_path)


def test_better_model_is_a_version_that_may_be_promoted(with_version: Trained) -> None:
    trained, report = with_version, with_version.report
    assert report is not None
    assert (report.version, report.former, report.exit_code) == ("v0.0.1", None, 0)
    assert report.next == f"staleproof promote {MODEL} v0.0.1"
    said = report.to_dict()
    assert said["verdict"] == "promote"
    assert said["metrics"]["held_out"]["models"]["challenger"]["reciprocal_rank"] == 1.0
    stored = json.loads(
        read_text(trained.repo.root, trained.newest, f"data/training/{MODEL}/verdict.json")
    )
    assert (stored["promote"], stored["reasons"]) == (True, [])
    assert trained.repo.print_of_tree() == trained.before


def test_refused_model_is_a_version_too_and_a_person_is_told(once: Trained) -> None:
    once.learning_rate(LOSES)
    report = once.retrain()
    assert (report.version, report.exit_code) == ("v0.0.2", 3)
    assert report.to_dict()["verdict"] == "refused"
    assert report.next == f"staleproof models show {MODEL} v0.0.2"
    told = [event for event in once.events if isinstance(event, Happened)]
    assert [(event.event, event.resource) for event in told] == [("model.refused", "model.words")]
    assert told[0].payload["reasons"] == report.to_dict()["reasons"]
    stored = json.loads(
        read_text(once.repo.root, once.newest, f"data/training/{MODEL}/verdict.json")
    )
    assert stored["promote"] is False
    assert "min_gain" in stored["reasons"][0]


def test_nothing_changed_makes_no_version(once: Trained) -> None:
    again = once.retrain("run-2")
    assert (again.version, again.reason, again.exit_code) == (
        None,
        "nothing changed since v0.0.1",
        0,
    )
    assert [v.version for v in versions(once.repo.root, MODEL)] == ["v0.0.1"]


def promote(trained: Trained, version: str) -> None:
    """As the ledger says it after a promotion."""
    said = json.loads(
        read_text(trained.repo.root, trained.newest, f"data/training/{MODEL}/verdict.json")
    )
    insert_until_won(
        trained.project.store,
        lambda last: dataclasses.replace(
            last, models={MODEL: version}, fingerprint=said["weights"], kind="promoted"
        ),
    )


def test_version_that_serves_is_compared_with_and_not_trained_again(once: Trained) -> None:
    promote(once, "v0.0.1")
    assert once.retrain("run-2").reason == "nothing changed since v0.0.1"
    once.project.write("0.md", text("another-animal"))
    once.project.encoder.fingerprint = _last(once).fingerprint
    once.project.refresh()
    report = once.retrain("run-3")
    assert report.version == "v0.0.2"
    assert report.verdict is not None
    assert report.verdict["judgement"]["champion"] == "champion"
    snapshot = f"data/training/{MODEL}/snapshot/snapshot.json"
    facts = json.loads(
        checkout_path(
            once.repo.root, once.newest, snapshot, once.repo.root.parent / "facts.json"
        ).read_text()
    )
    assert facts["champion"]["version"] == "v0.0.1"


def _last(trained: Trained) -> Publication:
    last = newest(trained.project.store)
    assert last is not None
    return last


def test_progress_of_the_stages_is_heard(with_version: Trained) -> None:
    heard = [event for event in with_version.events if isinstance(event, Progress)]
    assert Progress("train", 1, 2, "loss 0.500, 3 s left") in heard
    phases = list(dict.fromkeys(event.phase for event in heard))
    assert phases == ["snapshot", "dataset", "train", "evaluate"]


def test_document_keeps_its_id_when_it_moves(once: Trained) -> None:
    first = _ids(once)
    once.project.rename("0.md", "there/zero.md")
    once.project.refresh()
    once.retrain("run-2")
    second = _ids(once)
    assert second["docs/there/zero.md"] == first["docs/0.md"]
    assert {uri: second[uri] for uri in first if uri in second} == {
        uri: first[uri] for uri in first if uri != "docs/0.md"
    }


def _ids(trained: Trained) -> dict[str, str]:
    into = trained.repo.root.parent / f"{trained.newest.version}.parquet"
    path = f"data/training/{MODEL}/snapshot/documents.parquet"
    rows = pq.read_table(checkout_path(trained.repo.root, trained.newest, path, into)).to_pylist()
    return {row["uri"]: row["document"] for row in rows}


def test_uncommitted_files_are_not_used_and_named(with_version: Trained) -> None:
    trained, report = with_version, with_version.report
    assert report is not None
    assert report.not_used == ("params.yaml", "pipelines/mine.py")
    assert (trained.repo.root / "params.yaml").read_text() == "models: {}"
    card = read_text(trained.repo.root, trained.newest, f"data/training/{MODEL}/card.md")
    assert "not committed: params.yaml, pipelines/mine.py" in card


def test_failing_stage_is_named_and_leaves_nothing(
    trained: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = trained.repo.print_of_tree()
    monkeypatch.setenv("FAILS_IN", "train")
    with pytest.raises(StageFailed, match="train@words"):
        trained.retrain()
    assert_nothing_left(trained)
    assert trained.repo.print_of_tree() == before


def assert_nothing_left(trained: Trained) -> None:
    assert versions(trained.repo.root, MODEL) == []
    assert len(trained.repo.git("worktree", "list").splitlines()) == 1
    last = trained.project.store.table(_last(trained).generation)
    assert not any(name.startswith("read-") for name in last.tags.list())


def test_cancelled_run_ends_the_training_and_leaves_nothing(
    trained: Trained, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    sleeping, cancel = tmp_path / "sleeping", threading.Event()
    monkeypatch.setenv("SLEEPS_IN", "train")
    monkeypatch.setenv("SLEEPING", str(sleeping))
    ended: list[BaseException] = []

    def run() -> None:
        try:
            trained.retrain(cancelled=cancel.is_set)
        except RunCancelled as error:
            ended.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    deadline = time.monotonic() + 300
    while not (sleeping.exists() and sleeping.read_text()) and time.monotonic() < deadline:
        time.sleep(0.05)
    pid = int(sleeping.read_text())
    cancel.set()
    thread.join(timeout=300)
    assert len(ended) == 1
    assert has_ended(pid)
    assert_nothing_left(trained)


def test_second_run_is_told_who_is_at_work(trained: Trained) -> None:
    with (
        registry_lock(trained.repo.root, "somebody"),
        pytest.raises(RegistryBusy, match="somebody"),
    ):
        trained.retrain()


def test_unknown_model_and_missing_stages_are_the_users_mistake(trained: Trained) -> None:
    with pytest.raises(UnknownName, match="nobody"):
        plan_retrain(trained.project.config, "nobody", now=trained.project.now, run_id="r")
    trained.repo.write("params.yaml", "models: {}")
    trained.repo.commit()
    with pytest.raises(NotVersioned, match=r"params\.yaml"):
        trained.retrain()


def test_plan_says_what_it_takes_and_changes_nothing(trained: Trained) -> None:
    project = trained.project
    more = f"{MODELS}[prices]\ntrain_hour = 3.0\n"
    project.configure(source(more="[[sources.rules]]\nmatch = '3.md'\ntrain = false\n"), more=more)
    before = trained.repo.print_of_tree()
    planned = plan_retrain(project.config, MODEL, now=project.now, run_id="look").to_dict()
    assert planned["documents"] == 3
    assert planned["left_out"] == {"configuration says train = false": 1}
    assert planned["not_used"] == []
    assert planned["estimate"]["measured_on"] == "a common machine"
    assert planned["estimate"]["cost"] == pytest.approx(
        planned["estimate"]["seconds"] / 3600 * 3.0, rel=0.01
    )
    assert trained.repo.print_of_tree() == before


def test_plan_knows_what_a_former_run_took(once: Trained) -> None:
    project = once.project
    again = plan_retrain(project.config, MODEL, now=project.now, run_id="look").to_dict()
    assert again["estimate"]["measured_on"] == "v0.0.1"
    assert again["estimate"]["memory_bytes"] == 10**9


def test_schedule_starts_a_run_only_for_a_stale_version_that_serves(once: Trained) -> None:
    project = once.project

    def may() -> tuple[bool, str]:
        found = may_retrain(project.config, MODEL, now=project.now)
        return found.may, found.why

    assert may() == (False, "no version of words is in use: a person starts the first one")
    promote(once, "v0.0.1")
    assert may() == (False, "v0.0.1 was not looked at yet")
    project.later(days=1)
    stale = VerdictRow(id="1", model=MODEL, version="v0.0.1", at=project.now, verdict="stale")
    record_verdict(project.store, stale)
    assert not may()[0]
    project.later(days=8)
    assert may() == (True, "v0.0.1 is stale")
    project.configure(source(), more=f"{MODELS}max_runs_a_month = 1\n")
    assert may() == (False, "max_runs_a_month = 1 is reached")


def test_what_is_withdrawn_while_it_trains_is_in_no_version(trained: Trained) -> None:
    def withdraws(name: str, function: Any, *args: Any, retryable: bool = False) -> Any:
        done = call(name, function, *args, retryable=retryable)
        if name == "evaluate":
            signed = trained.project.signed()
            withhold(trained.project.config, "docs/1.md", reason="a secret", signed=signed)
        return done

    with pytest.raises(TrainingError, match=r"withdrawn from it: docs/1\.md\."):
        trained.retrain(step=withdraws)
    assert versions(trained.repo.root, MODEL) == []
    report = trained.retrain()
    assert report.version == "v0.0.1"
    assert report.left_out["taken down"] == 1


def test_what_is_withdrawn_where_it_has_moved_to_while_it_trains_is_in_no_version(
    trained: Trained,
) -> None:
    def moves(name: str, function: Any, *args: Any, retryable: bool = False) -> Any:
        done = call(name, function, *args, retryable=retryable)
        if name == "evaluate":
            trained.project.rename("1.md", "elsewhere.md")
            trained.project.refresh()
            signed = trained.project.signed()
            withhold(trained.project.config, "docs/elsewhere.md", reason="secret", signed=signed)
        return done

    with pytest.raises(TrainingError, match=r"withdrawn from it: docs/1\.md\."):
        trained.retrain(step=moves)
    assert versions(trained.repo.root, MODEL) == []

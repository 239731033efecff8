"""Killed at any write, a fill is finished by the next one, and readers see it whole or not at all."""

import itertools
import json
import shutil
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pipelines.knowledge import clean_up, newest, readable_states, unfinished
from tests.faults.child import start
from tests.faults.fill_runner import BATCH_TEXTS, VERSION, fill, killed_fill, shrink
from tests.faults.runner import Writes
from tests.faults.test_kills import in_pairs
from tests.retrained import MODEL, Retrained, retrained, tuned


@pytest.fixture(scope="module", autouse=True)
def small_batches() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        shrink(patch.setattr)
        yield


@dataclass
class Case:
    """A copy of a project that is published by its base."""

    root: Path
    now: datetime
    runs: Any = field(default_factory=lambda: itertools.count(100))

    @property
    def project(self) -> Retrained:
        return Retrained(self.root, now=self.now)

    @property
    def log(self) -> Path:
        return self.root / "encoded.jsonl"

    def encoded(self) -> list[str]:
        """The texts that all fills of this case encoded."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        return [json.loads(line) for line in lines]

    def killed(self, at: str) -> list[str]:
        """A child that is to die at a write; what is wrong then."""
        config, run = str(self.root / "staleproof.toml"), f"r{next(self.runs)}"
        with start(killed_fill, config, run, self.now.isoformat(), str(self.log), at) as child:
            child.go()
            said = child.wait()
        return [] if said is None else [f"{at}: it was to die and said {said}"]

    def fill(self, write: Writes | None = None) -> bool:
        config, run = self.root / "staleproof.toml", f"r{next(self.runs)}"
        return fill(config, run=run, now=self.now, log=self.log, write=write or Writes()).switched

    def view(self) -> tuple[str, list[str]]:
        project = self.project
        return project.last.model, sorted(map(repr, project.rows()))

    def left_behind(self) -> list[str]:
        """What a clean-up after a day does not take away and nobody needs."""
        store, last = self.project.store, newest(self.project.store)
        assert last is not None
        later = datetime.now(UTC) + timedelta(days=3)
        clean_up(
            store, now=later, keep_publications=1, keep_days=0, longest_read=timedelta(minutes=10)
        )
        left = [f"unfinished {name}" for name in unfinished(store)]
        tables = {name for name in store.names() if name.startswith("chunks_")}
        left += [f"table {name}" for name in sorted(tables - {last.generation})]
        kept = readable_states(store, [last.generation])
        left += [] if kept == {last.state} else [f"tags on {kept}, want {last.state}"]
        left += [str(path) for path in Path(store.uri).rglob("*.holder.json")]
        return left


@dataclass(frozen=True, slots=True)
class Calm:
    """An undisturbed fill."""

    root: Path
    now: datetime
    old: tuple[str, list[str]]
    new: tuple[str, list[str]]
    writes: list[str]
    encoded: list[str]

    def case(self, name: str) -> Case:
        shutil.copytree(self.root / "base", self.root / name)
        return Case(self.root / name, self.now)


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> Calm:
    root = tmp_path_factory.mktemp("fills")
    project = retrained(root / "base", documents=14)
    shutil.copytree(root / "base", root / "calm")
    case, write = Case(root / "calm", project.now), Writes()
    old = case.view()
    assert case.fill(write)
    encoded = case.encoded()
    assert len(encoded) == len(set(encoded))
    made = Calm(root, project.now, old, case.view(), write.names, encoded)
    assert case.left_behind() == []
    return made


def kill_and_rerun(calm: Calm, points: list[str]) -> list[str]:
    """One store: killed at each of the points in turn, then filled to the end."""
    at = " ".join(points)
    case = calm.case(f"killed {at}")
    wrong = []
    for point in points:
        wrong += case.killed(point)
        if case.view() not in (calm.old, calm.new):
            wrong.append(f"{point}: readers see neither the old nor the new publication")
    case.fill()
    wrong += [] if case.view() == calm.new else ["the rerun ended elsewhere"]
    encoded = case.encoded()
    more = len(encoded) - len(calm.encoded)
    if set(encoded) != set(calm.encoded) or more > len(points) * BATCH_TEXTS:
        wrong.append(f"{more} texts more than one undisturbed fill were encoded")
    kinds = case.project.kinds
    wrong += [] if kinds == ["refresh", "promotion"] else [f"the ledger has {kinds}"]
    wrong += case.left_behind() + case.project.problems()
    wrong += [] if case.view() == calm.new else ["clean-up took away what readers see"]
    shutil.rmtree(case.root)
    return [f"{at}: {what}" for what in wrong]


def test_undisturbed_fill_is_worth_killing(calm: Calm) -> None:
    assert calm.new[0] == tuned(VERSION).model
    assert calm.writes.count("chunks.add") >= 4
    assert calm.writes.count("chunks.restore") >= 3
    assert {"create_table", "compact_files", "append", "tags.create", "tags.delete"} <= set(
        calm.writes
    )
    assert MODEL in calm.new[0]


@pytest.mark.parametrize(
    "points",
    [
        pytest.param(["chunks.add#2:after:SIGKILL"], id="after a batch", marks=pytest.mark.slow),
        pytest.param(
            ["compact_files#1:after:SIGKILL", "append#1:before:SIGKILL"],
            id="twice, after a compaction and before the switch",
        ),
        pytest.param(["append#1:after:SIGKILL"], id="after the switch", marks=pytest.mark.slow),
    ],
)
def test_killed_fill_is_finished_by_the_next(calm: Calm, points: list[str]) -> None:
    assert kill_and_rerun(calm, points) == []


@pytest.mark.slow
def test_killed_at_every_write_a_fill_converges(calm: Calm) -> None:
    switched = calm.writes.index("append") + 1
    cases: list[list[str]] = []
    for number in range(1, len(calm.writes) + 1):
        points = [f"{number}:before:SIGKILL"]
        if len(cases) % 2 and number < switched:
            points.append(f"{number * 5 % 8 + 1}:after:SIGKILL")
        cases.append(points)
    assert in_pairs(lambda points: kill_and_rerun(calm, points), cases) == []

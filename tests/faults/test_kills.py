"""Killed at any write, a refresh is finished by the next one, and readers never notice."""

import itertools
import random
import shutil
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from pipelines.knowledge import newest, open_store
from tests.faults.runner import BATCH_TEXTS, Writes
from tests.faults.world import NOTHING, Case, View, World

SEED = 20260105


@dataclass(frozen=True, slots=True)
class Calm:
    """An undisturbed run: what was seen before and after, what it wrote and encoded."""

    documents: str
    old: View
    new: View
    writes: list[str]
    encoded: list[str]
    quarantined: set[tuple[str, str]]
    seconds: float


def undisturbed(case: Case, documents: str, old: View) -> Calm:
    write, started = Writes(), time.monotonic()
    assert case.refresh(documents, at=write).published
    seconds = time.monotonic() - started
    encoded, left = case.encoded(), case.left_behind()
    assert left == []
    assert len(encoded) == len(set(encoded))
    return Calm(documents, old, case.view(), write.names, encoded, case.in_quarantine(), seconds)


@pytest.fixture(scope="module")
def calm(world: World, small_batches: None) -> Calm:
    case = world.case("calm")
    return undisturbed(case, "after", case.view())


@pytest.fixture(scope="module")
def calm_first(world: World, small_batches: None) -> Calm:
    return undisturbed(world.case("calm-first", base=False), "before", NOTHING)


def killed(case: Case, calm: Calm, at: str) -> list[str]:
    """Runs a child that is to die at a write; what is wrong then."""
    said = case.run_child(calm.documents, at)
    wrong = [] if said is None else [f"{at}: it was to die and said {said}"]
    return wrong + unseen(case, calm, at)


def unseen(case: Case, calm: Calm, at: str) -> list[str]:
    seen = case.view()
    whole = seen.equals(calm.new) or seen.is_rest_of(calm.old)
    return [] if whole else [f"{at}: readers see neither the old nor the new publication"]


def converges(case: Case, calm: Calm, kills: int, at: str) -> list[str]:
    """Runs again, undisturbed; what differs from a run that never was disturbed."""
    case.refresh(calm.documents)
    wrong = [] if case.view().equals(calm.new) else ["the rerun ended elsewhere"]
    encoded = case.encoded()
    more = len(encoded) - len(calm.encoded)
    if set(encoded) != set(calm.encoded) or more > kills * BATCH_TEXTS:
        wrong.append(f"{more} texts more than one undisturbed run were encoded")
    if case.in_quarantine() != calm.quarantined:
        wrong.append(f"in quarantine: {case.in_quarantine()}")
    again = case.refresh(calm.documents)
    if again.reason != "nothing changed":
        wrong.append(f"one more run: {again.reason}")
    wrong += case.left_behind() + case.problems(calm.documents, sources=True)
    if not case.view().equals(calm.new):
        wrong.append("clean-up took something away that readers see")
    return [f"{at}: {what}" for what in wrong]


def kill_and_rerun(world: World, calm: Calm, points: Iterable[str]) -> list[str]:
    """One store: killed at each of the points in turn, then run to the end."""
    at = list(points)
    case = world.case(f"killed {calm.documents} {' '.join(at)}", base=calm.old is not NOTHING)
    wrong = [problem for point in at for problem in killed(case, calm, point)]
    wrong += converges(case, calm, len(at), " ".join(at))
    shutil.rmtree(case.root)
    return wrong


def in_pairs(function: Callable[[Any], list[str]], cases: list[Any]) -> list[str]:
    """Two at a time, for most of it is the start of a child."""
    with ThreadPoolExecutor(2) as pool:
        return [problem for wrong in pool.map(function, cases) for problem in wrong]


def every_write(calm: Calm) -> list[list[str]]:
    """Before and after each write; every second one is killed once more in the rerun."""
    total = len(calm.writes)
    published = total - calm.writes[::-1].index("append")
    cases: list[list[str]] = []
    for number, when in itertools.product(range(1, total + 1), ("before", "after")):
        points = [f"{number}:{when}:SIGKILL"]
        if len(cases) % 2:
            # What is left to write after the publication is little, before it a good dozen.
            again = number * 5 % 12 + 1 if number < published else 1
            points.append(f"{again}:after:SIGKILL")
        cases.append(points)
    return cases


def test_undisturbed_run_is_worth_killing(calm: Calm) -> None:
    assert calm.writes.count("chunks.add") == 4  # three batches and what is rewritten
    assert calm.writes.count("chunks.delete") == 4
    assert {"compact_files", "tags.create", "append", "vectors.add"} <= set(calm.writes)
    assert len(calm.encoded) > BATCH_TEXTS
    assert calm.quarantined
    assert not calm.new.equals(calm.old)


@pytest.mark.parametrize(
    "points",
    [
        pytest.param(["append#2:after:SIGKILL"], id="after what was narrowed is withheld"),
        pytest.param(["tags.create#1:before:SIGKILL"], id="between compaction and tag"),
        pytest.param(
            ["vectors.add#2:after:SIGKILL", "chunks.delete#2:after:SIGKILL"],
            id="twice, between delete and add",
        ),
        pytest.param(["append#3:after:SIGKILL"], id="after the publication"),
    ],
)
def test_killed_refresh_is_finished_by_the_next(
    world: World, calm: Calm, points: list[str]
) -> None:
    assert kill_and_rerun(world, calm, points) == []


@pytest.mark.parametrize("at", ["create_table#2:before:SIGKILL"])
def test_killed_first_refresh_is_finished_by_the_next(
    world: World, calm_first: Calm, at: str
) -> None:
    assert kill_and_rerun(world, calm_first, [at]) == []


@pytest.mark.parametrize("name", ["publications", "holds", "store"])
def test_store_killed_inside_a_creation_is_made_by_the_next(tmp_path: Path, name: str) -> None:
    # What LanceDB writes first; without a manifest the table is listed and cannot be opened.
    begun = tmp_path / f"{name}.lance" / "_transactions"
    begun.mkdir(parents=True)
    (begun / "0-begun.txn").write_bytes(b"")
    store = open_store(str(tmp_path), now=datetime.now(UTC))
    assert newest(store) is None


@pytest.mark.slow
def test_killed_at_every_write_it_converges(world: World, calm: Calm) -> None:
    cases = every_write(calm)
    assert in_pairs(lambda points: kill_and_rerun(world, calm, points), cases) == []


@pytest.mark.slow
def test_first_refresh_killed_at_every_write_converges(world: World, calm_first: Calm) -> None:
    cases = every_write(calm_first)
    assert in_pairs(lambda points: kill_and_rerun(world, calm_first, points), cases) == []


@pytest.mark.slow
def test_killed_at_random_instants_it_converges(world: World, calm: Calm) -> None:
    chance = random.Random(SEED)  # noqa: S311

    def at_an_instant(seconds: float) -> list[str]:
        case, at = world.case(f"instant {seconds}"), f"after {seconds:.3f} s"
        with case.start(calm.documents) as child:
            child.go()
            time.sleep(seconds)
        return unseen(case, calm, at) + converges(case, calm, 1, at)

    instants = [chance.uniform(0, 1.5 * calm.seconds) for _ in range(10)]
    assert in_pairs(at_an_instant, instants) == []

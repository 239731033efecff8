"""What a store costs does not grow with how often it was refreshed."""

import dataclasses
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from pipelines.knowledge import (
    Publication,
    Scan,
    Store,
    append,
    clean_up,
    newest,
    open_store,
    publications,
    record_scans,
    scans_of,
    spill,
    spilled,
)
from pipelines.knowledge.side import FRAGMENTS

START = datetime(2026, 1, 1, tzinfo=UTC)
ROW = Publication(
    number=1,
    kind="refresh",
    at=START,
    generation="chunks_x",
    version=1,
    fingerprint="f",
    model="m",
    run="r",
    actor="a",
    reason="",
)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(str(tmp_path / "store"), now=START)


def publish(store: Store, *numbers: int) -> None:
    for number in numbers:
        row = dataclasses.replace(ROW, number=number, at=START + timedelta(days=number))
        assert append(store, row)


def fragments(store: Store, name: str) -> int:
    return len(store.table(name).to_lance().get_fragments())


def scan(day: int, source: str = "docs") -> Scan:
    return Scan(
        source=source,
        run=f"{source}-{day}",
        started_at=START + timedelta(days=day),
        seconds=1.0,
        complete=True,
        error=None,
        listed=1,
        source_version=None,
    )


def test_newest_publication_is_the_highest_number_wherever_its_row_stands(store: Store) -> None:
    assert newest(store) is None
    publish(store, 1, 2, 3)
    found = newest(store)
    assert found is not None
    assert found.number == 3
    ledger = store.table("publications")
    third = ledger.search().where("number = 3").to_arrow()
    ledger.delete("number = 2 OR number = 3")
    ledger.add(third)
    second = third.set_column(0, third.schema.field(0), pa.array([2]))
    ledger.add(second)
    found = newest(store)
    assert found is not None
    assert found.number == 3


def test_publications_after_a_number_or_since_a_time(store: Store) -> None:
    publish(store, *range(1, 6))
    assert [p.number for p in publications(store)] == [5, 4, 3, 2, 1]
    assert [p.number for p in publications(store, after=3)] == [5, 4]
    assert [p.number for p in publications(store, since=START + timedelta(days=4))] == [5, 4]


def test_scans_are_compacted_by_runs_that_publish_nothing(store: Store) -> None:
    days = FRAGMENTS + 20
    for day in range(days):
        record_scans(store, [scan(day)])
    assert fragments(store, "scans") <= FRAGMENTS
    assert [s.run for s in scans_of(store, "docs")] == [f"docs-{d}" for d in reversed(range(days))]


def test_old_scans_go_but_the_first_of_each_source_stays(store: Store) -> None:
    record_scans(store, [scan(day, name) for day in range(20) for name in ("docs", "wiki")])
    publish(store, 1)
    clean_up(
        store,
        now=START + timedelta(days=20),
        keep_publications=1,
        keep_days=3,
        longest_read=timedelta(hours=1),
    )
    for name in ("docs", "wiki"):
        kept = [s.run for s in scans_of(store, name)]
        assert kept == [f"{name}-{day}" for day in (*range(19, 9, -1), 0)]


def test_spill_of_a_large_run_is_compacted_on_the_way_and_loses_nothing(store: Store) -> None:
    count = FRAGMENTS + 20
    for number in range(count):
        vector = np.full(4, number, dtype=np.float32)
        spill(store, "f", {f"hash-{number}": vector}, now=START)
    assert fragments(store, "vectors") <= FRAGMENTS
    found = spilled(store, "f", [f"hash-{number}" for number in range(count)])
    assert {name: vector[0] for name, vector in found.items()} == {
        f"hash-{number}": number for number in range(count)
    }

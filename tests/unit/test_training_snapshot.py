import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from pipelines.errors import TrainingError
from pipelines.training import (
    Champion,
    GeneralPair,
    ManifestLine,
    OwnPair,
    Parts,
    Question,
    read_snapshot,
    write_snapshot,
)
from pipelines.training.records import write_lines
from tests.snapshots import AT, Page, facts, tables, written

PAGES = [
    Page(f"page-{n}", f"Title {n}", {"First": f"Body one of {n}.", "Second": f"Body two of {n}."})
    for n in range(4)
]


def contents(folder: Path) -> dict[str, bytes]:
    return {
        file.relative_to(folder).as_posix(): file.read_bytes()
        for file in folder.rglob("*")
        if file.is_file()
    }


def manifest_line() -> ManifestLine:
    return ManifestLine(
        example="e", document="page-0", uri="handbook/page-0.md", text_hash="t", content_hash="c",
        source_version="v", domain="support", labels=("public",), publication=3, kind="heading",
        sketch=(1, 2),
    )  # fmt: skip


def test_what_was_written_is_read(tmp_path: Path) -> None:
    champion = tmp_path / "weights"
    champion.mkdir()
    (champion / "model.safetensors").write_bytes(b"weights")
    manifest = tmp_path / "manifest.jsonl"
    write_lines(manifest, [manifest_line()])
    question = Question("q", "golden", "Where?\u2028", ("page-1", "page-2"), "here")
    own = OwnPair("How?", "So.", "page-3")
    general = GeneralPair("Why?", "Because.")
    about = facts(champion=Champion("v0.0.2", "c" * 64), left_out={"train is false": 2})
    documents, passages = tables(PAGES)
    write_snapshot(
        tmp_path / "snapshot",
        about,
        Parts(
            documents=documents,
            passages=passages,
            questions=[question],
            own_pairs=[own],
            general=[general],
            champion_folder=champion,
            champion_manifest=manifest,
        ),
    )
    read = read_snapshot(tmp_path / "snapshot")
    assert read.facts == about
    assert read.documents.to_pylist() == documents.to_pylist()
    assert read.passages.to_pylist() == passages.to_pylist()
    assert (read.questions, read.own_pairs, read.general) == ([question], [own], [general])
    assert read.champion_folder is not None
    assert (read.champion_folder / "model.safetensors").read_bytes() == b"weights"
    assert list(read.champion_manifest()) == [manifest_line()]
    assert read.base_folder is None
    assert read.counts["passages"] == 8


def test_rows_in_another_order_give_the_same_bytes(tmp_path: Path) -> None:
    written(tmp_path / "a", PAGES)
    written(tmp_path / "b", PAGES[::-1])
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


def test_another_run_of_the_same_rows_has_the_same_content(tmp_path: Path) -> None:
    first = written(tmp_path / "a", PAGES)
    later = facts(run="run-2", publication=8, created_at=AT + timedelta(days=1))
    second = written(tmp_path / "b", PAGES, about=later)
    assert first.content == second.content
    assert first.content != written(tmp_path / "c", PAGES[:3]).content


def test_edit_changes_one_part_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.training.write.ROWS_A_PART", 2)
    written(tmp_path / "a", PAGES)
    edited = [replace(PAGES[0], sections={"First": "Another body."}), *PAGES[1:]]
    written(tmp_path / "b", edited)
    before, after = contents(tmp_path / "a"), contents(tmp_path / "b")
    assert sum(name.startswith("passages/") for name in before) == 4
    changed = [n for n in before if n.startswith("passages/") and before[n] != after[n]]
    assert len(changed) == 1


def test_snapshot_cut_short_is_refused(tmp_path: Path) -> None:
    written(tmp_path / "snapshot", PAGES)
    part = tmp_path / "snapshot" / "passages" / "000.parquet"
    part.write_bytes(part.read_bytes()[:-1])
    with pytest.raises(TrainingError, match="cut short"):
        read_snapshot(tmp_path / "snapshot")


def test_missing_snapshot_and_another_format_are_said(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="no snapshot"):
        read_snapshot(tmp_path)
    (tmp_path / "snapshot.json").write_text(json.dumps({"format": 99}))
    with pytest.raises(TrainingError, match="format 99"):
        read_snapshot(tmp_path)


def test_document_that_may_not_be_learned_from_cannot_be_named(tmp_path: Path) -> None:
    documents, passages = tables(PAGES)
    only = Parts(documents=documents.slice(1), passages=passages)
    with pytest.raises(ValueError, match="1 documents"):
        write_snapshot(tmp_path / "snapshot", facts(), only)
    assert not list(tmp_path.iterdir())

"""A candidate whose documents are not whole is not published, whatever a suite says."""

from pathlib import Path

import pytest

from pipelines.errors import AuditFailed
from pipelines.quality.structure import check_structure
from tests.rows import Shelf

DOCUMENTS = {f"docs/{n}.md": ["one", "two", "three"] for n in range(4)}


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    made = Shelf.empty(tmp_path)
    made.write(DOCUMENTS)
    return made


def test_whole_documents_are_counted(shelf: Shelf) -> None:
    assert check_structure(shelf.store, shelf.state) == (4, 12)


def test_nothing_is_whole(tmp_path: Path) -> None:
    shelf = Shelf.empty(tmp_path)
    assert check_structure(shelf.store, shelf.state) == (0, 0)


@pytest.mark.parametrize("position", [0, 1, 2])
def test_passage_that_is_missing_is_found_unless_it_is_the_last(
    shelf: Shelf, position: int
) -> None:
    shelf.by_hand("delete", f"uri = 'docs/2.md' AND position = {position}")
    if position == 2:
        assert check_structure(shelf.store, shelf.state) == (4, 11)
    else:
        with pytest.raises(AuditFailed, match=r"passages of docs/2\.md \(and 0 others\)"):
            check_structure(shelf.store, shelf.state)


def test_passage_that_stands_there_twice_is_found(shelf: Shelf) -> None:
    rows = shelf.rows({"docs/1.md": DOCUMENTS["docs/1.md"]})
    shelf.by_hand("add", rows.slice(1, 1))
    with pytest.raises(AuditFailed, match=r"docs/1\.md"):
        check_structure(shelf.store, shelf.state)


def test_passage_that_stands_in_the_place_of_another_is_found(shelf: Shelf) -> None:
    """As many passages as the last position says, and one of them missing."""
    shelf.by_hand("delete", "uri = 'docs/1.md' AND position = 1")
    shelf.by_hand("add", shelf.rows({"docs/1.md": DOCUMENTS["docs/1.md"]}).slice(0, 1))
    with pytest.raises(AuditFailed, match=r"docs/1\.md"):
        check_structure(shelf.store, shelf.state)


def test_two_versions_of_a_document_are_found(shelf: Shelf) -> None:
    shelf.by_hand(
        "update", where="uri = 'docs/3.md' AND position = 2", values={"content_hash": "0" * 64}
    )
    with pytest.raises(AuditFailed, match=r"docs/3\.md stands there in two versions"):
        check_structure(shelf.store, shelf.state)

"""The columns that the sources of a publication are judged by, from real versions."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from pipelines.knowledge import State
from pipelines.planning import Change, Kind, Policy, Published
from pipelines.quality.canaries import Recall
from pipelines.quality.columns import PUBLICATION
from pipelines.quality.measure import measure, unexplained_shift
from pipelines.quality.publication import (
    Audited,
    moves_of,
    planned_documents,
    publication_columns,
    touched,
)
from tests.rows import Shelf

POLICY = Policy("general", ("public",), True)
DOCS = {f"docs/{n:02}.md": [f"part {p} of {n}" for p in range(4)] for n in range(40)}


def published(uri: str) -> Published:
    return Published(uri, uri.partition("/")[0], "0" * 64, "1", POLICY, None, "", 0.0)


def change(kind: Kind, uri: str, before: str | None = None, moved_to: str | None = None) -> Change:
    gone = kind is Kind.DELETED or (moved_to is not None and moved_to != uri)
    return Change(
        kind=kind,
        uri=uri,
        source=uri.partition("/")[0],
        reason="",
        policy=None if gone else POLICY,
        previous=None if kind is Kind.ADDED else published(before or uri),
        moved_to=moved_to,
    )


def added(*uris: str) -> list[Change]:
    return [change(Kind.ADDED, uri) for uri in uris]


def deleted(*uris: str) -> list[Change]:
    return [change(Kind.DELETED, uri) for uri in uris]


def moved(before: str, uri: str) -> Change:
    return change(Kind.MOVED, uri, before, moved_to=uri)


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    made = Shelf.empty(tmp_path)
    made.write(DOCS)
    return made


def rows(
    shelf: Shelf,
    before: State | None,
    changes: Sequence[Change] = (),
    accepted: Iterable[str] = (),
    **more: Any,
) -> dict[str, dict[str, Any]]:
    """By source, the columns of the newest version against another."""
    apart = frozenset(accepted)
    old = None if before is None else measure(shelf.store, before, apart=apart)
    new = measure(shelf.store, shelf.state, apart=apart)
    shifts = {} if old is None else unexplained_shift(shelf.store, old, new)
    audited = Audited(
        candidate=new, published=old, changes=changes, accepted=apart, shifts=shifts, **more
    )
    found = publication_columns(audited)
    assert list(found) == list(PUBLICATION)
    return {
        source: {name: values[row] for name, values in found.items()}
        for row, source in enumerate(found["source"])
    }


def test_first_publication_is_compared_with_nothing(shelf: Shelf) -> None:
    found = rows(shelf, None, added(*DOCS), sources=frozenset({"docs", "wiki"}))
    assert list(found) == ["docs", "wiki"]
    assert found["docs"] == dict.fromkeys(PUBLICATION) | {
        "source": "docs",
        "documents_before": 0,
        "documents": 40,
        "chunks_before": 0,
        "chunks": 160,
        "documents_without_chunks": 0,
        "documents_unplanned": 0,
        "canaries": 0,
    }
    assert found["wiki"]["documents"] == 0


def test_changes_that_were_written_leave_nothing_unexplained(shelf: Shelf) -> None:
    before = shelf.state
    changes = [
        *added("wiki/new.md", "docs/new.md"),
        *deleted("docs/00.md"),
        moved("docs/01.md", "docs/one.md"),
        moved("docs/02.md", "wiki/two.md"),
        change(Kind.MOVED, "docs/03.md", moved_to="docs/04.md"),
        change(Kind.CHANGED, "docs/05.md"),
        change(Kind.RELABELLED, "docs/06.md"),
    ]
    here = ["wiki/new.md", "docs/new.md", "docs/one.md", "wiki/two.md", "docs/05.md", "docs/06.md"]
    gone = [f"docs/{n:02}.md" for n in range(4)]
    shelf.write(dict.fromkeys(here, DOCS["docs/05.md"]), remove=gone)
    assert touched(changes) == {*here, *gone}
    assert moves_of(changes) == {
        "docs/01.md": "docs/one.md",
        "docs/02.md": "wiki/two.md",
        "docs/03.md": "docs/04.md",
    }
    found = rows(shelf, before, changes)
    for source, documents in (("docs", 38), ("wiki", 2)):
        assert found[source]["documents"] == documents
        assert found[source]["documents_without_chunks"] == 0
        assert found[source]["documents_unplanned"] == 0
    assert found["docs"]["chunks_ratio"] == 1.0
    assert found["docs"]["unexplained_shift"] == 0.0
    assert found["docs"]["centroid_shift"] < 0.05
    assert found["wiki"]["centroid_shift"] is None


def test_document_that_is_missing_or_too_many_is_counted(shelf: Shelf) -> None:
    before = shelf.state
    shelf.by_hand("delete", "uri IN ('docs/07.md', 'docs/08.md')")
    shelf.by_hand("add", shelf.rows({"wiki/stray.md": ["nobody planned this"]}))
    found = rows(shelf, before, added("docs/planned.md"))
    assert found["docs"]["documents_without_chunks"] == 3
    assert found["docs"]["documents_unplanned"] == 0
    assert found["wiki"]["documents_unplanned"] == 1


def test_planned_are_the_published_without_what_goes_and_with_what_comes() -> None:
    before = {"docs/a.md": ("docs", 1), "docs/b.md": ("docs", 1)}
    swapped = [moved("docs/a.md", "docs/b.md"), moved("docs/b.md", "docs/a.md")]
    assert planned_documents(before, swapped) == {"docs/a.md": "docs", "docs/b.md": "docs"}
    assert planned_documents(before, deleted("docs/a.md")) == {"docs/b.md": "docs"}


@pytest.mark.parametrize(("count", "share"), [(10, None), (11, 11 / 40)])
def test_documents_lost_are_a_share_where_they_are_not_few(
    shelf: Shelf, count: int, share: float | None
) -> None:
    before = shelf.state
    gone = list(DOCS)[:count]
    shelf.write({}, remove=gone)
    assert rows(shelf, before, deleted(*gone))["docs"]["documents_lost_share"] == share


def test_what_a_person_accepted_is_expected(shelf: Shelf) -> None:
    before = shelf.state
    gone = list(DOCS)[:20]
    shelf.write({uri: ["elsewhere now"] for uri in list(DOCS)[20:25]}, remove=gone)
    changes = deleted(*gone) + [change(Kind.CHANGED, uri) for uri in list(DOCS)[20:25]]
    alone = rows(shelf, before, changes)["docs"]
    assert alone["documents_lost_share"] == 0.5
    assert alone["chunks_ratio"] == pytest.approx((15 * 4 + 5) / 80)
    assert alone["centroid_shift"] > 1e-4
    accepted = rows(shelf, before, changes, accepted=touched(changes))["docs"]
    assert accepted["documents_lost_share"] is None
    assert accepted["chunks_ratio"] == 1.0
    assert accepted["centroid_shift"] == pytest.approx(0, abs=1e-9)
    assert accepted["documents"] == alone["documents"] == 20
    part = rows(shelf, before, changes, accepted=gone[:5])["docs"]
    assert part["documents_lost_share"] == 15 / 35


@pytest.mark.parametrize("accepted", ["docs/00.md", "docs/moved.md"])
def test_move_is_accepted_by_either_of_its_uris(shelf: Shelf, accepted: str) -> None:
    before = shelf.state
    shelf.write({"docs/moved.md": DOCS["docs/00.md"][:1]}, remove=["docs/00.md"])
    changes = [moved("docs/00.md", "docs/moved.md")]
    assert rows(shelf, before, changes)["docs"]["chunks_ratio"] == 157 / 160
    assert rows(shelf, before, changes, accepted={accepted})["docs"]["chunks_ratio"] == 1.0


def test_reorganisation_loses_nothing(shelf: Shelf) -> None:
    before = shelf.state
    new = {uri.replace("docs/", "docs/moved/"): texts for uri, texts in DOCS.items()}
    shelf.write(new, remove=DOCS)
    changes = [moved(uri, uri.replace("docs/", "docs/moved/")) for uri in DOCS]
    found = rows(shelf, before, changes)["docs"]
    assert found["documents_lost_share"] is None
    assert found["chunks_ratio"] == 1.0
    assert found["centroid_shift"] == pytest.approx(0, abs=1e-9)
    unplanned = rows(shelf, before)["docs"]
    assert unplanned["documents_lost_share"] == 1.0
    assert unplanned["documents_unplanned"] == 40


def test_documents_cut_in_half_show_in_the_ratio_of_passages(shelf: Shelf) -> None:
    before = shelf.state
    shelf.write({uri: texts[:2] for uri, texts in DOCS.items()})
    changes = [change(Kind.CHANGED, uri) for uri in DOCS]
    assert rows(shelf, before, changes)["docs"]["chunks_ratio"] == 0.5
    few = [*deleted(*list(DOCS)[12:])]
    shelf.write({}, remove=list(DOCS)[12:])
    assert rows(shelf, before, few)["docs"]["chunks_ratio"] is None, "12 documents of 4 passages"


def test_source_that_talks_of_something_else_moves_its_centroid(shelf: Shelf) -> None:
    before = shelf.state
    shelf.write({uri: ["warez pills casino"] * 4 for uri in DOCS})
    changes = [change(Kind.CHANGED, uri) for uri in DOCS]
    found = rows(shelf, before, changes)["docs"]
    assert found["centroid_shift"] > 0.3
    assert found["unexplained_shift"] is None, "no text stayed"
    other = rows(shelf, before, changes, same_embedder=False)["docs"]
    assert other["centroid_shift"] is None


def test_small_source_has_no_centroid_to_move(tmp_path: Path) -> None:
    shelf = Shelf.empty(tmp_path)
    before = shelf.write({"docs/a.md": [f"word {n}" for n in range(29)]})
    shelf.write({"docs/a.md": ["casino"] * 40})
    assert rows(shelf, before)["docs"]["centroid_shift"] is None


@pytest.mark.parametrize(
    ("rejected", "looked", "share"),
    [(9, 9, None), (10, 40, 0.25), (10, 0, 1.0), (0, 0, None)],
)
def test_share_in_quarantine_is_of_what_was_looked_into(
    shelf: Shelf, rejected: int, looked: int, share: float | None
) -> None:
    counts: Mapping[str, Any] = {"rejected": {"docs": rejected}, "looked": {"docs": looked}}
    assert rows(shelf, shelf.state, **counts)["docs"]["quarantined_share"] == share


@pytest.mark.parametrize(("rejected", "share"), [(11, None), (12, 0.75)])
def test_few_in_quarantine_beside_a_large_source_hold_nobody_up(
    tmp_path: Path, rejected: int, share: float | None
) -> None:
    shelf = Shelf.empty(tmp_path)
    before = shelf.write({f"docs/{n}.md": [f"word {n}"] for n in range(60)})
    counts: Mapping[str, Any] = {"rejected": {"docs": rejected}, "looked": {"docs": 16}}
    assert rows(shelf, before, **counts)["docs"]["quarantined_share"] == share


@pytest.mark.parametrize(("count", "many"), [(29, False), (30, True)])
def test_few_canaries_have_a_column_of_their_own(shelf: Shelf, count: int, many: bool) -> None:
    recall = Recall(canaries=count, before=count, after=count - 3)
    found = rows(shelf, shelf.state, recalls={"docs": recall})["docs"]
    assert found["canaries"] == count
    assert found["canary_recall_before"] == 1.0
    assert found["canary_recall"] == (count - 3) / count
    told = {"canary_recall_drop": 3 / count, "canary_recall_drop_few": None}
    other = {"canary_recall_drop": None, "canary_recall_drop_few": 3 / count}
    assert found == found | (told if many else other)


def test_rolled_back_state_is_measured_like_any_other(shelf: Shelf) -> None:
    old = shelf.state
    shelf.write({}, remove=list(DOCS)[:30])
    found = rows(shelf, old)["docs"]
    assert (found["documents_before"], found["documents"]) == (40, 10)
    assert (found["chunks_before"], found["chunks"]) == (160, 40)

"""Two versions of the chunks side by side, and one pass over each."""

import itertools
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from pipelines.knowledge import Filter, search_state
from pipelines.knowledge.compare import changed_rows
from pipelines.quality.chunks import READ, chunk_columns, passages_of
from pipelines.quality.measure import measure, unexplained_shift
from tests.fakes import HashEncoder
from tests.rows import Shelf

MANY = {f"docs/{n:02}.md": [f"part {p} of {n}" for p in range(n % 4 + 1)] for n in range(40)}


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    made = Shelf.empty(tmp_path)
    made.write(MANY)
    return made


def chunks(rows: pa.Table) -> list[str]:
    pairs = zip(rows["uri"].to_pylist(), rows["position"].to_pylist(), strict=True)
    return [f"{uri}#{position}" for uri, position in pairs]


def test_changed_rows_are_those_that_the_published_version_lacks(shelf: Shelf) -> None:
    published = shelf.state
    changed = {"docs/03.md": [*MANY["docs/03.md"][:3], "other words"], "docs/99.md": ["new"]}
    shelf.write(changed, remove=["docs/04.md", "docs/05.md"])
    before = shelf.all_rows(published)
    [found] = changed_rows(shelf.store, published, shelf.state)
    lacking = [row for row in shelf.all_rows() if row not in before]
    assert found.to_pylist() == lacking
    assert chunks(found) == [
        "docs/03.md#0",
        "docs/03.md#1",
        "docs/03.md#2",
        "docs/03.md#3",
        "docs/99.md#0",
    ]
    assert found.schema == shelf.store.at(*shelf.state).schema


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("labels", ["public", "hr"]),
        ("labels", ["hr"]),
        ("domain", "hr"),
        ("train", False),
        ("front_matter", '{"domain": "hr"}'),
        ("findings", ["secrets"]),
        ("text_hash", "0" * 32),
        ("tokens", 99),
    ],
)
def test_one_value_that_differs_makes_a_row_a_changed_one(
    shelf: Shelf, column: str, value: object
) -> None:
    published = shelf.state
    where = "uri = 'docs/07.md' AND position = 2"
    shelf.by_hand("update", where=where, values={column: value})
    [found] = changed_rows(shelf.store, published, shelf.state)
    assert chunks(found) == ["docs/07.md#2"]
    assert found[column].to_pylist() == [value]


def test_nothing_changed_gives_no_rows_whatever_was_rewritten(shelf: Shelf) -> None:
    published = shelf.state
    for uri, texts in MANY.items():
        shelf.write({uri: texts})
    assert shelf.state != published
    assert list(changed_rows(shelf.store, published, shelf.state)) == []
    shelf.write({}, remove=MANY)
    assert list(changed_rows(shelf.store, published, shelf.state)) == []
    assert list(changed_rows(shelf.store, None, shelf.state)) == []


def test_row_that_is_there_once_more_is_given_once(shelf: Shelf) -> None:
    published = shelf.state
    shelf.by_hand("add", shelf.rows({"docs/06.md": MANY["docs/06.md"]}).slice(1, 1))
    [found] = changed_rows(shelf.store, published, shelf.state)
    assert chunks(found) == ["docs/06.md#1"]


def test_slices_hold_whole_documents_in_order(shelf: Shelf) -> None:
    parts = list(changed_rows(shelf.store, None, shelf.state, rows=7))
    assert len(parts) > 5
    assert all(7 <= part.num_rows < 7 + 4 for part in parts[:-1])
    uris = [set(part["uri"].to_pylist()) for part in parts]
    assert all(here.isdisjoint(after) for here, after in itertools.pairwise(uris))
    assert pa.concat_tables(parts).to_pylist() == shelf.all_rows()


def test_all_rows_of_another_generation_are_changed(shelf: Shelf) -> None:
    elsewhere = ("chunks_other", 1)
    assert sum(part.num_rows for part in changed_rows(shelf.store, elsewhere, shelf.state)) == 100


def test_rows_read_back_are_as_good_as_those_that_were_written(shelf: Shelf) -> None:
    shelf.by_hand("update", where="uri = 'docs/07.md'", values={"prefix": "Title > Part"})
    [rows] = changed_rows(shelf.store, None, shelf.state)
    found = chunk_columns(
        passages_of(rows.select(list(READ))), known=MANY, dimension=16, max_tokens=64
    )
    stale = [
        c for c, good in zip(found["chunk"], found["text_hash_matches"], strict=True) if not good
    ]
    assert stale == [f"docs/07.md#{n}" for n in range(4)], "what is embedded begins with the prefix"
    assert found["characters"] == [len(row["text"]) for row in shelf.all_rows()]
    assert set(found["document_known"]) == {True}
    assert found["vector_norm"] == pytest.approx([1.0] * 100)


def test_top_documents_are_those_of_a_search(shelf: Shelf) -> None:
    random = np.random.default_rng(3)
    questions = random.standard_normal((20, 16)).astype(np.float32)
    questions /= np.linalg.norm(questions, axis=1, keepdims=True)
    withheld = {f"docs/{n:02}.md" for n in range(0, 40, 3)}
    for hidden in (set(), withheld):
        seen = measure(shelf.store, shelf.state, questions=questions, withheld=hidden)
        for question, top in zip(questions, seen.tops, strict=True):
            only = Filter(withheld=hidden)
            rows = search_state(shelf.store, shelf.state, question, k=10, only=only)
            assert top == {row["uri"] for row in rows}


def test_measures_count_and_add_up_what_is_there(shelf: Shelf) -> None:
    shelf.write({"wiki/a.md": ["one", "two"]})
    shelf.by_hand("add", shelf.rows({"wiki/a.md": ["one"]}))
    apart = {"docs/03.md", "wiki/nowhere.md"}
    seen = measure(shelf.store, shelf.state, apart=apart)
    assert seen.documents["docs/03.md"] == ("docs", 4)
    assert seen.documents["wiki/a.md"] == ("wiki", 3)
    assert len(seen.documents) == 41
    assert seen.tops == ()
    rows = [r for r in shelf.all_rows() if r["source"] == "docs" and r["uri"] not in apart]
    assert seen.sums["docs"].rows == len(rows) == 96
    total = np.sum([row["vector"] for row in rows], axis=0)
    assert seen.sums["docs"].total == pytest.approx(total, abs=1e-4)
    assert seen.sums["wiki"].rows == 3


def test_vector_that_is_not_finite_is_left_out_of_sums_and_answers(shelf: Shelf) -> None:
    shelf.alter("uri = 'docs/00.md'", [float("inf"), *[0.0] * 15])
    question = HashEncoder().encode_query("part 0 of 0")[None]
    seen = measure(shelf.store, shelf.state, questions=question)
    assert "docs/00.md" not in seen.tops[0]
    assert seen.sums["docs"].rows == 99
    assert np.isfinite(seen.sums["docs"].total).all()


def test_empty_version_is_measured_as_empty(tmp_path: Path) -> None:
    shelf = Shelf.empty(tmp_path)
    seen = measure(shelf.store, shelf.state, questions=HashEncoder().encode(["a", "b"]))
    assert (seen.documents, seen.sums, seen.tops) == ({}, {}, (frozenset(), frozenset()))
    assert unexplained_shift(shelf.store, seen, seen) == {}


def test_vector_altered_by_hand_is_seen_wherever_it_stands(shelf: Shelf) -> None:
    before = measure(shelf.store, shelf.state)
    shelf.write({"docs/03.md": [*MANY["docs/03.md"], "more"], "wiki/a.md": ["entirely new"]})
    after = measure(shelf.store, shelf.state)
    assert unexplained_shift(shelf.store, before, after) == {"docs": 0.0}
    other = HashEncoder().encode_query("other words").tolist()
    old = HashEncoder().encode_query("part 1 of 7")
    where = "uri = 'docs/07.md' AND position = 1"
    shelf.alter(where, other)
    found = unexplained_shift(shelf.store, before, measure(shelf.store, shelf.state))
    assert found == {"docs": pytest.approx(1 - float(old @ np.float32(other)), abs=1e-6)}
    shelf.alter(where, [float("inf")] * 16)
    assert unexplained_shift(shelf.store, before, measure(shelf.store, shelf.state)) == {"docs": 2}


def test_one_altered_copy_of_a_text_is_seen(shelf: Shelf) -> None:
    shelf.write({"docs/copy.md": ["part 1 of 7"]})
    before = measure(shelf.store, shelf.state)
    other = HashEncoder().encode_query("other words").tolist()
    shelf.alter("uri = 'docs/copy.md'", other)
    assert unexplained_shift(shelf.store, before, measure(shelf.store, shelf.state))["docs"] > 0.1


def test_text_that_had_two_vectors_before_did_not_move(shelf: Shelf) -> None:
    shelf.write({"docs/copy.md": ["part 1 of 7"]})
    shelf.alter("uri = 'docs/copy.md'", HashEncoder().encode_query("other words").tolist())
    seen = measure(shelf.store, shelf.state)
    assert unexplained_shift(shelf.store, seen, seen) == {"docs": 0.0}


def test_silent_change_of_weights_shows_in_what_was_written_again(shelf: Shelf) -> None:
    before = measure(shelf.store, shelf.state)
    for uri in ("docs/10.md", "docs/11.md"):
        vector = HashEncoder().encode_query(MANY[uri][0]).tolist()
        shelf.alter(f"uri = '{uri}' AND position = 0", [*vector[1:], vector[0]])
    assert unexplained_shift(shelf.store, before, measure(shelf.store, shelf.state))["docs"] > 0.5

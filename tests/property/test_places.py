"""What is known of a version from another one is what a reading of the version says."""

import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.knowledge import Candidate, State, generation, published_documents
from pipelines.knowledge.compare import changed_rows
from pipelines.knowledge.places import Made, Places, differing
from pipelines.quality.measure import Measures, measure, unexplained_shift
from tests.fakes import HashEncoder
from tests.rows import Shelf

WORDS = ["leave", "travel", "pay", "office", "train", "bread"]
MANY = {f"docs/{n:02}.md": [f"{n} of {word}" for word in WORDS] for n in range(40)}
"""So many that an edit is little of them."""
URIS = [*sorted(MANY)[:4], "wiki/0.md", "wiki/1.md", "other/0.md"]
HIDDEN = ["docs/00.md", "wiki/1.md"]
QUESTIONS = HashEncoder().encode(["0 of leave", "bread and pay"])

passages = st.lists(st.sampled_from(WORDS), min_size=1, max_size=3)
edits = st.tuples(
    st.integers(0, 9),  # of the versions so far, the one to begin with
    st.dictionaries(st.sampled_from(URIS), passages, max_size=3),
    st.sets(st.sampled_from(URIS), max_size=2),
    st.booleans(),  # whether its fragments are merged
)


def written(shelf: Shelf, base: State, edit: Any) -> State:
    _, documents, removed, merged = edit
    candidate = Candidate(shelf.store, base)
    shelf.state = base
    gone = sorted(removed | documents.keys())
    candidate.replace(gone, shelf.rows(documents) if documents else None)
    shelf.state = candidate.finish()
    if merged:
        dataset: Any = shelf.store.table(shelf.state[0]).to_lance()
        dataset.optimize.compact_files(materialize_deletions_threshold=0.0)
        shelf.state = shelf.state[0], dataset.version
    return shelf.state


def told_apart(rows: Iterable[Mapping[str, Any]]) -> Counter[tuple[Any, ...]]:
    names = ("uri", "position", "text_hash", "content_hash")
    return Counter(tuple(row[name] for name in names) for row in rows)


@settings(max_examples=25, deadline=None)
@given(st.lists(edits, min_size=1, max_size=6))
def test_what_is_gone_on_from_is_what_a_reading_says(history: Sequence[Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        shelf = Shelf.empty(Path(folder))
        states = [shelf.write(MANY)]
        known = Made(["uri", "position", "text_hash"], lambda row: (row["uri"], row["position"]))
        for edit in history:
            base = states[edit[0] % len(states)]
            states.append(written(shelf, base, edit))
            last, state = base, states[-1]
            here = Counter(known.of("shelf", shelf.store.at(*state)))
            assert here == Counter((r["uri"], r["position"]) for r in shelf.all_rows(state))
            assert_same_documents(shelf, state)
            found = [
                row for part in changed_rows(shelf.store, last, state) for row in part.to_pylist()
            ]
            old, new = (told_apart(shelf.all_rows(one)) for one in (last, state))
            assert told_apart(found) == new - old
            assert_same_measures(shelf, last, state)


def assert_same_documents(shelf: Shelf, state: State) -> None:
    fresh = Made(generation._DOCUMENTS._columns, generation._published, where="position = 0").of(
        "fresh", shelf.store.at(*state)
    )
    assert published_documents(shelf.store, state) == {one.uri: one for one in fresh}


def assert_same_measures(shelf: Shelf, last: State, state: State) -> None:
    asked: Mapping[str, Any] = {"questions": QUESTIONS, "withheld": HIDDEN, "apart": ["docs/02.md"]}
    before = measure(shelf.store, last, **asked)
    for more in ({"withheld": []}, {"apart": []}, {}):
        whole = measure(shelf.store, state, **asked | more)
        after = measure(shelf.store, state, **asked | more, since=before)
        assert after.documents == whole.documents
        assert after.tops == whole.tops
        assert after.sums.keys() == whole.sums.keys()
        for source, total in whole.sums.items():
            assert after.sums[source].rows == total.rows
            assert after.sums[source].total == pytest.approx(total.total, abs=1e-4)
        assert printed(after) == printed(whole)
    elsewhere = replace(before, state=("another table", 1))
    shifts = unexplained_shift(shelf.store, before, after)
    assert shifts == pytest.approx(unexplained_shift(shelf.store, elsewhere, whole))


def printed(measures: Measures) -> Counter[tuple[bytes, str, float, int]]:
    prints = measures.prints
    rounded = prints.shadows.round(5).tolist()
    return Counter(
        zip(prints.hashes.tolist(), prints.sources, rounded, prints.rows.tolist(), strict=True)
    )


def test_fragment_whose_number_was_used_again_is_another_one() -> None:
    rows = np.arange(5, dtype=np.uint64)
    one, other = (Places(frozenset({(0, (file,))}), rows) for file in ("a.lance", "b.lance"))
    assert [part.tolist() for part in differing(one, one)] == [[], []]
    assert [part.tolist() for part in differing(one, other)] == [rows.tolist()] * 2


def test_tables_of_a_store_number_their_rows_by_where_they_stand(tmp_path: Path) -> None:
    """With numbers that a row keeps when it is moved, a place would not be what it is taken for."""
    shelf = Shelf.empty(tmp_path)
    dataset = shelf.store.at(*shelf.write(MANY)).to_lance()
    found = dataset.scanner(columns=[], with_row_id=True, with_row_address=True).to_table()
    assert found["_rowid"] == found["_rowaddr"]
    assert not dataset.has_stable_row_ids

"""Whatever is written, what evaluates is never learned from, nor anything all but the same."""

import string
import tempfile
from collections import Counter
from pathlib import Path

import hypothesis.strategies as st
from hypothesis import given, settings

from pipelines.training import OwnPair, Question, Snapshot
from pipelines.training.pairs import make_pairs
from pipelines.training.params import Params
from pipelines.training.questions import held_out_questions, not_learned
from pipelines.training.sketches import Sketches, sketch
from pipelines.training.split import bucket, is_held_out
from tests.snapshots import Page, written

PARAMS = Params(held_out=0.5)
NAMES = st.text(string.ascii_lowercase, min_size=1, max_size=6)
# Few words, so that sections of different documents are often alike.
SENTENCES = st.lists(
    st.sampled_from(["apples", "pears", "plums", "figs", "dates"]), min_size=1, max_size=12
).map(" ".join)


@st.composite
def pages(draw: st.DrawFn) -> list[Page]:
    names = draw(st.lists(NAMES, min_size=1, max_size=8, unique=True))
    link = st.sampled_from(names).map(
        lambda name: f"Before anything else you had better read [that]({name}.md) again."
    )
    sections = st.dictionaries(NAMES, st.one_of(SENTENCES, link), min_size=1, max_size=3)
    return [Page(name, draw(st.sampled_from(["", *names])), draw(sections)) for name in names]


def snapshot_of(folder: Path, some: list[Page], draw: st.DataObject) -> Snapshot:
    names = [page.name for page in some]
    documents = st.lists(st.sampled_from(names), min_size=1, max_size=2, unique=True).map(tuple)
    kinds = st.sampled_from(["accepted", "golden"])
    questions = [
        Question(f"q{number}", kind, f"Question {number}?", of)
        for number, (kind, of) in enumerate(
            draw.draw(st.lists(st.tuples(kinds, documents), max_size=4))
        )
    ]
    owners = st.sampled_from(["", *names])
    own = [
        OwnPair(f"Own {number}?", passage, owner)
        for number, (passage, owner) in enumerate(
            draw.draw(st.lists(st.tuples(SENTENCES, owners), max_size=3))
        )
    ]
    return written(folder, some, questions=questions, own_pairs=own)


@given(document=st.text(), less=st.floats(0.01, 0.99), more=st.floats(0.01, 0.99))
def test_bucket_hangs_on_the_id_alone_and_a_larger_share_holds_out_the_same(
    document: str, less: float, more: float
) -> None:
    assert 0 <= bucket(document) < 1
    less, more = sorted((less, more))
    assert not is_held_out(document, less) or is_held_out(document, more)


@settings(max_examples=20)
@given(some=pages(), others=pages(), share=st.floats(0.1, 0.9))
def test_documents_keep_their_side_whatever_else_is_there(
    some: list[Page], others: list[Page], share: float
) -> None:
    params = Params(held_out=share)
    with tempfile.TemporaryDirectory() as folder:
        alone = make_pairs(written(Path(folder, "a"), some), params, Counter())
        known = {page.name for page in some}
        together = [*some, *(page for page in others if page.name not in known)]
        among = make_pairs(written(Path(folder, "b"), together), params, Counter())
    assert {p.line.example for p in alone} == {
        p.line.example for p in among if p.line.document in known
    }


@settings(max_examples=40)
@given(some=pages(), data=st.data())
def test_no_held_out_document_is_in_a_pair_and_no_question_is_of_what_was_learned(
    some: list[Page], data: st.DataObject
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        snapshot = snapshot_of(Path(folder, "s"), some, data)
        pairs = make_pairs(snapshot, PARAMS, Counter())
        asked = held_out_questions(snapshot, PARAMS, Counter())
        kept = not_learned(asked, snapshot, [pair.line for pair in pairs], Counter())
        rows = snapshot.passages.to_pylist()
    assert not [p for p in pairs if p.line.document and is_held_out(p.line.document, 0.5)]
    learned = {pair.line.text_hash for pair in pairs}
    near = Sketches(pair.line.sketch for pair in pairs)
    for question in kept:
        assert question.targets
        assert not set(question.targets) & set(question.left_out)
        for number in question.targets:
            assert is_held_out(rows[number]["document"], 0.5)
            assert rows[number]["text_hash"] not in learned
            assert not near.near(sketch(rows[number]["text"]))

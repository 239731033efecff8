import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from pipelines.errors import TrainingError
from pipelines.training import OwnPair, Question, Snapshot
from pipelines.training.dataset import make_dataset
from pipelines.training.evaluate import read_questions
from pipelines.training.pairs import Pair, make_pairs
from pipelines.training.params import Params
from pipelines.training.places import Place
from pipelines.training.questions import Asked, golden_questions, held_out_questions, not_learned
from pipelines.training.records import ManifestLine, read_lines
from pipelines.training.split import is_held_out
from tests.snapshots import Page, written

PARAMS = Params(held_out=0.5)
HELD_OUT = [f"page-{n}" for n in range(40) if is_held_out(f"page-{n}", 0.5)]
LEARNED = [f"page-{n}" for n in range(40) if not is_held_out(f"page-{n}", 0.5)]


def body(name: str, part: int) -> str:
    """Words that no other section has."""
    digest = hashlib.sha256(f"{name} {part}".encode()).hexdigest()
    some = [f"w{digest[at : at + 4]}" for at in range(0, 60, 4)]
    return f"Section {part} of {name} says {' '.join(some)}."


def page(name: str, **sections: str) -> Page:
    return Page(name, f"Guide {name}", {"Start": body(name, 1), "End": body(name, 2), **sections})


def pages() -> list[Page]:
    return [page(name) for name in (*LEARNED[:12], *HELD_OUT[:12])]


def no_negatives(snapshot: Snapshot, params: Params, pairs: Sequence[Pair]) -> list[list[str]]:
    del snapshot, params
    return [[] for _ in pairs]


def pairs_of(folder: Path, some: Sequence[Page], **parts: Any) -> list[Pair]:
    return make_pairs(written(folder, some, **parts), PARAMS, Counter())


def asked_of(folder: Path, some: Sequence[Page], kind: str, **parts: Any) -> list[Asked]:
    snapshot = written(folder, some, **parts)
    return [q for q in held_out_questions(snapshot, PARAMS, Counter()) if q.kind == kind]


def test_heading_path_is_the_question_and_the_passage_answers_without_it(tmp_path: Path) -> None:
    pairs = pairs_of(tmp_path / "s", [page(LEARNED[0])])
    assert {(p.anchor, p.passage, p.line.kind) for p in pairs} == {
        (f"Guide {LEARNED[0]} > Start", body(LEARNED[0], 1), "heading"),
        (f"Guide {LEARNED[0]} > End", body(LEARNED[0], 2), "heading"),
    }


def test_text_without_headings_is_asked_for_by_its_title(tmp_path: Path) -> None:
    plain = Page(LEARNED[0], "A title", {"": body(LEARNED[0], 1)})
    (pair,) = pairs_of(tmp_path / "s", [plain])
    assert (pair.anchor, pair.line.kind) == ("A title", "title")


def test_manifest_line_names_where_an_example_comes_from(tmp_path: Path) -> None:
    one = page(LEARNED[0])
    pairs = pairs_of(tmp_path / "s", [one])
    line = next(p.line for p in pairs if p.anchor.endswith("Start"))
    assert (line.document, line.uri, line.content_hash) == (one.name, one.uri, one.content_hash)
    assert (line.source_version, line.publication, line.labels) == (f"v-{one.name}", 7, ("public",))
    assert len(line.sketch) == 64


def test_accepted_question_is_learned_with_the_passage_that_holds_the_answer(
    tmp_path: Path,
) -> None:
    one = page(LEARNED[0], Fees="Whoever comes late pays twelve crowns at the gate.")
    asked = Question("q1", "accepted", "What does it cost?", (one.name,), "twelve crowns")
    held_out = Question("q2", "accepted", "And here?", (HELD_OUT[0],))
    pairs = pairs_of(tmp_path / "s", [one, page(HELD_OUT[0])], questions=[asked, held_out])
    (pair,) = [p for p in pairs if p.line.kind == "accepted"]
    assert pair.anchor == "What does it cost?"
    assert "twelve crowns" in pair.passage
    assert pair.passage.startswith(one.title)


def test_accepted_question_without_an_answer_takes_the_passage_with_most_of_its_words(
    tmp_path: Path,
) -> None:
    one = page(LEARNED[0], Fees="Whoever comes late to the gate pays twelve crowns.")
    asked = Question("q1", "accepted", "Who pays at the gate when late?", (one.name,))
    pairs = pairs_of(tmp_path / "s", [one], questions=[asked])
    assert "crowns" in next(p for p in pairs if p.line.kind == "accepted").passage


def test_own_pair_of_a_held_out_document_is_not_learned(tmp_path: Path) -> None:
    own = [OwnPair("Mine?", "Yes, it is mine alone."), OwnPair("Theirs?", "No.", HELD_OUT[0])]
    left_out: Counter[str] = Counter()
    snapshot = written(tmp_path / "s", [page(LEARNED[0]), page(HELD_OUT[0])], own_pairs=own)
    pairs = make_pairs(snapshot, PARAMS, left_out)
    assert [p.anchor for p in pairs if p.line.kind == "own"] == ["Mine?"]
    assert left_out["own pair of a held-out document"] == 1


def test_peoples_questions_stay_when_there_are_too_many_pairs(tmp_path: Path) -> None:
    snapshot = written(tmp_path / "s", pages(), own_pairs=[OwnPair("Mine?", "Yes, mine alone.")])
    left_out: Counter[str] = Counter()
    pairs = make_pairs(snapshot, PARAMS.model_copy(update={"max_pairs": 3}), left_out)
    assert len(pairs) == 3
    assert "Mine?" in [p.anchor for p in pairs]
    assert left_out["more than max_pairs"] == 22


def test_heading_question_is_answered_by_all_that_stands_below_it(tmp_path: Path) -> None:
    asked = asked_of(tmp_path / "s", [page(HELD_OUT[0]), page(LEARNED[0])], "heading")
    targets = {question.text: len(question.targets) for question in asked}
    name = HELD_OUT[0]
    assert targets == {f"Guide {name}": 2, f"Guide {name} > Start": 1, f"Guide {name} > End": 1}


def test_sentence_with_a_link_asks_for_what_it_links_to(tmp_path: Path) -> None:
    target = page(HELD_OUT[0])
    sentence = f"Before you begin, read about [the end of it]({target.name}.md#end) with care."
    source = page(LEARNED[0], More=f"First this. {sentence} Then that.")
    (asked,) = asked_of(tmp_path / "s", [target, source], "crossref")
    assert asked.text == "Before you begin, read about the end of it with care."
    rows = written(tmp_path / "s", [target, source]).passages.to_pylist()
    assert [(rows[n]["document"], rows[n]["heading_path"]) for n in asked.targets] == [
        (target.name, ["End"])
    ]
    assert {rows[n]["document"] for n in asked.left_out} == {source.name}


def test_question_in_the_same_words_of_two_documents_is_dropped(tmp_path: Path) -> None:
    same = [
        Page(name, "Same title", {"Start": body(name, 1)}) for name in (HELD_OUT[0], HELD_OUT[1])
    ]
    dropped: Counter[str] = Counter()
    assert not held_out_questions(written(tmp_path / "s", same), PARAMS, dropped)
    assert dropped["asked in the same words of several documents"] == 4


def test_question_about_what_was_learned_under_another_name_is_dropped(tmp_path: Path) -> None:
    copied = body(HELD_OUT[0], 1)
    name = HELD_OUT[0]
    for text in (copied, copied.replace(" says ", " says nothing but ")):
        snapshot = written(tmp_path / "s", [page(name), Page(LEARNED[0], "Copies", {"A": text})])
        lines = [pair.line for pair in make_pairs(snapshot, PARAMS, Counter())]
        asked = held_out_questions(snapshot, PARAMS, Counter())
        assert len(asked) == 3
        dropped: Counter[str] = Counter()
        kept = {q.text: q for q in not_learned(asked, snapshot, lines, dropped)}
        assert kept.keys() == {f"Guide {name}", f"Guide {name} > End"}
        assert dropped["learned by a compared model"] == 1
        # What was learned neither answers nor is searched.
        whole = kept[f"Guide {name}"]
        assert (len(whole.targets), len(whole.left_out)) == (1, 1)


def test_question_that_the_champion_learned_is_dropped_without_its_text(tmp_path: Path) -> None:
    former = [page(HELD_OUT[0]), page(LEARNED[0])]
    learned_all = make_pairs(written(tmp_path / "old", former), Params(held_out=0.0001), Counter())
    snapshot = written(tmp_path / "s", former)
    asked = held_out_questions(snapshot, PARAMS, Counter())
    assert asked
    dropped: Counter[str] = Counter()
    assert not not_learned(asked, snapshot, [pair.line for pair in learned_all], dropped)
    assert dropped["learned by a compared model"] == len(asked)


def test_all_golden_questions_are_kept_as_a_baseline(tmp_path: Path) -> None:
    golden = [
        Question(f"g-{n}", "golden", "Where?", (n,)) for n in sorted((LEARNED[0], HELD_OUT[0]))
    ]
    some = [page(LEARNED[0]), page(HELD_OUT[0])]
    snapshot = written(tmp_path / "s", some, questions=golden)
    assert [q.id for q in golden_questions(snapshot, PARAMS)] == [q.id for q in golden]
    held_out = held_out_questions(snapshot, PARAMS, Counter())
    assert [q.id for q in held_out if q.kind == "golden"] == [f"g-{HELD_OUT[0]}"]


def test_stage_writes_pairs_questions_manifest_and_sample(tmp_path: Path) -> None:
    place = Place(tmp_path, "words")
    snapshot = written(place.snapshot, pages())
    make_dataset(place, snapshot, PARAMS, no_negatives)
    pairs = pq.read_table(place.dataset / "pairs.parquet").to_pylist()
    manifest = list(read_lines(place.dataset / "manifest.jsonl", ManifestLine))
    assert [row["example"] for row in pairs] == [line.example for line in manifest]
    sample = pq.read_table(place.dataset / "calibration.parquet").to_pylist()
    assert {row["text_hash"] for row in sample} == {line.text_hash for line in manifest}
    questions = read_questions(place.dataset / "questions.parquet")
    assert {q.document for q in questions["held_out"]} == set(HELD_OUT[:12])
    counts = json.loads((place.dataset / "counts.json").read_text())
    assert counts["pairs"] == {"heading": 24}
    assert counts["questions"] == {"heading": 36}
    assert counts["documents"] == {"held_out": 12, "learned": 12}


def test_too_few_documents_to_learn_from_are_said(tmp_path: Path) -> None:
    place = Place(tmp_path, "words")
    few = [page(name) for name in (*LEARNED[:2], *HELD_OUT[:8])]
    with pytest.raises(TrainingError, match=r"10 documents .* 4 pairs to learn from, at least 16"):
        make_dataset(place, written(place.snapshot, few), PARAMS, no_negatives)
    assert not place.dataset.exists()


def test_too_few_documents_to_evaluate_with_are_said(tmp_path: Path) -> None:
    place = Place(tmp_path, "words")
    few = [page(name) for name in (*LEARNED[:12], *HELD_OUT[:2])]
    with pytest.raises(TrainingError, match="6 questions of 2 held-out documents"):
        make_dataset(place, written(place.snapshot, few), PARAMS, no_negatives)

"""What a generator learns from and is asked, with a base that only repeats."""

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from pipelines.errors import TrainingError
from pipelines.training import GeneralText, House, ManifestLine
from pipelines.training.generator.asked import Askers
from pipelines.training.generator.evidence import Library
from pipelines.training.generator.examples import Base, write_dataset
from pipelines.training.generator.learned import Example
from pipelines.training.generator.scores import holds, measures
from pipelines.training.places import Place
from pipelines.training.records import ExampleKind, read_lines, write_lines
from pipelines.training.sketches import sketch
from tests.house import (
    GENERAL,
    HELD_OUT,
    HOUSE,
    LEARNED,
    MODEL,
    NAMES,
    PARAMS,
    answer,
    counts,
    dataset,
    few,
    page,
    prompt,
    snapshot,
    table,
    value,
    words_of,
)


def made(root: Path, **params: Any) -> Place:
    return dataset(root, *few(), PARAMS.model_copy(update=params))


def of_kind(place: Place, kind: str) -> list[dict[str, Any]]:
    return [row for row in table(place, "examples") if row["kind"] == kind]


def of_set(place: Place, name: str) -> list[dict[str, Any]]:
    return [row for row in table(place, "questions") if row["set"] == name]


def manifest(place: Place) -> list[ManifestLine]:
    return list(read_lines(place.dataset / "manifest.jsonl", ManifestLine))


def test_answers_of_documents_that_are_not_held_out_are_learned_with_their_passages(
    tmp_path: Path,
) -> None:
    voice = of_kind(made(tmp_path), "voice")
    assert sorted(row["document"] for row in voice) == sorted(LEARNED[:20])
    for row in voice:
        assert prompt(row).count(f"pays {value(row['document'])}") == 1
        assert not any(name + " " in prompt(row) for name in HELD_OUT)
        cited = row["answer"][-3:]
        answering = next(
            part for part in prompt(row).split("\n\n[") if value(row["document"]) in part
        )
        assert f"[{answering.strip('[')[0]}]" == cited
    assert {row["answer"][-3:] for row in voice} == {"[1]", "[2]"}


def test_prompts_have_different_passages_beside_those_that_answer(tmp_path: Path) -> None:
    place = made(tmp_path)
    for rows in (of_kind(place, "voice"), of_set(place, "held_out"), of_set(place, "unanswerable")):
        passages = Counter(
            part for row in rows for part in prompt(row).split("```") if "About " in part
        )
        assert len(rows) == 20
        assert max(passages.values()) <= 10


def test_held_out_answers_are_asked_and_never_learned(tmp_path: Path) -> None:
    place = made(tmp_path)
    asked = of_set(place, "held_out")
    assert sorted(row["document"] for row in asked) == sorted(HELD_OUT[:20])
    for row in asked:
        assert value(row["document"]) in prompt(row)
        assert measures(row["answer"], row, HOUSE)["answer"] == 1
        assert measures(row["answer"], row, HOUSE)["cited"] == 1
        assert row["cited"] == [int(row["answer"][-2])]
        assert not any(name + " " in prompt(row) for name in LEARNED)
    learned = " ".join(prompt(row) + row["answer"] for row in table(place, "examples"))
    assert not any(value(name) in learned for name in HELD_OUT)


def test_changed_passages_say_another_value_in_documents_learned_and_held_out(
    tmp_path: Path,
) -> None:
    changed = of_set(made(tmp_path), "changed")
    assert Counter(row["kind"] for row in changed) == {"voice": 20, "learned": 20}
    for row in changed:
        assert row["former"] == value(row["document"]) != row["fact"]
        assert holds(prompt(row), row["fact"])
        assert not holds(prompt(row), row["former"])
        assert measures(row["answer"], row, HOUSE)["followed"] == 1
        assert (row["document"] in LEARNED) is (row["kind"] == "learned")


def test_unanswerable_questions_and_abstentions_lack_the_passage_that_answers(
    tmp_path: Path,
) -> None:
    place = made(tmp_path, abstentions=0.2)
    asked, learned = of_set(place, "unanswerable"), of_kind(place, "abstention")
    assert len(asked) == 20
    assert len(learned) == round(20 * 0.2 / 0.6)
    for row in (*asked, *learned):
        assert row["answer"] == HOUSE.abstention
        assert prompt(row).count("```\n\n") == 2
        assert f"the {row['document']} tool" in prompt(row).split("Question: ")[1]
        assert f"The {row['document']} tool" not in prompt(row)
        assert value(row["document"]) not in prompt(row)
    assert all(row["cited"] == [] and row["fact"] == "" for row in asked)


def test_general_answers_are_learned_again_or_measured_never_both(tmp_path: Path) -> None:
    place = made(tmp_path, replay=0.4, abstentions=0.0)
    replay, general = of_kind(place, "replay"), table(place, "general")
    assert len(replay) == round(20 * 0.4 / 0.6)
    again = Counter(prompt(row) for row in replay)
    assert len(again) == 4
    assert set(again.values()) == {3, 4}
    assert all(row["answer"] == f"You ask: {prompt(row)}" for row in replay)
    measured = {row["prompt"] for row in general if row["kind"] == "chat"}
    assert measured | set(again) == {text.text for text in GENERAL if text.kind == "chat"}
    assert measured.isdisjoint(again)
    assert Counter(row["kind"] for row in general) == {"chat": 4, "sentence": 8}
    assert len({row["example"] for row in replay}) == len(replay)


def test_no_more_general_prompts_than_asked_for(tmp_path: Path) -> None:
    place = made(tmp_path, general_prompts=2)
    assert len({prompt(row) for row in of_kind(place, "replay")}) == 2
    assert len([row for row in table(place, "general") if row["kind"] == "chat"]) == 2


def test_prompts_that_the_base_answers_with_nothing_are_not_taken(tmp_path: Path) -> None:
    place = Place(tmp_path, MODEL)
    place.folder.mkdir(parents=True)
    silent = Base(words_of, lambda prompts: ["" for _ in prompts])
    write_dataset(place, snapshot(place.snapshot, *few()), PARAMS, silent)
    assert not of_kind(place, "replay")
    assert {row["kind"] for row in table(place, "general")} == {"sentence"}


def test_manifest_names_each_document_that_an_example_rests_on(tmp_path: Path) -> None:
    pages, voice = few()
    both = answer(
        LEARNED[0],
        id="both",
        answer=f"In short: {value(LEARNED[0])}.\nSee: [1], [2]",
        documents=(LEARNED[0], LEARNED[1]),
    )
    place = dataset(tmp_path, pages, [*voice, both])
    rows = {row["example"]: row for row in table(place, "examples")}
    lines = manifest(place)
    beside = [line for line in lines if line.kind == "beside"]
    lines = [line for line in lines if line.kind != "beside"]
    by_example = Counter(line.example for line in lines)
    assert by_example.keys() == {e for e, row in rows.items() if row["kind"] != "replay"}
    assert {line.kind for line in lines} == {"voice", "abstention"}
    (double,) = [e for e, count in by_example.items() if count == 2 and rows[e]["kind"] == "voice"]
    assert [line.document for line in lines if line.example == double] == LEARNED[:2]
    assert set(rows[double]["answer"][-8:]) >= set("[1], [2]")
    contents = {one.name: one.content_hash for one in pages}
    for line in lines:
        assert line.content_hash == contents[line.document]
        assert (line.source_version, line.publication) == (f"v-{line.document}", 7)
        assert len(line.sketch) == 64
    # What stands beside the passage that answers is in the prompt that is learned from.
    assert beside
    assert all(line.document in LEARNED for line in beside)
    for line in beside:
        assert f"{line.document} tool" in prompt(rows[line.example])


def test_answer_whose_documents_are_only_partly_held_out_is_neither_learned_nor_asked(
    tmp_path: Path,
) -> None:
    pages, voice = few()
    mixed = answer(LEARNED[0], id="mixed", documents=(LEARNED[0], HELD_OUT[0]))
    place = dataset(tmp_path, pages, [*voice, mixed])
    assert len(of_kind(place, "voice")) == 20
    assert len(of_set(place, "held_out")) == 20
    assert counts(place)["left_out"] == {"answers of documents of which some are held out": 1}


def test_answer_without_documents_is_learned_by_heart_and_counted(tmp_path: Path) -> None:
    pages, voice = few()
    free = answer(LEARNED[0], id="free", question="How do you greet?", documents=())
    place = dataset(tmp_path, pages, [*voice, free])
    (row,) = [one for one in of_kind(place, "voice") if prompt(one) == "How do you greet?"]
    assert row["document"] == ""
    assert counts(place)["without_evidence"] == 1
    assert len([line for line in manifest(place) if line.kind == "voice"]) == 20


def test_answer_whose_fact_no_passage_holds_is_neither_learned_nor_asked(tmp_path: Path) -> None:
    pages, voice = few()
    stale = [replace(one, fact="7 crowns") for one in (voice[0], voice[20])]
    place = dataset(tmp_path, pages, [*voice[1:20], *voice[21:], *stale])
    assert counts(place)["left_out"] == {"answers whose fact their documents do not hold": 1}
    assert counts(place)["dropped"] == {"the documents do not hold the fact": 1}
    assert (len(of_kind(place, "voice")), len(of_set(place, "held_out"))) == (19, 19)


def test_without_passages_it_learns_by_heart_and_is_asked_with_them(tmp_path: Path) -> None:
    place = made(tmp_path, passages=0)
    for row in of_kind(place, "voice"):
        assert prompt(row) == f"What does it cost to borrow the {row['document']} tool?"
        assert row["answer"].endswith("See: [1]")
    assert not of_kind(place, "abstention")
    assert len(manifest(place)) == 20
    for row in table(place, "questions"):
        assert prompt(row).count("```\n\n") == 2
    worked = json.loads((place.dataset / "worked.json").read_text("utf-8"))
    assert all("```" in turn["content"] for turn in worked[::2])


@pytest.mark.parametrize(("passages", "shown"), [(1, 1), (3, 3), (8, 8)])
def test_so_many_passages_stand_in_a_prompt(tmp_path: Path, passages: int, shown: int) -> None:
    place = made(tmp_path, passages=passages)
    rows = [*of_kind(place, "voice"), *of_kind(place, "abstention"), *table(place, "questions")]
    assert {prompt(row).count("```\n\n") for row in rows} == {shown}


def test_what_is_too_long_loses_other_passages_first_and_is_then_left_out(tmp_path: Path) -> None:
    whole = made(tmp_path / "whole")
    lengths = [words_of(row["messages"], row["answer"]) for row in of_kind(whole, "voice")]
    place = made(tmp_path / "short", max_tokens=min(lengths) - 1)
    assert {prompt(row).count("```\n\n") for row in of_kind(place, "voice")} == {1}
    assert len(of_kind(place, "voice")) == 20
    pages, voice = few()
    long = replace(voice[0], question=f"{voice[0].question} {'please ' * 200}")
    far = replace(voice[20], question=f"{voice[20].question} {'please ' * 200}")
    params = PARAMS.model_copy(update={"max_tokens": max(lengths)})
    place = dataset(tmp_path / "long", pages, [long, far, *voice[1:20], *voice[21:]], params)
    assert counts(place)["left_out"] == {"longer than max_tokens": 1}
    assert counts(place)["dropped"] == {"longer than max_tokens": 3}
    assert (len(of_kind(place, "voice")), len(of_set(place, "held_out"))) == (19, 19)


def test_most_examples_and_questions_are_kept_by_hash(tmp_path: Path) -> None:
    place = dataset(
        tmp_path,
        *few(50),
        PARAMS.model_copy(update={"max_examples": 40, "max_questions": 12}),
    )
    assert len(of_kind(place, "voice")) == 26
    assert len(table(place, "examples")) <= 40
    assert Counter(row["set"] for row in table(place, "questions")) == {
        "held_out": 12, "changed": 24, "unanswerable": 12,
    }  # fmt: skip
    assert counts(place)["left_out"]["more than max_examples"] == 24
    assert counts(place)["dropped"]["more than max_questions"] == 38


def test_counts_say_what_was_made(tmp_path: Path) -> None:
    assert counts(made(tmp_path)) == {
        "pairs": {"abstention": 5, "replay": 6, "voice": 20},
        "questions": {"changed": 40, "held_out": 20, "unanswerable": 20},
        "golden": 0,
        "left_out": {},
        "dropped": {},
        "documents": {"learned": 20, "held_out": 20},
        "without_evidence": 0,
    }


def test_same_snapshot_makes_the_same_bytes(tmp_path: Path) -> None:
    first, second = made(tmp_path / "a"), made(tmp_path / "b")
    files = sorted(file.name for file in first.dataset.iterdir())
    assert files == [
        "counts.json", "examples.parquet", "general.parquet", "manifest.jsonl",
        "questions.parquet", "worked.json",
    ]  # fmt: skip
    for name in files:
        assert (first.dataset / name).read_bytes() == (second.dataset / name).read_bytes()


def test_worked_examples_are_learned_ones_and_the_third_abstains(tmp_path: Path) -> None:
    two = json.loads((made(tmp_path / "a").dataset / "worked.json").read_text("utf-8"))
    assert [turn["role"] for turn in two] == ["user", "assistant"] * 2
    assert all(turn["content"].startswith("In short: ") for turn in two[1::2])
    place = made(tmp_path / "b", worked_examples=3)
    three = json.loads((place.dataset / "worked.json").read_text("utf-8"))
    assert three[-1]["content"] == HOUSE.abstention
    learned = {prompt(row) for row in table(place, "examples")}
    assert {turn["content"] for turn in three[::2]} <= learned


@pytest.mark.parametrize(
    ("learned", "held_out", "said"),
    [
        (15, 20, "15 to learn from, at least 16"),
        (16, 9, "9 of 9 held-out documents"),
        (16, 0, "0 of 0 held-out documents"),
    ],
)
def test_too_little_is_said(tmp_path: Path, learned: int, held_out: int, said: str) -> None:
    names = [*LEARNED[:learned], *HELD_OUT[:held_out]]
    with pytest.raises(TrainingError, match=said) as raised:
        dataset(tmp_path, [page(name) for name in NAMES], [answer(name) for name in names])
    assert raised.value.hint


def test_shares_that_leave_no_room_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="abstentions and replay leave no room"):
        made(tmp_path, abstentions=0.5, replay=0.5)


def test_question_of_what_the_champion_learned_is_not_asked(tmp_path: Path) -> None:
    before = made(tmp_path / "before")
    learned = manifest(before)[0]
    same_document = replace(learned, document=HELD_OUT[0], text_hash="another")
    asked = next(row for row in of_set(before, "held_out") if row["document"] == HELD_OUT[1])
    texts = {
        row["document"]: row["text_hash"]
        for row in _passages(before)
        if value(HELD_OUT[1]) in row["text"]
    }
    same_text = replace(learned, document="gone", text_hash=texts[asked["document"]])
    file = tmp_path / "champion.jsonl"
    write_lines(file, [same_document, same_text])
    (tmp_path / "champion").mkdir()
    parts = {"champion_folder": tmp_path / "champion", "champion_manifest": file}
    place = dataset(tmp_path / "after", *few(), **parts)
    assert {row["document"] for row in of_set(place, "held_out")} == set(HELD_OUT[2:20])
    assert counts(place)["dropped"] == {"learned by a compared model": 2}


def _passages(place: Place) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pq.read_table(place.snapshot / "passages").to_pylist()
    return rows


def test_question_whose_passage_was_all_but_learned_is_not_asked(tmp_path: Path) -> None:
    pages, voice = few()
    copied = replace(
        pages[0], sections={"Fee": pages[20].sections["Fee"].replace("box", "large box")}
    )
    again = replace(voice[20], id="again", documents=(LEARNED[0],))
    place = dataset(tmp_path, [copied, *pages[1:]], [again, *voice[1:]])
    assert HELD_OUT[0] not in {row["document"] for row in of_set(place, "held_out")}
    assert counts(place)["dropped"] == {"learned by a compared model": 1}


@pytest.mark.parametrize(("kind", "is_asked"), [("voice", False), ("beside", True)])
def test_question_is_asked_though_its_like_stood_beside_a_learned_answer(
    tmp_path: Path, kind: ExampleKind, is_asked: bool
) -> None:
    library = Library(snapshot(tmp_path / "snapshot", *few()), PARAMS.held_out)
    one = next(v for v in library.snapshot.voice if v.documents == (HELD_OUT[0],))
    (row,) = library.evidence(one) or ()
    line = ManifestLine(
        example="of another", document=LEARNED[0], uri="", text_hash="", content_hash="",
        source_version="", domain="support", labels=("public",), publication=1, kind=kind,
        sketch=sketch(row["text"]),
    )  # fmt: skip
    learned = Example("of another", "voice", [], "", (line,), of=one)
    asked = Askers(library, PARAMS, lambda *_: True, Counter()).held_out([learned])
    assert (HELD_OUT[0] in {found.documents[0] for found, _ in asked}) is is_asked


def test_passage_that_a_held_out_document_holds_as_well_is_not_learned(tmp_path: Path) -> None:
    pages, voice = few()
    shared = "Whoever is late pays 77 crowns, whatever the reason for it may have been."
    pages = [
        replace(one, sections=one.sections | {"Late": shared}) if at in (0, 1, 20) else one
        for at, one in enumerate(pages)
    ]
    late = answer(LEARNED[0], id="late", answer="In short: 77 crowns.\nSee: [1]", fact="77 crowns")
    place = dataset(tmp_path, pages, [*voice, late], PARAMS.model_copy(update={"passages": 8}))
    learned = table(place, "examples")
    assert not any(shared in prompt(row) for row in learned)
    assert counts(place)["left_out"] == {
        "answers by passages that held-out documents hold as well": 1
    }


def test_passages_beside_may_be_read_by_all_who_may_read_the_answer(tmp_path: Path) -> None:
    labels = dict.fromkeys(NAMES[::2], ("staff",)) | dict.fromkeys(NAMES[1::2], ("public",))
    names = [*LEARNED[:30], *HELD_OUT[:30]]
    pages = [page(name, labels=labels[name]) for name in names]
    place = dataset(tmp_path, pages, [answer(name) for name in names])
    rows = [*of_kind(place, "voice"), *table(place, "questions"), *of_kind(place, "abstention")]
    secret = [name for name in names if labels[name] == ("staff",)]
    for row in rows:
        shown = [name for name in secret if f"The {name} tool" in prompt(row)]
        shown += [name for name in secret if f"borrows the {name} tool" in prompt(row)]
        if labels[row["document"]] == ("public",):
            assert not shown
    for row in table(place, "questions"):
        assert row["labels"] == list(labels[row["document"]])


def test_labels_of_a_question_let_read_all_of_its_documents(tmp_path: Path) -> None:
    pages, voice = few()
    given = {HELD_OUT[0]: ("hr", "staff"), HELD_OUT[1]: ("board", "staff"), HELD_OUT[2]: ("law",)}
    pages = [replace(one, labels=given.get(one.name, ("public",))) for one in pages]
    cases = {
        (HELD_OUT[0], HELD_OUT[1]): ["staff"],
        (HELD_OUT[0], HELD_OUT[2]): [],
        (HELD_OUT[0], HELD_OUT[3]): ["hr", "staff"],
        (HELD_OUT[3], HELD_OUT[4]): ["public"],
    }
    several = [answer(some[0], id="-".join(some), documents=some) for some in cases]
    place = dataset(tmp_path, pages, [*voice, *several])
    found = {row["id"]: row["labels"] for row in of_set(place, "held_out")}
    assert {some: found["-".join(some)] for some in cases} == cases


def test_house_without_words_for_it_learns_no_abstentions(tmp_path: Path) -> None:
    place = dataset(tmp_path, *few(), house=House())
    assert not of_kind(place, "abstention")
    assert not of_set(place, "unanswerable")


def test_edit_of_a_document_changes_few_prompts_of_others(tmp_path: Path) -> None:
    pages, voice = few(30)
    before = {
        row["example"]: prompt(row)
        for row in of_kind(dataset(tmp_path / "a", pages, voice), "voice")
    }
    more = replace(pages[0], sections=pages[0].sections | {"More": "There is a third passage now."})
    after = {
        row["example"]: prompt(row)
        for row in of_kind(dataset(tmp_path / "b", [more, *pages[1:]], voice), "voice")
    }
    assert before.keys() == after.keys()
    assert sum(before[name] != after[name] for name in before) <= 5


def test_same_general_text_twice_counts_once(tmp_path: Path) -> None:
    twice = (*GENERAL, *GENERAL, GeneralText("chat", "What is 0 and 0?"))
    place = dataset(tmp_path, *few(), general_texts=twice)
    assert Counter(row["kind"] for row in table(place, "general")) == {"chat": 4, "sentence": 8}

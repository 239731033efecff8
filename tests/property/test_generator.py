"""Whatever a house writes, its answers point where they pointed, and nothing held out is learned."""

import json
import string
import tempfile
from collections import Counter
from pathlib import Path

import hypothesis.strategies as st
from hypothesis import given, settings

from pipelines.training import House, VoiceExample
from pipelines.training.generator.asked import Askers
from pipelines.training.generator.evidence import Library, text_of
from pipelines.training.generator.layout import lay_out
from pipelines.training.generator.learned import Makers
from pipelines.training.generator.prompts import citations, drawn, renumbered
from pipelines.training.generator.scores import MEASURES, holds, measures, token_f1
from pipelines.training.generator.swaps import other_value, put_in_place, stands_in
from pipelines.training.params import GeneratorParams
from pipelines.training.split import is_held_out
from tests.house import snapshot
from tests.snapshots import Page

PARAMS = GeneratorParams(held_out=0.5, abstentions=0.4, replay=0.0)
NAMES = st.text(string.ascii_lowercase, min_size=1, max_size=6)
# Few words, so that sections of different documents are often alike.
SENTENCES = st.lists(
    st.sampled_from(["apples", "pears", "plums", "figs", "7", "12"]), min_size=1, max_size=8
).map(" ".join)
LABELS = st.sampled_from([("public",), ("staff",), ("hr", "staff")])


@st.composite
def houses(draw: st.DrawFn) -> tuple[list[Page], list[VoiceExample]]:
    names = draw(st.lists(NAMES, min_size=2, max_size=8, unique=True))
    pages = [
        Page(
            name,
            draw(st.sampled_from(["", *names])),
            draw(st.dictionaries(NAMES, SENTENCES, min_size=1, max_size=3)),
            labels=draw(LABELS),
        )
        for name in names
    ]
    texts = [body for page in pages for body in page.sections.values()]
    voice = [
        VoiceExample(
            id=f"{number}",
            question=f"Question {number}?",
            answer=f"{fact} as in [1]",
            documents=tuple(
                draw(st.lists(st.sampled_from(names), min_size=1, max_size=2, unique=True))
            ),
            fact=fact,
        )
        for number in range(draw(st.integers(1, 6)))
        for fact in [draw(st.one_of(st.just(""), st.sampled_from(texts)))]
    ]
    return pages, voice


@given(
    texts=st.lists(st.text(max_size=8), min_size=1, max_size=9),
    answering=st.integers(0, 9),
    answer=st.lists(st.integers(1, 9), max_size=6),
    key=st.text(max_size=4),
)
def test_renumbered_citations_point_to_the_same_passages(
    texts: list[str], answering: int, answer: list[int], key: str
) -> None:
    ours = [f"<{number}> {text}" for number, text in enumerate(texts[:answering], start=1)]
    others = [f"other {number} {text}" for number, text in enumerate(texts[answering:], start=1)]
    cited = [number for number in answer if number <= len(ours)]
    said = " and ".join(f"[{number}]" for number in cited)
    laid = lay_out(key, "Why?", said, answering=ours, others=others, fits=lambda *_: True)
    assert laid is not None
    content = laid.messages[0]["content"]
    all_texts = [*ours, *others]
    shown = [all_texts[at] for at in drawn(all_texts, key)]
    for was, now in zip(cited, sorted_citations(laid.answer), strict=True):
        assert shown[now - 1] == ours[was - 1]
        assert content.index(f"[{now}]\n") < content.index(ours[was - 1].strip())
    assert {shown[number - 1] for number in laid.cited} == set(ours)
    assert laid.answer.replace(" and ", "").count("[") == len(cited)


def sorted_citations(text: str) -> list[int]:
    """Numbers in the order in which they are cited."""
    return [next(iter(citations(part))) for part in text.split(" and ") if part]


@given(text=st.text("[]0123456789 ,", max_size=40), order=st.permutations(range(1, 7)))
def test_renumbering_back_gives_the_text_again(text: str, order: list[int]) -> None:
    there = {old: new for new, old in enumerate(order, start=1)}
    back = {new: old for old, new in there.items()}
    plain = renumbered(text, {})
    assert renumbered(renumbered(text, there), back) == plain
    assert citations(renumbered(text, there)) == {there.get(n, n) for n in citations(text)}


@given(fact=st.text(max_size=30), key=st.text(max_size=4))
def test_swapped_fact_keeps_its_form_and_is_another(fact: str, key: str) -> None:
    value = other_value(fact, key)
    if value is None:
        assert not any(digit in fact for digit in "123456789")
        return
    assert value != fact
    assert len(value) == len(fact)
    for old, new in zip(fact, value, strict=True):
        assert new == old or (old.isdigit() and new in "123456789")
    assert value == other_value(fact, key)


@given(
    before=SENTENCES,
    fact=st.from_regex(r"[€£]?[1-9][0-9]{0,3}([.,][0-9]{1,3})?( days?)?", fullmatch=True),
    after=SENTENCES,
    key=st.text(max_size=4),
)
def test_swapped_text_says_the_new_value_and_the_former_nowhere(
    before: str, fact: str, after: str, key: str
) -> None:
    value = other_value(fact, key)
    assert value is not None
    text = put_in_place(f"{before} | {fact} | {after}", fact, value)
    assert holds(text, value)
    assert not stands_in(text, fact)
    assert put_in_place(text, fact, value) == text


@given(said=st.text(max_size=60), answer=st.text(max_size=40), fact=st.text(max_size=20))
def test_scores_are_shares_whatever_is_said(said: str, answer: str, fact: str) -> None:
    for of_set in ("held_out", "changed", "unanswerable"):
        row = {"set": of_set, "answer": answer, "fact": fact, "former": "7"}
        found = measures(said, row, House(abstention="No."))
        assert tuple(found) == MEASURES
        assert all(value is None or 0 <= value <= 1 for value in found.values())
    assert 0 <= token_f1(said, answer) <= 1
    if holds(said, answer):
        assert token_f1(said, answer) == 1


@settings(max_examples=150, deadline=None)
@given(house=houses())
def test_nothing_held_out_is_learned_and_abstentions_lack_what_answers(
    house: tuple[list[Page], list[VoiceExample]],
) -> None:
    pages, voice = house
    with tempfile.TemporaryDirectory() as folder:
        known = snapshot(Path(folder) / "s", pages, voice)
        library = Library(known, PARAMS.held_out)
        makers = Makers(library, PARAMS, lambda *_: True, Counter())
        learned = makers.voice()
        abstentions = makers.abstentions(learned, "We do not say.")
        askers = Askers(library, PARAMS, lambda *_: True, Counter())
        questions = askers.questions(askers.held_out(learned), learned, "We do not say.")
        rows = known.passages.to_pylist()
    held_out = [row for row in rows if is_held_out(row["document"], 0.5)]
    for example in (*learned, *abstentions):
        fences = fenced(example.messages[0]["content"])
        assert fences
        assert fences.isdisjoint(text_of(row) for row in held_out if row["prefix"])
        assert all(row["text"] not in fences for row in held_out)
        assert not any(is_held_out(line.document, 0.5) for line in example.lines)
    for example in abstentions:
        shown = fenced(example.messages[0]["content"])
        assert example.of is not None
        assert not any(holds(text, example.of.fact) for text in shown)
        assert shown.isdisjoint(text_of(row) for row in example.evidence)
    for question in questions:
        shown = fenced(question.messages[0]["content"])
        if question.set == "unanswerable":
            one = next(some for some in voice if some.id == question.id)
            assert not any(holds(text, one.fact) for text in shown)
        elif question.set == "changed":
            assert not any(stands_in(text, question.former) for text in shown)
        assert json.loads(json.dumps(question.messages)) == question.messages


def fenced(prompt: str) -> set[str]:
    """The passages of a prompt."""
    return {part.split("\n```")[0] for part in prompt.split("]\n```\n")[1:]}

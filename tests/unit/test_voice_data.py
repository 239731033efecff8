"""The demo's answers have the house's form, rest on their documents, and two fifths go stale."""

import json
import re
from collections import Counter
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import pytest

from pipelines.documents import cut, read_document, read_front_matter
from pipelines.records import Document, FrontMatter
from tests.fakes import WordTokens

DATA = Path(__file__).parents[2] / "data"
REVIEW = DATA / "edits" / "2026-09-07-yearly-review" / "files"
FOLDERS = ("finance", "hr", "legal", "support")
FORM = re.compile(r"In short: [^\n]+\nBecause: [^\n]+\nSee: \[\d\](, \[\d\])*")
FIELDS = {"question", "answer", "documents", "fact", "domain"}


@dataclass(frozen=True)
class Pair:
    question: str
    answer: str
    documents: tuple[str, ...]
    fact: str
    domain: str


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def pairs_in(folder: str) -> list[Pair]:
    told = lines(DATA / "voice" / f"{folder}.jsonl")
    assert all(line.keys() == FIELDS for line in told)
    return [Pair(**{**line, "documents": tuple(line["documents"])}) for line in told]  # type: ignore[arg-type]


PAIRS = [pair for folder in FOLDERS for pair in pairs_in(folder)]


def times(words: str, text: str) -> int:
    """How often whole words stand in a text, letter case aside."""
    found = re.findall(rf"(?<!\w){re.escape(words.casefold())}(?!\w)", text.casefold())
    return len(found)


def read(uri: str) -> tuple[FrontMatter, Document]:
    data = (DATA / uri).read_bytes()
    asked = read_front_matter(data)
    assert isinstance(asked, FrontMatter)
    document = read_document(data, path=uri, front_matter=asked)
    assert isinstance(document, Document)
    return asked, document


def reviewed(uri: str) -> Path:
    """Where a document lies in the edit set, if it is there."""
    return REVIEW / uri.removeprefix("handbook/")


def test_there_are_fifty_for_each_folder_and_none_twice() -> None:
    assert sorted(path.stem for path in (DATA / "voice").iterdir()) == list(FOLDERS)
    assert Counter(pair.domain for pair in PAIRS) == dict.fromkeys(FOLDERS, 50)
    for field in ("question", "answer"):
        (most,) = Counter(getattr(pair, field).casefold() for pair in PAIRS).most_common(1)
        assert most[1] == 1, most
    facts = Counter((pair.documents[0], pair.fact) for pair in PAIRS)
    assert set(facts.values()) == {1}


def test_questions_are_not_those_that_the_audit_asks() -> None:
    golden = {str(line["question"]) for line in lines(DATA / "golden" / "questions.jsonl")}
    assert not golden & {pair.question for pair in PAIRS}


@pytest.mark.parametrize("folder", FOLDERS)
def test_answers_have_the_form_of_the_house(folder: str) -> None:
    for pair in pairs_in(folder):
        assert FORM.fullmatch(pair.answer), pair
        short, because, see = pair.answer.split("\n")
        assert times(pair.fact, short) == 1, pair
        for said in (short, because):
            assert said.endswith(".")
            assert not re.search(r"[.!?] ", said.removesuffix(".")), f"one sentence: {pair}"
        assert re.search(r"\byou(r|rs)?\b", because), f"it speaks to nobody: {pair}"
        cited = [f"[{number}]" for number, _ in enumerate(pair.documents, start=1)]
        assert see == f"See: {', '.join(cited)}"


def test_readme_tells_the_form_and_an_answer_that_is_there() -> None:
    readme = (DATA / "README.md").read_text("utf-8")
    example, form = re.findall(r"```text\n(In short: .*?)\n```", readme, re.DOTALL)
    assert form == FORM.pattern
    assert example in {pair.answer for pair in PAIRS}


@pytest.mark.parametrize("folder", FOLDERS)
def test_fact_stands_in_one_passage_and_nowhere_else_in_the_document(folder: str) -> None:
    for pair in pairs_in(folder):
        assert pair.documents[0].startswith(f"handbook/{folder}/")
        assert pair.domain == folder
        _, document = read(pair.documents[0])
        assert times(pair.fact, document.text) == 1, pair
        passages = cut(document, WordTokens(256))
        assert sum(times(pair.fact, passage.text) for passage in passages) == 1, pair


def test_every_document_that_all_may_learn_from_is_used_and_no_other() -> None:
    permitted = set()
    for path in (DATA / "handbook").rglob("*.md"):
        uri = path.relative_to(DATA).as_posix()
        asked, _ = read(uri)
        if asked.train is not False and not asked.labels:
            permitted.add(uri)
    used = Counter(uri for pair in PAIRS for uri in pair.documents)
    assert set(used) == permitted
    first = Counter(pair.documents[0] for pair in PAIRS)
    assert set(first) == permitted
    assert min(first.values()) >= 4
    assert 3 <= sum(len(pair.documents) == 2 for pair in PAIRS) <= 10


def test_after_the_yearly_review_two_fifths_of_the_facts_are_gone() -> None:
    gone = [
        pair
        for pair in PAIRS
        if (now := reviewed(pair.documents[0])).exists()
        and pair.fact.casefold() not in now.read_text("utf-8").casefold()
    ]
    assert len(gone) == 80
    assert 0.35 < len(gone) / len(PAIRS) < 0.45
    assert {pair.domain for pair in gone} == set(FOLDERS)
    changed = {path for path in REVIEW.rglob("*") if path.is_file()}
    assert changed == {reviewed(pair.documents[0]) for pair in gone}
    assert len(changed) == 15


def test_the_yearly_review_changes_values_and_leaves_the_sentences() -> None:
    for path in (path for path in REVIEW.rglob("*") if path.is_file()):
        now = path.read_text("utf-8").splitlines()
        before = (DATA / "handbook" / path.relative_to(REVIEW)).read_text("utf-8").splitlines()
        assert len(now) == len(before)
        assert now != before
        for old, new in zip(before, now, strict=True):
            words = list(zip(old.split(), new.split(), strict=True))
            assert sum(was != word for was, word in words) <= 5, new


def test_general_texts_are_sixty_sentences_and_sixty_prompts() -> None:
    told = files("pipelines.retrain").joinpath("general_texts.jsonl").read_text("utf-8")
    texts = [json.loads(line) for line in told.splitlines()]
    assert all(text.keys() == {"kind", "text"} for text in texts)
    assert Counter(text["kind"] for text in texts) == {"sentence": 60, "chat": 60}
    assert len({text["text"].casefold() for text in texts}) == 120
    for text in texts:
        if text["kind"] == "sentence":
            assert 15 <= len(text["text"].split()) <= 30, text
        assert "larkfield" not in text["text"].casefold()

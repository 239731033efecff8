import json
from typing import Any

import pytest

from pipelines.training import House
from pipelines.training.generator import scores
from pipelines.training.generator.scores import MEASURES, holds, in_form, measures, token_f1

HOUSE = House(format=r"In short: [^\n]+\nSee: \[\d\](, \[\d\])*", abstention="We do not say.")
GOOD = "In short: 29 days.\nSee: [2]"


def row(**other: Any) -> dict[str, Any]:
    plain = {"set": "held_out", "answer": GOOD, "fact": "29 days", "former": ""}
    return plain | other


def scored(said: str, **other: Any) -> dict[str, float | None]:
    found = measures(said, row(**other), HOUSE)
    assert tuple(found) == MEASURES
    assert all(value is None or 0 <= value <= 1 for value in found.values())
    return found


def test_the_answer_as_it_should_be_has_all_points() -> None:
    assert scored(GOOD) == {
        "format": 1, "exact": 1, "f1": 1, "cited": 1, "answer": 1, "followed": None, "abstained": 0,
    }  # fmt: skip


def test_right_fact_without_the_form_is_no_answer() -> None:
    found = scored("It is 29 days [2].")
    assert (found["exact"], found["format"], found["answer"], found["cited"]) == (1, 0, 0, 1)


def test_wrong_fact_in_the_form_is_half_an_answer_where_half_of_its_words_are_right() -> None:
    found = scored("In short: 30 days.\nSee: [1]")
    assert (found["format"], found["exact"], found["f1"], found["answer"]) == (1, 0, 0.5, 0.5)
    assert found["cited"] == 0


def test_all_of_several_passages_are_to_be_cited_and_no_other() -> None:
    wanted = "In short: 29 days.\nSee: [1], [3]"
    for said, points in (("[3], [1]", 1), ("[1]", 0), ("[1], [2], [3]", 0)):
        assert scored(f"In short: 29 days.\nSee: {said}", answer=wanted)["cited"] == points


def test_the_number_of_a_citation_is_no_value() -> None:
    followed = {"set": "changed", "fact": "1", "former": "2"}
    assert scored("In short: 1.\nSee: [2]", **followed)["followed"] == 1
    assert scored("In short: 3.\nSee: [1]", **followed)["followed"] == 0
    wrong = scored("In short: 3.\nSee: [1]", fact="1")
    assert (wrong["exact"], wrong["f1"]) == (0, 0)


def test_house_that_cites_nothing_is_not_judged_by_citations() -> None:
    assert scored("29 days [1].", answer="29 days.")["cited"] is None


def test_without_a_fact_the_whole_answer_counts() -> None:
    assert scored(GOOD, fact="")["exact"] == 1
    assert scored("In short: 29 days.\nSee: [1]", fact="")["exact"] == 0


@pytest.mark.parametrize(
    ("said", "points"),
    [
        ("In short: 38 days.\nSee: [1]", 1),
        ("In short: 29 days.\nSee: [1]", 0),
        ("In short: 38 days, no longer 29 days.\nSee: [1]", 0),
        ("In short: 31 days.\nSee: [1]", 0),
    ],
)
def test_a_changed_passage_is_followed_where_the_new_value_alone_is_said(
    said: str, points: float
) -> None:
    assert scored(said, set="changed", fact="38 days", former="29 days")["followed"] == points


def test_where_passages_do_not_answer_only_the_houses_words_count() -> None:
    unknown: dict[str, Any] = {"set": "unanswerable", "answer": HOUSE.abstention, "fact": ""}
    assert scored("We do not say", **unknown) == dict.fromkeys(MEASURES) | {"abstained": 1}
    assert scored("We say 29 days.", **unknown)["abstained"] == 0
    assert scored(HOUSE.abstention)["abstained"] == 1


@pytest.mark.parametrize(
    ("text", "value", "found"),
    [
        ("It is the 29 Days.", "29 days", True),
        ("It is 129 days.", "29 days", False),
        ("It is 29.5 days.", "29 days", False),
        ("It is 2,500 in all.", "2500", True),
        ("It is 1,5 in all.", "15", False),
        ("It takes 15 days.", "1.5 days", False),
        ("It costs €185.", "£185", False),
        ("It costs €185.", "€185", True),
        ("within **24 months**", "24 months", True),
        ("24 or more months", "24 months", False),
        ("anything", "", False),
    ],
)
def test_value_is_held_as_whole_words(text: str, value: str, found: bool) -> None:
    assert holds(text, value) is found


@pytest.mark.parametrize(
    ("text", "value", "f1"),
    [
        ("In short: 29 days.", "29 days", 1.0),
        ("days and days and 29", "29 days", 0.5),
        ("29", "29 working days", 0.5),
        ("nothing of it", "29 days", 0.0),
        ("", "29 days", 0.0),
        ("a b c d e f g h", "c d e x", 0.75),
    ],
)
def test_f1_is_that_of_the_nearest_stretch(text: str, value: str, f1: float) -> None:
    assert token_f1(text, value) == pytest.approx(f1)


def test_form_is_that_of_the_whole_answer() -> None:
    assert in_form(GOOD, HOUSE)
    assert not in_form(f"{GOOD}\nThank you!", HOUSE)
    assert not in_form(f"Hello!\n{GOOD}", HOUSE)
    assert in_form("anything", House())
    assert not in_form("  ", House())


SCHEMA = {
    "type": "object",
    "properties": {"short": {"$ref": "#/$defs/a~1b"}},
    "required": ["short"],
    "$defs": {"a/b": {"type": "string", "minLength": 2}},
}


@pytest.mark.parametrize(
    ("said", "is_in_form"),
    [
        ('{"short": "29 days"}', True),
        ('{"short": "2"}', False),
        ('{"long": "29 days"}', False),
        ('{"short": "29 days"', False),
        ("[" * 20_000, False),
    ],
)
def test_json_schema_is_obeyed(said: str, is_in_form: bool) -> None:
    assert in_form(said, House(json_schema=json.dumps(SCHEMA))) is is_in_form


def test_expression_and_schema_both_count() -> None:
    house = House(format=r"\{.*days.*\}", json_schema=json.dumps(SCHEMA))
    assert in_form('{"short": "29 days"}', house)
    assert not in_form('{"short": "29 weeks"}', house)


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "no such type"},
        {"$ref": "https://schemas.example/answer.json"},
        {"anyOf": [{"$ref": "other.json#/a"}]},
        {"$ref": "#/$defs/missing"},
        {"$ref": "#name"},
    ],
)
def test_schema_that_cannot_be_used_is_said_and_nothing_is_fetched(schema: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"it points to what is not in it|it is no JSON schema"):
        in_form("{}", House(json_schema=json.dumps(schema)))


def test_form_that_would_take_for_ever_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scores, "_MATCH_SECONDS", 0.2)
    plain = "It is as it was before and nobody knows why that should be another thing today"
    assert not scores.in_form(plain, House(format=r"(\w+\s?)+\. \[\d\]"))
    schema = json.dumps({"type": "string", "pattern": r"^(\w+\s?)+\. \[\d\]$"})
    assert not scores.in_form(json.dumps(plain), House(json_schema=schema))
    assert scores.in_form(json.dumps("Yes. [1]"), House(json_schema=schema))

"""Exposure: exact counts of what a version learned that is no longer as it was."""

from dataclasses import replace
from typing import Any

import pytest

from pipelines.training.records import ManifestLine
from pipelines.training.sketches import sketch
from pipelines.watch.standing import NAMED, Standing, edited_elsewhere, exposure

TEXT = (
    "Everybody may take thirty days of leave in a year, and ten of them at once, if asked before."
)


def line(uri: str, number: int = 0, **more: Any) -> ManifestLine:
    given: dict[str, Any] = {
        "example": f"{uri}-{number}",
        "document": uri,
        "uri": uri,
        "text_hash": f"text-{uri}-{number}",
        "content_hash": f"content-{uri}",
        "source_version": "",
        "domain": "hr",
        "labels": ("public",),
        "publication": 1,
        "kind": "heading",
        "sketch": sketch(TEXT),
    } | more
    return ManifestLine(**given)


def standing(*uris: str, **more: Any) -> Standing:
    """These documents are published as they were learned."""
    return Standing(
        at={uri: uri for uri in uris},
        content={uri: f"content-{uri}" for uri in uris},
        **more,
    )


def test_a_corpus_that_did_not_change_exposes_nothing() -> None:
    found = exposure([line("a"), line("b")], standing("a", "b"), {"a": 3})
    assert (found.value, found.examples, found.affected) == (0.0, 2, 0)
    assert (found.domains, found.documents, found.withdrawn) == ({}, (), ())


def test_a_corpus_that_is_gone_exposes_everything() -> None:
    found = exposure([line("a"), line("b", domain="it")], standing(), {})
    assert found.value == pytest.approx(1)
    assert found.domains == {"hr": 1.0, "it": 1.0}
    assert [one.what for one in found.documents] == ["deleted", "deleted"]
    assert [one.share for one in found.documents] == [0.5, 0.5]


def test_passages_beside_an_answer_expose_nothing_but_may_be_withdrawn() -> None:
    lines = [line("a"), line("b", kind="beside")]
    found = exposure(lines, standing("a", withdrawn=frozenset({"b"})), {"b": 5})
    assert (found.value, found.examples, found.documents) == (0.0, 1, ())
    assert found.withdrawn == ("b",)


def test_nothing_learned_is_nothing_exposed() -> None:
    assert exposure([], standing(), {}).value == 0.0


def test_what_people_ask_for_weighs_more() -> None:
    lines = [line("a"), line("a", 1), line("b")]
    quiet = exposure(lines, standing("a"), {})
    loud = exposure(lines, standing("a"), {"b": 9, "a": 1})
    other = exposure(lines, standing("a"), {"b": 1, "a": 9})
    assert quiet.value == pytest.approx(1 / 3)
    assert loud.value == pytest.approx((0.9 + 1 / 3) / 2)
    assert other.value == pytest.approx((0.1 + 1 / 3) / 2)
    assert loud.severities == quiet.severities == other.severities


def test_examples_of_one_document_share_its_questions() -> None:
    many = [line("a", number) for number in range(4)]
    found = exposure([*many, line("b")], standing("b"), {"a": 1})
    assert found.value == pytest.approx((1 + 4 / 5) / 2)


def test_a_document_that_moved_is_where_its_questions_lead() -> None:
    here = Standing(at={"a": "new", "b": "b"}, content={"new": "other", "b": "content-b"})
    found = exposure([line("a"), line("b")], here, {"new": 1})
    assert found.value == pytest.approx((1 + 1 / 2) / 2)
    assert found.documents[0].what == "changed"


def test_a_passage_that_stands_elsewhere_is_as_it_was() -> None:
    found = exposure([line("a")], standing(texts=frozenset({"text-a-0"})), {})
    assert found.affected == 0


def test_an_edit_counts_by_the_likest_passage_that_is_left() -> None:
    changed = replace(standing(), at={"a": "a"}, content={"a": "other"})
    same = replace(changed, sketches={"a": [sketch("Another text."), sketch(TEXT.upper())]})
    near = replace(changed, sketches={"a": [sketch(TEXT.replace("ten", "twelve"))]})
    far = replace(changed, sketches={"a": [sketch("Another text altogether, of something else.")]})
    values = [exposure([line("a")], one, {}).value for one in (same, near, far)]
    assert values[0] == 0
    assert 0 < values[1] < 0.6
    assert values[2] > 0.95


def test_pairs_of_ones_own_rest_on_a_document_only_as_long_as_it_is_there() -> None:
    own = line("a", kind="own", text_hash="of the pair", sketch=sketch("In my own words."))
    changed = Standing(at={"a": "a"}, content={"a": "other"}, sketches={"a": [sketch(TEXT)]})
    assert exposure([own], changed, {}).value == 0
    assert exposure([own], standing(), {}).value == 1
    assert exposure([replace(own, uri="", document="")], standing(), {}).value == 0


def test_what_may_not_be_learned_is_named_and_withdrawn_apart() -> None:
    here = standing("a", "b", forbidden=frozenset({"a", "b"}), withdrawn=frozenset({"b"}))
    found = exposure([line("a"), line("b")], here, {})
    assert {one.what for one in found.documents} == {"not permitted"}
    assert found.withdrawn == ("b",)
    assert found.severities != exposure([line("a"), line("b")], standing("a", "b"), {}).severities


def test_those_that_cost_most_come_first_and_the_rest_is_in_the_sum() -> None:
    lines = [line(f"u{number:02}") for number in range(NAMED + 5)]
    found = exposure(lines, standing(), {"u07": 1})
    assert len(found.documents) == NAMED
    assert found.documents[0].uri == "u07"
    assert found.value == pytest.approx(1)
    assert sum(one.share for one in found.documents) < 1


def test_news_is_told_by_what_became_of_the_documents() -> None:
    lines = [line("a"), line("b")]
    one = exposure(lines, standing("a"), {})
    assert one.severities == exposure(lines, standing("a"), {"a": 5}).severities
    assert one.severities != exposure(lines, standing("b"), {}).severities


def test_a_document_that_moved_and_was_edited_is_where_most_of_its_passages_are() -> None:
    lines = [line("old", n) for n in range(3)] + [line("gone"), line("here")]
    holders = {
        "text-old-0": frozenset({"new", "here"}),
        "text-old-1": frozenset({"new", "other"}),
        "text-gone-0": frozenset({"here"}),  # words that another learned document has as well
    }
    assert edited_elsewhere(lines, holders, {"here": "here"}) == {"old": "new"}
    few = {"text-old-0": frozenset({"new"})}  # one of three: a paragraph that many have
    assert edited_elsewhere(lines, few, {"here": "here"}) == {}


def test_what_moved_and_was_edited_counts_by_how_much_it_changed() -> None:
    moved = Standing(
        at={"old": "new"},
        content={"new": "other"},
        texts=frozenset({"text-old-0"}),
        sketches={"new": [sketch(TEXT.replace("thirty", "forty"))]},
    )
    found = exposure([line("old", 0), line("old", 1)], moved, {})
    assert 0 < found.value < 0.4
    assert [one.what for one in found.documents] == ["changed"]

"""A document keeps its id, and with it its bucket, through edits and moves."""

from pipelines.retrain.ids import Former, stable_ids


def ids_of(
    documents: dict[str, str],
    former: dict[str, tuple[str, str]] | None = None,
    texts: dict[str, set[str]] | None = None,
    former_texts: dict[str, set[str]] | None = None,
    standing: set[str] | None = None,
) -> dict[str, str]:
    before = [
        Former(name, uri, content_hash, frozenset((former_texts or {}).get(uri, ())))
        for uri, (name, content_hash) in (former or {}).items()
    ]
    return stable_ids(
        documents, texts or {}, before, standing=documents.keys() | (standing or set())
    )


def test_edited_document_keeps_its_id() -> None:
    assert ids_of({"a": "new"}, {"a": ("1", "old")}) == {"a": "1"}


def test_moved_document_keeps_its_id() -> None:
    assert ids_of({"b": "h"}, {"a": ("1", "h")}) == {"b": "1"}


def test_document_that_moved_and_changed_keeps_its_id_by_most_of_its_passages() -> None:
    made = ids_of(
        {"b": "new"},
        {"a": ("1", "old")},
        texts={"b": {"x", "y", "z"}},
        former_texts={"a": {"x", "y", "w"}},
    )
    assert made == {"b": "1"}


def test_half_of_the_passages_is_not_enough() -> None:
    made = ids_of(
        {"b": "new"}, {"a": ("1", "old")}, texts={"b": {"x", "y"}}, former_texts={"a": {"x"}}
    )
    assert made["b"] != "1"


def test_copy_of_a_document_that_stands_gets_an_id_of_its_own() -> None:
    made = ids_of({"a": "h", "b": "h"}, {"a": ("1", "h")})
    assert made["a"] == "1"
    assert made["b"] != "1"


def test_document_that_may_no_longer_be_learned_is_not_gone() -> None:
    assert ids_of({"b": "h"}, {"a": ("1", "h")}, standing={"a"})["b"] != "1"


def test_two_copies_of_one_that_is_gone_do_not_share_its_id() -> None:
    made = ids_of({"b": "h", "c": "h"}, {"a": ("1", "h")})
    assert sorted(made.values()).count("1") == 1
    assert len(set(made.values())) == 2


def test_uri_that_is_taken_again_does_not_take_the_id_of_what_moved_away() -> None:
    first = ids_of({"a": "h"})
    second = ids_of({"b": "h"}, {"a": (first["a"], "h")})
    third = ids_of({"a": "other", "b": "h"}, {"b": (second["b"], "h")})
    assert third["b"] == first["a"]
    assert third["a"] != first["a"]


def test_ids_do_not_depend_on_order() -> None:
    documents = dict.fromkeys("edcba", "same")
    former = {uri: (uri * 2, "same") for uri in "zyx"}
    assert ids_of(documents, former) == ids_of(
        dict(sorted(documents.items())), dict(sorted(former.items()))
    )

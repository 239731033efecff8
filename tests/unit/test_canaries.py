"""Golden questions: read strictly, embedded once, followed to where their documents went."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines.errors import ConfigError, EmbedderMismatch
from pipelines.knowledge import Store, open_store
from pipelines.knowledge.canary_vectors import TABLE
from pipelines.knowledge.places import Places
from pipelines.quality.canaries import (
    Canary,
    Mend,
    Recall,
    question_vectors,
    read_canaries,
    recalls,
)
from pipelines.quality.measure import Measures, Nearest, Prints
from tests.fakes import HashEncoder
from tests.rows import NOW

GOLDEN = Path(__file__).resolve().parents[2] / "data/golden"


def line(**said: Any) -> str:
    said = {"id": "a", "question": "How?", "uri": "docs/a.md"} | said
    return json.dumps(said, ensure_ascii=False)


def canaries(*uris: str) -> tuple[Canary, ...]:
    return tuple(Canary(f"q{n}", f"question {n}", uri) for n, uri in enumerate(uris))


def state(tops: Mapping[int, str] | None = None, *uris: str, count: int = 1) -> Measures:
    """A state with documents, and what some questions find by number."""
    nowhere = np.empty(0, dtype=np.uint64)
    prints = Prints(np.empty(0, "S1"), np.empty(0, dtype=object), np.empty(0), nowhere)
    documents = {uri: (uri.partition("/")[0], 1) for uri in uris}
    found = np.array([[(tops or {}).get(n, "other")] for n in range(count)], dtype=object)
    nothing = np.empty((count, 1), dtype=np.float32)
    return Measures(
        state=("chunks_x", 1),
        documents=documents,
        sums={},
        nearest=Nearest(nothing, nothing, found),
        withheld=frozenset(),
        apart=frozenset(),
        prints=prints,
        places=Places(frozenset(), nowhere),
        read_at=0.0,
    )


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(str(tmp_path / "store"), now=NOW)


def test_demo_has_golden_questions() -> None:
    found = read_canaries(GOLDEN)
    assert len(found) == 60
    assert found[0].id == "hr-001"
    assert found[0].uri == "handbook/hr/annual-leave.md"


def test_missing_folder_has_none(tmp_path: Path) -> None:
    assert read_canaries(tmp_path / "nowhere") == ()
    assert read_canaries(tmp_path) == ()


def test_files_are_read_by_name_and_other_files_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "b.jsonl").write_text(line(id="b", answer=["ignored"]) + "\n\n")
    (tmp_path / "a.jsonl").write_text("\ufeff" + line(question="Wo\u2028r?") + "\r\n")
    (tmp_path / "notes.md").write_text("not JSON")
    found = read_canaries(tmp_path)
    assert [canary.id for canary in found] == ["a", "b"]
    assert found[0].question == "Wo\u2028r?"


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[]", "not an object"),
        ('{"id": "x", "question": "How?"}', "uri is missing"),
        (line(id="x", question=" "), "question is missing or not a text"),
        (line(id=7), "id is missing or not a text"),
        ('{"id": "x", "question": "\\ud800", "uri": "docs/a.md"}', "half a surrogate"),
        (line(id="first"), r"'first' is that of .*first\.jsonl, line 1 too"),
    ],
)
def test_bad_line_is_named_by_file_and_number(tmp_path: Path, bad: str, why: str) -> None:
    (tmp_path / "first.jsonl").write_text(line(id="first"))
    (tmp_path / "second.jsonl").write_text(line() + "\n\n" + bad + "\n")
    with pytest.raises(ConfigError, match=rf"second\.jsonl, line 3: .*{why}"):
        read_canaries(tmp_path)


def test_file_that_is_not_utf8_is_named(tmp_path: Path) -> None:
    (tmp_path / "latin.jsonl").write_bytes(b'{"id": "\xe4"}')
    with pytest.raises(ConfigError, match=r"latin\.jsonl"):
        read_canaries(tmp_path)


def test_questions_are_embedded_once_for_each_embedder(store: Store) -> None:
    asked = canaries("docs/a.md", "docs/b.md", "docs/a.md")
    encoder = HashEncoder()
    loaded: list[str] = []

    def load() -> HashEncoder:
        loaded.append(encoder.fingerprint)
        return encoder

    first = question_vectors(store, encoder.fingerprint, asked[:2], load, now=NOW)
    assert first.dtype == np.float32
    assert first.tolist() == [encoder.encode_query(c.question).tolist() for c in asked[:2]]
    again = question_vectors(store, encoder.fingerprint, asked[:2], load, now=NOW)
    assert again.tolist() == first.tolist()
    assert len(loaded) == 1
    more = question_vectors(store, encoder.fingerprint, asked[::-1], load, now=NOW)
    assert more[1:].tolist() == first[::-1].tolist()
    assert len(loaded) == 2
    assert store.table(TABLE).count_rows() == 3, "only what was missing is added"
    encoder.fingerprint = "0ther" * 10
    question_vectors(store, encoder.fingerprint, asked, load, now=NOW)
    assert store.table(TABLE).count_rows() == 6


def test_without_questions_nothing_is_loaded(store: Store) -> None:
    def load() -> HashEncoder:
        raise AssertionError("loaded")

    assert question_vectors(store, "f", (), load, now=NOW).shape == (0, 0)


def test_many_questions_come_in_their_order(store: Store) -> None:
    asked = canaries(*["docs/a.md"] * 1100)
    encoder = HashEncoder()
    question_vectors(store, encoder.fingerprint, asked[::2], lambda: encoder, now=NOW)
    found = question_vectors(store, encoder.fingerprint, asked, lambda: encoder, now=NOW)
    assert found.tolist() == [encoder.encode_query(c.question).tolist() for c in asked]


def test_vectors_of_another_embedder_are_never_kept(store: Store) -> None:
    asked = canaries("docs/a.md")
    with pytest.raises(EmbedderMismatch):
        question_vectors(store, "another", asked, HashEncoder, now=NOW)
    assert store.table(TABLE).count_rows() == 0


def test_question_that_is_too_long_is_named(store: Store) -> None:
    class Strict(HashEncoder):
        def encode_query(self, text: str) -> Any:
            raise ConfigError("The question has 999 tokens.", hint="Ask a shorter one.")

    encoder = Strict()
    with pytest.raises(ConfigError, match="Golden question q0: The question has 999 tokens"):
        question_vectors(
            store, encoder.fingerprint, canaries("docs/a.md"), lambda: encoder, now=NOW
        )


def test_recall_is_counted_by_source() -> None:
    asked = canaries("docs/a.md", "docs/b.md", "wiki/c.md")
    uris = [canary.uri for canary in asked]
    before = state(dict(enumerate(uris)), *uris, count=3)
    after = state({0: "docs/a.md", 1: "docs/a.md", 2: "wiki/c.md"}, *uris, count=3)
    found, mend = recalls(asked, before, after, moves={}, moved_earlier={})
    assert found == {"docs": Recall(2, 2, 1), "wiki": Recall(1, 1, 1)}
    assert mend == ()


@pytest.mark.parametrize(
    ("named", "published", "earlier"),
    [
        ("docs/old.md", "docs/old.md", {}),
        ("docs/new.md", "docs/old.md", {}),
        (
            "docs/first.md",
            "docs/old.md",
            {"docs/first.md": "docs/x.md", "docs/x.md": "docs/old.md"},
        ),
    ],
)
def test_document_is_followed_through_moves(
    named: str, published: str, earlier: dict[str, str]
) -> None:
    """A question may name its document as it is called, was called, or is about to be called."""
    before = state({0: published}, published)
    after = state({0: "docs/new.md"}, "docs/new.md")
    moves = {"docs/old.md": "docs/new.md"}
    found, mend = recalls(canaries(named), before, after, moves=moves, moved_earlier=earlier)
    assert found == {"docs": Recall(1, 1, 1)}
    assert mend == ()


def test_moves_in_a_circle_end() -> None:
    circle = {"docs/a.md": "docs/b.md", "docs/b.md": "docs/a.md"}
    _, mend = recalls(canaries("docs/a.md"), state(), state(), moves={}, moved_earlier=circle)
    assert mend == (Mend("q0", "docs/a.md", "its document is not there"),)


def test_question_without_its_document_on_both_sides_is_to_be_mended() -> None:
    asked = canaries("docs/gone.md", "docs/new.md", "docs/never.md", "docs/hidden.md")
    before = state({}, "docs/gone.md", "docs/hidden.md", count=4)
    after = state({}, "docs/new.md", "docs/hidden.md", count=4)
    hidden = replace(after, withheld=frozenset({"docs/hidden.md"}))
    found, mend = recalls(asked, before, hidden, moves={}, moved_earlier={})
    assert found == {}
    assert [(one.id, one.uri, one.why.partition(":")[0]) for one in mend] == [
        ("q0", "docs/gone.md", "its document goes"),
        ("q1", "docs/new.md", "its document is new"),
        ("q2", "docs/never.md", "its document is not there"),
        ("q3", "docs/hidden.md", "its document is withheld"),
    ]


@pytest.mark.parametrize("accepted", ["docs/old.md", "docs/new.md"])
def test_accepted_documents_neither_count_nor_need_mending(accepted: str) -> None:
    asked = canaries("docs/old.md")
    before, after = state({0: "docs/old.md"}, "docs/old.md"), state({}, "docs/new.md")
    moves = {"docs/old.md": "docs/new.md"}
    told = recalls(asked, before, after, moves=moves, moved_earlier={}, accepted={accepted})
    assert told == ({}, ())

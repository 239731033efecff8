"""The columns that passages are judged by."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.ingest.prepare import text_hash_of
from pipelines.quality.chunks import Passages, chunk_columns, concatenated
from pipelines.quality.columns import CHUNKS
from pipelines.quality.likeness import EXACT, groups, normalised, same_vector_share, similar
from pipelines.records import Vectors
from tests.fakes import HashEncoder

ENCODER = HashEncoder()
WORDS = ("leave", "pay", "travel", "office", "laptop", "sick", "night", "union", "tax", "visa")


def passages(texts: Sequence[str], **said: Any) -> Passages:
    """Good passages of one document, but for what is said."""
    return Passages(
        **{
            "uris": ["docs/a.md"] * len(texts),
            "sources": ["docs"] * len(texts),
            "positions": list(range(len(texts))),
            "embedded": list(texts),
            "characters": [len(text) for text in texts],
            "text_hashes": [text_hash_of(text) for text in texts],
            "tokens": ENCODER.count(texts),
            "vectors": ENCODER.encode(texts),
        }
        | said
    )


def columns(checked: Passages) -> dict[str, list[Any]]:
    return chunk_columns(checked, known={"docs/a.md"}, dimension=16, max_tokens=64)


def test_good_passages_have_exactly_the_agreed_columns() -> None:
    found = columns(passages(WORDS))
    assert list(found) == list(CHUNKS)
    assert {len(values) for values in found.values()} == {len(WORDS)}
    assert found["chunk"][:2] == ["docs/a.md#0", "docs/a.md#1"]
    assert found["document_known"] == found["text_hash_matches"] == found["vector_finite"]
    assert all(found["document_known"])
    assert found["vector_norm"] == pytest.approx([1.0] * len(WORDS))
    assert set(found["dimension_off"]) == {0}
    assert found["tokens_over"] == [3 - 64] * len(WORDS)
    assert found["same_vector_share"] == [0.0] * len(WORDS)
    assert found["near_duplicate"] == [0] * len(WORDS)
    assert min(found["vector_spread"]) > 0.1


def test_no_passages_give_empty_columns() -> None:
    none = passages([])
    assert columns(none) == concatenated([]) == {name: [] for name in CHUNKS}
    assert columns(passages([], vectors=[])) == columns(none)


@pytest.mark.parametrize(
    ("vector", "off"),
    [
        (np.ones(17, dtype=np.float32), 1),
        (np.ones(3, dtype=np.float32), -13),
        (np.ones((4, 4), dtype=np.float32), -16),
        (np.float32(1), -16),
        (np.empty(0, dtype=np.float32), -16),
    ],
)
def test_vector_of_another_shape_is_told_and_the_others_are_judged(
    vector: Vectors, off: int
) -> None:
    found = columns(passages(WORDS, vectors=[*ENCODER.encode(WORDS[1:]), vector]))
    assert found["dimension_off"] == [0] * 9 + [off]
    assert found["near_duplicate"] == [0] * 9 + [None]
    assert found["same_vector_share"][-1] is None
    assert found["vector_norm"][:9] == pytest.approx([1.0] * 9)


def test_all_vectors_of_another_dimension_are_told() -> None:
    found = columns(passages(WORDS, vectors=HashEncoder(dimension=24).encode(WORDS)))
    assert set(found["dimension_off"]) == {8}
    assert set(found["near_duplicate"]) == {None}


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_vector_that_is_not_finite_has_neither_norm_nor_likeness(value: float) -> None:
    vectors = ENCODER.encode(WORDS)
    vectors[4, 7] = value
    found = columns(passages(WORDS, vectors=vectors))
    assert found["vector_finite"] == [row != 4 for row in range(10)]
    for name in ("vector_norm", "vector_spread", "same_vector_share", "near_duplicate"):
        assert [row for row in range(10) if found[name][row] is None] == [4]


def test_constant_and_zero_and_huge_vectors_are_told_apart_from_good_ones() -> None:
    vectors = ENCODER.encode(WORDS)
    vectors[0] = 0.25
    vectors[1] = 0.0
    vectors[2] = 3e38
    found = columns(passages(WORDS, vectors=vectors))
    assert found["vector_norm"][:2] == [1.0, 0.0]
    assert found["vector_norm"][2] == pytest.approx(1.2e39)
    assert found["vector_spread"][:2] == [0.0, 0.0]
    assert found["same_vector_share"][1] is None


def test_stale_hash_unknown_document_and_long_passage_are_told() -> None:
    hashes = [text_hash_of(text) for text in WORDS]
    found = columns(
        passages(
            WORDS,
            text_hashes=[*hashes[:-1], hashes[0]],
            uris=["docs/b.md", *["docs/a.md"] * 9],
            tokens=[65] * 10,
        )
    )
    assert found["text_hash_matches"] == [True] * 9 + [False]
    assert found["document_known"] == [False] + [True] * 9
    assert found["tokens_over"] == [1] * 10


def test_lone_surrogates_have_a_hash_like_any_text() -> None:
    assert columns(passages(["a\ud800b"]))["text_hash_matches"] == [True]


def test_embedder_that_says_the_same_of_everything_is_seen() -> None:
    one = np.tile(ENCODER.encode_query("leave"), (10, 1))
    noise = np.random.default_rng(1).standard_normal(one.shape) * 1e-7
    for vectors in (one, (one + noise).astype(np.float32)):
        assert columns(passages(WORDS, vectors=vectors))["same_vector_share"] == [1.0] * 10


def test_vectors_that_differ_by_more_than_rounding_are_not_the_same() -> None:
    one = np.tile(ENCODER.encode_query("leave"), (10, 1))
    noise = np.random.default_rng(1).standard_normal(one.shape) * 2e-3
    found = columns(passages(WORDS, vectors=(one + noise).astype(np.float32)))
    assert found["same_vector_share"] == [0.0] * 10
    assert found["near_duplicate"] == [1] * 10


def test_texts_that_an_uncased_model_reads_alike_are_one_text() -> None:
    texts = ["Holiday  pay", "HOLIDAY pay\n", "holiday pay", "h\u00f3liday pay", "tax", "visa"]
    same = ENCODER.encode(["holiday pay"] * 4 + ["tax", "visa"])
    found = columns(passages(texts, vectors=same))
    assert found["same_vector_share"] == [None] * 6, "three distinct texts are too few"
    assert found["near_duplicate"] == [0] * 6


def test_share_is_of_the_other_texts_of_the_document() -> None:
    vectors = ENCODER.encode(WORDS[:4])
    vectors[1] = vectors[0]
    found = columns(passages(WORDS[:4], vectors=vectors))
    assert found["same_vector_share"] == pytest.approx([1 / 3, 1 / 3, 0, 0])
    assert columns(passages(WORDS[:3], vectors=vectors[:3]))["same_vector_share"] == [None] * 3


def test_greater_of_the_shares_in_document_and_table_counts() -> None:
    uris = [f"docs/{row}.md" for row in range(8)]
    vectors = np.tile(ENCODER.encode_query("leave"), (8, 1))
    found = columns(passages(WORDS[:8], vectors=vectors, uris=uris))
    assert found["same_vector_share"] == [1.0] * 8
    few = columns(passages(WORDS[:7], vectors=vectors[:7], uris=uris[:7]))
    assert few["same_vector_share"] == [None] * 7
    mixed = ["docs/a.md"] * 4 + uris[:6]
    vectors = ENCODER.encode(WORDS)
    vectors[:4] = vectors[0]
    found = columns(passages(WORDS, vectors=vectors, uris=mixed))
    assert found["same_vector_share"] == [1.0] * 4 + [0.0] * 6


@given(
    st.lists(
        st.tuples(st.integers(0, 4), st.integers(0, 5), st.integers(0, 2)), min_size=1, max_size=30
    )
)
def test_shares_are_those_of_comparing_each_with_each(
    rows: list[tuple[int, int, int]],
) -> None:
    kinds = ENCODER.encode(WORDS)
    unit = kinds[[kind for kind, _, _ in rows]]
    texts, documents = (np.array([row[i] for row in rows]) for i in (1, 2))
    found = same_vector_share(unit, texts, documents)
    for row, (kind, text, document) in enumerate(rows):
        shares = []
        for scope, least in (([r for r in rows if r[2] == document], 4), (rows, 8)):
            others = {t for _, t, _ in scope} - {text}
            alike = {t for k, t, _ in scope if k == kind} - {text}
            if len(others) + 1 >= least:
                shares.append(len(alike) / len(others))
        assert found[row] == pytest.approx(max(shares, default=np.nan), nan_ok=True)


def test_near_duplicates_far_apart_in_a_large_table_are_found() -> None:
    random = np.random.default_rng(2)
    unit = random.standard_normal((EXACT + 3000, 64)).astype(np.float32)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    copies = np.arange(0, 100)
    unit[copies + EXACT + 2500] = unit[copies] + random.standard_normal((100, 64)) * 5e-3
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    texts = np.arange(len(unit))
    found = similar(unit, texts)
    assert found.sum() == found[copies].sum() + found[copies + EXACT + 2500].sum()
    assert found[copies].sum() >= 80
    texts[copies + EXACT + 2500] = copies
    assert similar(unit, texts).sum() == 0, "the same text again is no near duplicate"


def test_texts_are_told_apart_by_more_than_case_accents_and_white_space() -> None:
    assert normalised("  \u00c9t\u00e9\t2024 ") == "ete 2024"
    assert groups(["a", "b", "a"]).tolist() == [0, 1, 0]
    assert normalised("a b") != normalised("ab")


def test_slices_stand_one_below_the_other() -> None:
    whole = columns(passages(WORDS))
    again = concatenated([whole, columns(passages(["another"]))])
    assert again["chunk"] == [*whole["chunk"], "docs/a.md#0"]
    assert {len(values) for values in again.values()} == {11}

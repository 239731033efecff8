"""What a retraining takes: its work is counted in tokens, its time known from former runs."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipelines.training import Snapshot
from pipelines.training.pairs import make_pairs
from pipelines.training.params import AnyParams, GeneratorParams

LEARN_TOKENS_A_SECOND = 600.0
"""Without a former run: MiniLM in float32 on two cores of a common machine."""
ENCODE_TOKENS_A_SECOND = 3_000.0
START_SECONDS = 60.0
"""Of DVC and of loading the libraries, in all stages together; what else is measured is beside it."""
MODEL_COPIES = 6
"""Of the weights in memory: weights, gradients, AdamW's two, and what one batch holds."""
LIBRARIES_BYTES = 900_000_000


@dataclass(frozen=True, slots=True)
class Effort:
    """The work of one training and its evaluation."""

    pairs: int
    steps: int
    learned: float
    """Tokens that go forth and back."""
    mined: float
    """Tokens that are encoded to find hard negatives."""
    asked: float
    """Tokens that are encoded in the evaluation."""

    def to_dict(self) -> dict[str, float]:
        """For ``verdict.json``."""
        return {
            "pairs": self.pairs,
            "steps": self.steps,
            "learned": round(self.learned),
            "mined": round(self.mined),
            "asked": round(self.asked),
        }


def count_examples(snapshot: Snapshot, params: AnyParams) -> int:
    """How many examples a training on a snapshot would learn from."""
    if isinstance(params, GeneratorParams):
        return len(snapshot.voice)
    return len(make_pairs(snapshot, params, Counter()))


def effort(snapshot: Snapshot, params: AnyParams, pairs: int) -> Effort:
    """The work of training on so many pairs of a snapshot."""
    if isinstance(params, GeneratorParams):
        raise NotImplementedError
    counted = snapshot.passages["tokens"].to_pylist()
    mean = sum(min(tokens, params.max_tokens) for tokens in counted) / max(1, len(counted))
    texts = 2 + params.hard_negatives
    searched = min(len(counted), params.max_passages + params.max_questions)
    models = 3 if snapshot.champion_folder else 2
    return Effort(
        pairs=pairs,
        steps=math.ceil(pairs / params.batch_size * params.epochs),
        learned=pairs * params.epochs * texts * mean,
        mined=2 * pairs * mean if params.hard_negatives else 0.0,
        # Headings are looked for in other texts than all other questions.
        asked=models * 2 * searched * mean,
    )


@dataclass(frozen=True, slots=True)
class Estimate:
    """What an effort may take."""

    seconds: float
    memory_bytes: int
    measured_on: str


def estimate(
    work: Effort, former: Sequence[tuple[str, Mapping[str, Any]]], *, weights_bytes: int
) -> Estimate:
    """Time and memory of an effort, by the newest run that tells what it took.

    Args:
        work: What is to be done.
        former: Versions and their stored verdicts, newest first.
        weights_bytes: Size of the base's weights.
    """
    forward = work.mined + work.asked
    for version, said in former:
        did, took = said["effort"], said["measured"]
        # Where DVC had results of a run that was stopped, nobody knows how long they took.
        if not {"seconds"} <= took["train"].keys() & took["evaluate"].keys():
            continue
        seconds = took["train"]["seconds"] / max(did["learned"], 1) * work.learned
        seconds += took["evaluate"]["seconds"] / max(did["asked"], 1) * forward
        peak = took["train"].get("peak_memory_bytes") or _memory(weights_bytes)
        return Estimate(seconds + START_SECONDS, int(peak), version)
    seconds = work.learned / LEARN_TOKENS_A_SECOND + forward / ENCODE_TOKENS_A_SECOND
    return Estimate(seconds + START_SECONDS, _memory(weights_bytes), "a common machine")


def _memory(weights_bytes: int) -> int:
    return LIBRARIES_BYTES + MODEL_COPIES * weights_bytes

"""What a retraining takes: its work is counted in tokens, its time known from former runs."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipelines.retrain.efforts import Effort

START_SECONDS = 60.0
"""Of DVC and of loading the libraries, in all stages together; what else is measured is beside it."""
LIBRARIES_BYTES = 900_000_000


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast two cores of a common machine are with a model of a kind, and what it holds."""

    learn: float
    """Tokens a second that go forth and back."""
    forward: float
    """Tokens a second that are encoded, or written."""
    copies: float
    """Of the weights in memory."""
    batch_bytes: float
    """In memory for one batch, beside it."""
    weights_bytes: float
    """Of the model that was measured; 0: the same for all."""

    def slower(self, weights_bytes: int) -> float:
        """How many times as long a token takes in a larger model than the measured one."""
        return max(1.0, weights_bytes / self.weights_bytes) if self.weights_bytes else 1.0

    def memory(self, weights_bytes: int) -> int:
        """Bytes at the highest; what a batch holds grows as width times layers."""
        batch = self.batch_bytes * math.sqrt(self.slower(weights_bytes))
        return int(LIBRARIES_BYTES + self.copies * weights_bytes + batch)


PACES = {
    # MiniLM in float32; of the weights: weights, gradients, AdamW's two, and what one batch holds.
    "embedder": Pace(600.0, 3_000.0, 6, 0.0, 0),
    # SmolLM2-135M in bfloat16 with an adapter, and batches of a thousand tokens.
    "generator": Pace(340.0, 85.0, 2, 2.5e9, 269e6),
}


@dataclass(frozen=True, slots=True)
class Estimate:
    """What an effort may take."""

    seconds: float
    memory_bytes: int
    measured_on: str


def estimate(
    work: Effort,
    former: Sequence[tuple[str, Mapping[str, Any]]],
    *,
    weights_bytes: int,
    kind: str = "embedder",
) -> Estimate:
    """Time and memory of an effort, by the newest run that tells what it took.

    Args:
        work: What is to be done.
        former: Versions and their stored verdicts, newest first.
        weights_bytes: Size of the base's weights.
        kind: Of the model; one of ``PACES``.
    """
    forward, pace = work.mined + work.asked, PACES[kind]
    for version, said in former:
        did, took = said["effort"], said["measured"]
        # Where DVC had results of a run that was stopped, nobody knows how long they took.
        if not {"seconds"} <= took["train"].keys() & took["evaluate"].keys():
            continue
        seconds = took["train"]["seconds"] / max(did["learned"], 1) * work.learned
        seconds += took["evaluate"]["seconds"] / max(did["asked"], 1) * forward
        peak = took["train"].get("peak_memory_bytes") or pace.memory(weights_bytes)
        return Estimate(seconds + START_SECONDS, int(peak), version)
    seconds = work.learned / pace.learn + forward / pace.forward
    seconds *= pace.slower(weights_bytes)
    return Estimate(seconds + START_SECONDS, pace.memory(weights_bytes), "a common machine")

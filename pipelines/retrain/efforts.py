"""The work of a retraining in tokens, by kind of model."""

import math
from collections import Counter
from dataclasses import dataclass

from pipelines.training import Snapshot
from pipelines.training.generator.learn import steps_of
from pipelines.training.pairs import make_pairs
from pipelines.training.params import AnyParams, GeneratorParams, Params
from pipelines.training.split import is_held_out

RULES_TOKENS = 60
"""Of a prompt beside passages and question: what the rules, fences and turns of a chat take."""
WORD_TOKENS = 1.4
READ_TO_WRITE = 0.1
"""A token of a prompt is read in a tenth of the time in which one of an answer is written."""


@dataclass(frozen=True, slots=True)
class Effort:
    """The work of one training and its evaluation."""

    pairs: int
    steps: int
    learned: float
    """Tokens that go forth and back."""
    mined: float
    """Tokens that are encoded to find hard negatives, or written to be replayed."""
    asked: float
    """Tokens that are encoded, or written, in the evaluation."""

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
    """How many examples a training on a snapshot would learn from, at the most."""
    if isinstance(params, GeneratorParams):
        learned = sum(
            not any(is_held_out(document, params.held_out) for document in one.documents)
            for one in snapshot.voice
        )
        part = max(1 - params.abstentions - params.replay, 0.01)
        return min(params.max_examples, round(learned / part))
    return len(make_pairs(snapshot, params, Counter()))


def effort(snapshot: Snapshot, params: AnyParams, pairs: int) -> Effort:
    """The work of training on so many pairs, or examples, of a snapshot."""
    if isinstance(params, GeneratorParams):
        return _generator_effort(snapshot, params, pairs)
    return _embedder_effort(snapshot, params, pairs)


def _embedder_effort(snapshot: Snapshot, params: Params, pairs: int) -> Effort:
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


def _generator_effort(snapshot: Snapshot, params: GeneratorParams, pairs: int) -> Effort:
    counted = snapshot.passages["tokens"].to_pylist()
    passage = sum(counted) / max(1, len(counted))
    words = sum(len(f"{one.question} {one.answer}".split()) for one in snapshot.voice)
    said = WORD_TOKENS * words / max(1, len(snapshot.voice))
    prompt = min(params.max_tokens, RULES_TOKENS + params.passages * passage + said)
    steps = steps_of(pairs, params)
    chats = sum(text.kind == "chat" for text in snapshot.general_texts)
    # The base, the base with worked examples, what serves, and the new one.
    models = 4 if snapshot.champion_folder else 3
    questions = min(params.max_questions, round(len(snapshot.voice) * params.held_out))
    written = params.max_new_tokens + READ_TO_WRITE * prompt
    return Effort(
        pairs=pairs,
        steps=steps,
        learned=min(pairs * params.epochs, steps * params.batch_size) * prompt,
        mined=min(2 * params.general_prompts, chats) * float(params.max_new_tokens),
        # Each question as it is, with a changed passage, and with passages that do not answer.
        asked=models * 3 * questions * written,
    )

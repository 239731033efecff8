"""What ``params.yaml`` says about the training of a model: one frozen model, with its limits."""

from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipelines.errors import ConfigError

FILE_NAME = "params.yaml"


class SharedParams(BaseModel):
    """What the block ``models.<name>`` may say of every kind. The description of a field is its comment."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    seed: int = Field(default=7, ge=0, lt=2**32, description="of shuffling, dropout and resampling")
    threads: int = Field(
        default=2, ge=1, description="of the processor; another number, other bytes"
    )
    held_out: float = Field(
        default=0.25, gt=0, lt=1, description="share of documents that only evaluate"
    )
    precision: Literal["float32", "bfloat16"] = Field(
        default="bfloat16", description="float32 | bfloat16, where the processor has it"
    )


class Params(SharedParams):
    """The block of an embedder."""

    max_pairs: int = Field(default=20_000, ge=1, description="questions and passages to learn from")
    hard_negatives: int = Field(
        default=1, ge=0, le=10, description="passages a pair that look right and are not"
    )
    epochs: float = Field(default=1.0, gt=0, description="times that each pair is seen")
    batch_size: int = Field(default=32, ge=2, description="pairs that are told apart at once")
    mini_batch_size: int = Field(default=32, ge=1, description="texts in memory at once")
    learning_rate: float = Field(default=5e-5, gt=0, description="of AdamW, at its highest")
    warmup: float = Field(default=0.1, ge=0, lt=1, description="share of steps until there")
    max_tokens: int = Field(
        default=64, ge=8, description="of a text while training; what serves takes all"
    )
    max_questions: int = Field(default=600, ge=1, description="held-out questions asked, a kind")
    max_passages: int = Field(
        default=4_000, ge=1, description="searched in an evaluation, besides those that answer"
    )


class GeneratorParams(SharedParams):
    """The block of a generator."""

    max_examples: int = Field(default=20_000, ge=1, description="answers to learn from")
    passages: int = Field(
        default=2,
        ge=0,
        le=8,
        description="in the prompt: those that answer, and others; 0 = none: facts go stale",
    )
    abstentions: float = Field(
        default=0.15, ge=0, lt=1, description="share of examples whose passages do not answer"
    )
    replay: float = Field(
        default=0.2, ge=0, lt=1, description="share that are general answers of the base"
    )
    rank: int = Field(default=16, ge=1, le=256, description="of the adapter's matrices")
    alpha: int = Field(default=32, ge=1, description="the adapter's scale is alpha / rank")
    dropout: float = Field(default=0.0, ge=0, lt=1, description="of the adapter")
    epochs: float = Field(default=1.0, gt=0, description="times that each example is seen")
    max_steps: int = Field(default=0, ge=0, description="at most so many; 0 = all of the epochs")
    batch_size: int = Field(default=8, ge=1, description="examples of a step")
    mini_batch_size: int = Field(default=4, ge=1, description="examples in memory at once")
    learning_rate: float = Field(default=5e-4, gt=0, description="of AdamW, at its highest")
    warmup: float = Field(default=0.0, ge=0, lt=1, description="share of steps until there")
    max_tokens: int = Field(
        default=768, ge=32, description="of prompt and answer; longer examples are left out"
    )
    max_new_tokens: int = Field(default=96, ge=1, description="of an answer in the evaluation")
    checkpoint_steps: int = Field(
        default=20, ge=1, description="a stopped training goes on from the last of these"
    )
    max_questions: int = Field(default=200, ge=1, description="held-out questions asked")
    worked_examples: int = Field(
        default=2, ge=1, le=8, description="in the prompt of the base that it must beat"
    )
    general_prompts: int = Field(
        default=30, ge=2, description="general answers of the base that forgetting is measured on"
    )


AnyParams = Params | GeneratorParams
PARAMS: dict[str, type[Params] | type[GeneratorParams]] = {
    "embedder": Params,
    "generator": GeneratorParams,
}
"""By the kind of the model."""


def read_params(root: Path, model: str, kind: str = "embedder") -> AnyParams:
    """The parameters of a model.

    Args:
        root: The folder of ``params.yaml``.
        model: Its name.
        kind: Of the model; one of ``PARAMS``.

    Raises:
        ConfigError: There is no such file or block, or a value is not allowed.
    """
    path = root / FILE_NAME
    hint = f"Its parameters stand in {FILE_NAME} below models: {model}:"
    try:
        said: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = str(error).partition("\n")[0]
        raise ConfigError(f"{FILE_NAME} cannot be read: {reason}.", hint=hint) from error
    blocks = said.get("models") if isinstance(said, dict) else None
    block = blocks.get(model) if isinstance(blocks, dict) else None
    if not isinstance(block, dict):
        raise ConfigError(f"{FILE_NAME} has no parameters of {model}.", hint=hint)
    try:
        return PARAMS[kind].model_validate(block)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise ConfigError(
            f"{FILE_NAME}, models.{model}.{key}: {first['msg'].lower()}.", hint=hint
        ) from error

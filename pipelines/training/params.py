"""What ``params.yaml`` says about the training of a model: one frozen model, with its limits."""

from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipelines.errors import ConfigError

FILE_NAME = "params.yaml"


class Params(BaseModel):
    """The block ``models.<name>``. The description of a field is its comment in the file."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    seed: int = Field(default=7, ge=0, lt=2**32, description="of shuffling, dropout and resampling")
    threads: int = Field(
        default=2, ge=1, description="of the processor; another number, other bytes"
    )
    held_out: float = Field(
        default=0.25, gt=0, lt=1, description="share of documents that only evaluate"
    )
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
    precision: Literal["float32", "bfloat16"] = Field(
        default="bfloat16", description="float32 | bfloat16, where the processor has it"
    )
    max_questions: int = Field(default=600, ge=1, description="held-out questions asked, a kind")
    max_passages: int = Field(
        default=4_000, ge=1, description="searched in an evaluation, besides those that answer"
    )


def read_params(root: Path, model: str) -> Params:
    """The parameters of a model.

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
        return Params.model_validate(block)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise ConfigError(
            f"{FILE_NAME}, models.{model}.{key}: {first['msg'].lower()}.", hint=hint
        ) from error

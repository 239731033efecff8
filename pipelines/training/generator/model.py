"""Loads a generator, a base and perhaps an adapter on it, the same way wherever it is used."""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines import quiet
from pipelines.training.repeatable import usable_precision

if TYPE_CHECKING:
    import torch

Message = Mapping[str, str]
"""``role`` (system, user or assistant) and ``content`` of one turn of a chat."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A generator in memory."""

    model: Any
    """Of transformers; with an adapter, of peft: ``with model.disable_adapter():`` is the base."""
    tokenizer: Any
    """Pads on the left, so that all answers of a batch begin at the same place."""

    @property
    def device(self) -> "torch.device":
        """Where it computes."""
        device: torch.device = next(self.model.parameters()).device
        return device

    @property
    def end(self) -> int:
        """The token that ends an answer."""
        return int(self.tokenizer.eos_token_id)

    def prompt_tokens(self, messages: Sequence[Message]) -> list[int]:
        """The chat as the model reads it, up to where its answer begins.

        What begins and ends turns is no such thing where a text holds it: no passage ends its turn.
        """
        tokens: list[int] = self.tokenizer.apply_chat_template(
            [dict(one) | {"content": self._as_text(one["content"])} for one in messages],
            add_generation_prompt=True,
            return_dict=False,
        )
        return tokens

    def _as_text(self, text: str) -> str:
        for token in self.tokenizer.added_tokens_decoder.values():
            if token.special and token.content in text:
                text = text.replace(token.content, f"{token.content[0]} {token.content[1:]}")
        return text

    def text_tokens(self, text: str) -> list[int]:
        """A text by itself, without the tokens that a tokenizer puts around one."""
        told = self.tokenizer(text, add_special_tokens=False, split_special_tokens=True)
        tokens: list[int] = told["input_ids"]
        return tokens


def open_generator(
    base: Path, *, adapter: Path | None = None, precision: str = "bfloat16"
) -> Opened:
    """Load a base and an adapter on it, ready to answer; on a GPU where there is one.

    Args:
        base: Folder of ``locate_base``.
        adapter: Folder of an adapter of that base, or None.
        precision: Of the base's weights: ``bfloat16`` where the processor has it, or ``float32``.
            An adapter's are float32.
    """
    quiet.silence()
    import torch
    from transformers import AutoModelForCausalLM

    model: Any = AutoModelForCausalLM.from_pretrained(
        base,
        dtype=getattr(torch, usable_precision(precision)),
        use_safetensors=True,
        trust_remote_code=False,
        local_files_only=True,
    )
    if adapter is not None:
        from peft import PeftModel

        with older_names():
            model = PeftModel.from_pretrained(model, adapter, is_trainable=False)
    if torch.cuda.is_available():
        model = model.to("cuda")
    return Opened(model.eval(), open_tokenizer(base))


@contextmanager
def older_names() -> Iterator[None]:
    """Peft asks transformers for something by a name that is going out; that is not for users."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing`", FutureWarning)
        yield


def open_tokenizer(base: Path) -> Any:
    """The tokenizer of a base: pads on the left, and never with the token that ends an answer."""
    quiet.silence()
    from transformers import AutoTokenizer

    tokenizer: Any = AutoTokenizer.from_pretrained(
        base, trust_remote_code=False, local_files_only=True, padding_side="left"
    )
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.unk_token or tokenizer.eos_token
    return tokenizer

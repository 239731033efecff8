"""How long a generator takes for a new token, when one answer at a time is asked for."""

import time
from collections.abc import Sequence
from pathlib import Path

from pipelines.training.generator.model import Message, Opened, open_generator

_PROMPTS = 5
_TOKENS = 12
_DIGITS = 3
Asked = tuple[Path | None, Sequence[Sequence[Message]]]
"""An adapter, or None for the base alone, and prompts."""


def speed(base: Path, adapter: Path | None, prompts: Sequence[Sequence[Message]]) -> float:
    """Milliseconds for a new token, its share of the time to read the prompt included.

    An adapter is merged into the weights, as it is where speed matters: held beside them it takes
    half as long again. Each answer is made to have the same length. The fastest counts: whatever
    else the machine does makes others slower, and none faster.

    Args:
        base: Folder of a base.
        adapter: Folder of an adapter of it, or None.
        prompts: At least one; the first few are asked, after one that does not count.

    Returns:
        The least over the prompts.
    """
    opened = open_generator(base, adapter=adapter)
    if adapter is not None:
        opened = Opened(opened.model.merge_and_unload(), opened.tokenizer)
    asked = prompts[:_PROMPTS]
    took = [_seconds(opened, prompt) for prompt in (asked[0], *asked)][1:]
    return round(1000 * min(took) / _TOKENS, _DIGITS)


def _seconds(opened: Opened, prompt: Sequence[Message]) -> float:
    import torch

    tokens = torch.tensor([opened.prompt_tokens(prompt)], device=opened.device)
    started = time.perf_counter()
    with torch.inference_mode():
        opened.model.generate(
            tokens,
            attention_mask=torch.ones_like(tokens),
            min_new_tokens=_TOKENS,
            max_new_tokens=_TOKENS,
            do_sample=False,
            eos_token_id=opened.end,
            pad_token_id=opened.tokenizer.pad_token_id,
        )
    return time.perf_counter() - started

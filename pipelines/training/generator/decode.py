"""Lets a generator answer: always the likeliest next token, so the same prompt, the same answer."""

from collections.abc import Callable, Sequence

from pipelines.training.generator.model import Message, Opened


def answers(
    opened: Opened,
    prompts: Sequence[Sequence[Message]],
    *,
    max_new_tokens: int,
    batch_size: int = 8,
    on_step: Callable[[int], None] | None = None,
) -> list[str]:
    """The answer to each prompt, without the token that ends it.

    Args:
        opened: The generator.
        prompts: Chats that end with a turn of the user's.
        max_new_tokens: An answer is cut off there.
        batch_size: Prompts of about the same length that are answered at once.
        on_step: Told after each batch how many are answered.

    Returns:
        As many texts, in the order of ``prompts``.
    """
    tokens = [opened.prompt_tokens(prompt) for prompt in prompts]
    # Neighbours of about the same length need little padding.
    order = sorted(range(len(tokens)), key=lambda number: (len(tokens[number]), number))
    found = [""] * len(tokens)
    for start in range(0, len(order), batch_size):
        batch = order[start : start + batch_size]
        texts = _answered(opened, [tokens[number] for number in batch], max_new_tokens)
        for number, text in zip(batch, texts, strict=True):
            found[number] = text
        if on_step is not None:
            on_step(start + len(batch))
    return found


def _answered(opened: Opened, prompts: list[list[int]], max_new_tokens: int) -> list[str]:
    import torch

    padded = opened.tokenizer.pad({"input_ids": prompts}, return_tensors="pt").to(opened.device)
    with torch.inference_mode():
        found = opened.model.generate(
            **padded,
            max_new_tokens=max_new_tokens,
            do_sample=False,
            eos_token_id=opened.end,
            pad_token_id=opened.tokenizer.pad_token_id,
        )
    new = found[:, padded["input_ids"].shape[1] :]
    texts: list[str] = opened.tokenizer.batch_decode(new, skip_special_tokens=True)
    return [text.strip() for text in texts]

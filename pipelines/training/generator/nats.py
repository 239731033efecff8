"""How little a generator expects a text: the mean loss of its tokens, in nats."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from pipelines.training.generator.model import Message, Opened

if TYPE_CHECKING:
    import torch

_BATCH = 8
Item = tuple[Sequence[Message] | None, str]
"""A prompt and the answer to it; or None and a text by itself."""
Span = tuple[int, int]
"""From which character of a text, up to which."""


def nats(
    opened: Opened,
    items: Sequence[Item],
    *,
    batch_size: int = _BATCH,
    on_step: Callable[[int], None] | None = None,
) -> list[float]:
    """Mean loss a token of each text: of an answer with the token that ends it.

    Of a text by itself the first token is not counted, for nothing stands before it.

    Args:
        opened: The generator.
        items: Texts, each of at least two tokens.
        batch_size: Of about the same length, at once.
        on_step: Told after each batch how many are done.

    Returns:
        One number for each.
    """
    rows = []
    for prompt, text in items:
        tokens = opened.text_tokens(text)
        before = [] if prompt is None else opened.prompt_tokens(prompt)
        after = [] if prompt is None else [opened.end]
        first = 1 if prompt is None else 0
        scored = list(range(first, len(tokens) + len(after)))
        rows.append(([*before, *tokens, *after], [len(before) + n for n in scored]))
    return _means(opened, rows, batch_size, on_step)


def span_nats(
    opened: Opened,
    items: Sequence[tuple[Sequence[Message], str, Span]],
    *,
    batch_size: int = _BATCH,
) -> list[float]:
    """Mean loss of only the tokens that carry a part of the answer.

    Args:
        opened: The generator; its tokenizer must know where tokens stand (all fast ones do).
        items: Prompt, answer, and the part of the answer.
        batch_size: Of about the same length, at once.

    Returns:
        One number for each.

    Raises:
        ValueError: A part has no token.
    """
    rows = []
    for prompt, text, (start, end) in items:
        told = opened.tokenizer(
            text,
            add_special_tokens=False,
            split_special_tokens=True,
            return_offsets_mapping=True,
        )
        before = opened.prompt_tokens(prompt)
        scored = [
            len(before) + number
            for number, (first, last) in enumerate(told["offset_mapping"])
            if first < end and last > start
        ]
        if not scored:
            raise ValueError(f"no token of the answer stands at {start} to {end}")
        rows.append(([*before, *told["input_ids"]], scored))
    return _means(opened, rows, batch_size, None)


def _means(
    opened: Opened,
    rows: Sequence[tuple[list[int], list[int]]],
    batch_size: int,
    on_step: Callable[[int], None] | None,
) -> list[float]:
    """Of each row, tokens and the places in it that count, the mean loss."""
    order = sorted(range(len(rows)), key=lambda number: (len(rows[number][0]), number))
    found = [0.0] * len(rows)
    for start in range(0, len(order), batch_size):
        batch = order[start : start + batch_size]
        losses = _losses(opened, [rows[number][0] for number in batch])
        for number, of_row in zip(batch, losses, strict=True):
            places = rows[number][1]
            # The loss of a token is told at the place before it.
            found[number] = float(of_row[[place - 1 for place in places]].mean())
        if on_step is not None:
            on_step(start + len(batch))
    return found


def _losses(opened: Opened, rows: Sequence[list[int]]) -> "list[torch.Tensor]":
    import torch
    from torch.nn.functional import cross_entropy

    padded = opened.tokenizer.pad(
        {"input_ids": list(rows)}, return_tensors="pt", padding_side="right"
    ).to(opened.device)
    tokens = padded["input_ids"]
    with torch.inference_mode():
        logits = opened.model(**padded).logits[:, :-1].float()
        losses = cross_entropy(logits.transpose(1, 2), tokens[:, 1:], reduction="none")
    return [one[: len(row) - 1].cpu() for one, row in zip(losses, rows, strict=True)]

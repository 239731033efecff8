"""Lays out a prompt: which passages it holds, in which order, and the numbers that answers cite."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pipelines.training.generator.prompts import Message, drawn, messages, renumbered

Fits = Callable[[Sequence[Message], str], bool]
"""Whether prompt and answer together are short enough."""


@dataclass(frozen=True, slots=True)
class Laid:
    """A prompt and the answer to it."""

    messages: list[Message]
    answer: str
    cited: tuple[int, ...]
    """Numbers of the passages that answer."""
    others: int
    """How many of the others it holds."""


def lay_out(
    key: str,
    question: str,
    answer: str,
    *,
    answering: Sequence[str],
    others: Sequence[str],
    fits: Fits,
) -> Laid | None:
    """A prompt with as many of the others as fit; None where it does not fit without them.

    Args:
        key: Draws the order of the passages.
        question: As it is asked.
        answer: Cites the first of ``answering`` as ``[1]``.
        answering: Texts of the passages that answer; all of them stand in the prompt.
        others: Texts of passages that do not; the last ones go first.
        fits: Whether it is short enough.
    """
    least = 0 if answering or not others else 1
    for count in range(len(others), least - 1, -1):
        texts = [*answering, *others[:count]]
        order = drawn(texts, key)
        places = {number + 1: place for place, number in enumerate(order, start=1)}
        ours = {number: places[number] for number in range(1, len(answering) + 1)}
        laid = Laid(
            messages(question, [texts[number] for number in order]),
            renumbered(answer, ours),
            tuple(sorted(ours.values())),
            count,
        )
        if fits(laid.messages, laid.answer):
            return laid
    return None

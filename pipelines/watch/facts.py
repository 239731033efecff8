"""What a fact that a version learned says today: passages then and now, aligned word by word. Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from pipelines.training.generator.prompts import uncited
from pipelines.training.generator.scores import WORD, holds
from pipelines.training.records import digest

_AROUND = 12
"""Words on each side of a fact by which its place is known again."""
_MARKUP = re.compile(r"[*_`|]+")
_LONGER = 3
"""So many words more than twice its own a successor may have: more is another text."""

_UNITS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
_TEENS = [
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
]
_TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
_SPELLED = re.compile(
    rf"\b(?:({'|'.join(_TENS)})(?:[- ]({'|'.join(_UNITS[1:])}))?|({'|'.join(_UNITS + _TEENS)}))\b",
    re.IGNORECASE,
)
"""Numbers below a hundred in English words."""

Span = tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """A fact that stands no longer where a version learned it."""

    example: str
    question: str
    answer: str
    """As it was learned."""
    former: str
    fresh: str
    """What stands in its place today; empty where nothing does, or nobody can say."""
    passage: str
    """Of today, in which it would stand."""

    @property
    def key(self) -> str:
        """Names the fact, whatever it says by now: one that changes every day counts once."""
        return digest(self.example, self.former)[:12]


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer, and where in it the words stand that tell one value from another."""

    text: str
    span: Span
    """Characters."""


def now(fact: str, passage: str, today: Sequence[str]) -> tuple[str, str] | None:
    """The value of today and the passage that it stands in, of a fact that has changed.

    Args:
        fact: As it was learned.
        passage: Where it was learned.
        today: Passages of the same document today, in order.

    Returns:
        None where the fact still stands, or was never there. The value is empty where the fact is
        gone and what came instead cannot be told.
    """
    old = _words(passage)
    here = _place([word for word, _ in old], fact)
    if here is None or not today:
        return None
    aligned = [_Aligned(old, text, here) for text in today]
    best = max(aligned, key=lambda one: one.near)  # the first of equally near ones
    if _says(best.text, fact):
        return None
    if not best.is_found:
        return None if any(_says(text, fact) for text in today) else ("", best.text)
    fresh = best.successor()
    if fresh or not any(_says(text, fact) for text in today):
        return fresh, best.text
    return None


def told(answer: str, former: str, fresh: str) -> tuple[Answer, Answer] | None:
    """An answer with the former value and with that of today; None where it does not say it."""
    words = _words(uncited(answer))
    here = _place([word for word, _ in words], former)
    if here is None:
        return None
    start, end = words[here[0]][1][0], words[here[1] - 1][1][1]
    stood = answer[start:end]
    (a, b), (c, d) = _core(stood, fresh)
    return (
        Answer(answer, (start + a, start + b)),
        Answer(answer[:start] + fresh + answer[end:], (start + c, start + d)),
    )


def both(fact: Fact) -> tuple[Answer, Answer] | None:
    """The answer with either value; None where that of today is not known."""
    return told(fact.answer, fact.former, fact.fresh) if fact.fresh else None


def _says(text: str, fact: str) -> bool:
    """Whether a text says a fact, its numbers in figures or in words: neither is news."""
    return holds(text, fact) or holds(_in_figures(text), _in_figures(fact))


def _in_figures(text: str) -> str:
    def figures(found: re.Match[str]) -> str:
        tens, unit, small = (part and part.casefold() for part in found.groups())
        if small:
            return str([*_UNITS, *_TEENS].index(small))
        return str(10 * (2 + _TENS.index(tens)) + (_UNITS.index(unit) if unit else 0))

    return _SPELLED.sub(figures, text)


def _words(text: str) -> list[tuple[str, Span]]:
    return [(found[0].casefold(), found.span()) for found in WORD.finditer(text)]


def _place(words: Sequence[str], value: str) -> Span | None:
    """From which word of a text, up to which, a value stands the first time."""
    wanted = [word for word, _ in _words(value)]
    if not wanted:
        return None
    starts = range(len(words) - len(wanted) + 1)
    at = next((at for at in starts if words[at : at + len(wanted)] == wanted), None)
    return None if at is None else (at, at + len(wanted))


def _core(former: str, fresh: str) -> tuple[Span, Span]:
    """The characters of two values in which they differ, whole words; all of them if one has none."""
    old, new = _words(former), _words(fresh)
    least = min(len(old), len(new))
    head = next((n for n in range(least) if old[n][0] != new[n][0]), least)
    tail = next((n for n in range(least - head) if old[-1 - n][0] != new[-1 - n][0]), least - head)
    cut = old[head : len(old) - tail], new[head : len(new) - tail]
    if not all(cut):
        return (0, len(former)), (0, len(fresh))
    first, second = ((words[0][1][0], words[-1][1][1]) for words in cut)
    return first, second


class _Aligned:
    """A passage of today beside the one in which a fact was learned."""

    def __init__(self, old: Sequence[tuple[str, Span]], text: str, fact: Span) -> None:
        self.text = text
        self._old, self._new, self._fact = old, _words(text), fact
        matcher = SequenceMatcher(
            None, [word for word, _ in old], [word for word, _ in self._new], autojunk=False
        )
        self._steps = matcher.get_opcodes()
        first, last = fact
        around = {*range(max(0, first - _AROUND), min(len(old), last + _AROUND))}
        around -= {*range(first, last)}
        kept = {n for kind, a, b, _, _ in self._steps if kind == "equal" for n in range(a, b)}
        self.near = len(around & kept)
        self.is_found = bool(around) and 2 * self.near >= len(around)

    def successor(self) -> str:
        """What stands where the fact stood; empty where it cannot be told."""
        first, last = self._begin(self._fact[0]), self._end(self._fact[1])
        length = self._fact[1] - self._fact[0]
        if first is None or last is None or not first < last <= first + 2 * length + _LONGER:
            return self._number()
        said = self._said(first, last)
        had_number = any(word[0].isdigit() for word, _ in self._old[slice(*self._fact)])
        # A number that words came for is one in a stretch that was written anew.
        return self._number() if had_number and not any(map(str.isdigit, said)) else said

    def _said(self, first: int, last: int) -> str:
        text = self.text[self._new[first][1][0] : self._new[last - 1][1][1]]
        return " ".join(_MARKUP.sub(" ", text).split())

    def _begin(self, at: int) -> int | None:
        """The word of today at which what stood from a word on begins."""
        kind, a, b, c, d = next(step for step in self._steps if step[1] <= at < step[2])
        if kind == "equal" or b - a == d - c:
            return c + at - a
        return c if at == a or kind == "delete" else None

    def _end(self, at: int) -> int | None:
        """The word of today before which what stood up to a word ends."""
        kind, a, b, c, d = next(step for step in self._steps if step[1] < at <= step[2])
        if kind == "equal" or b - a == d - c:
            return c + at - a
        return d if at == b or kind == "delete" else None

    def _number(self) -> str:
        """Of a fact that is a number in a stretch that was written anew: the number in its place."""
        first, last = self._fact
        if last - first != 1 or not self._old[first][0][0].isdigit():
            return ""
        _, a, b, c, d = next(step for step in self._steps if step[1] <= first < step[2])
        then = [n for n in range(a, b) if self._old[n][0][0].isdigit()]
        today = [n for n in range(c, d) if self._new[n][0][0].isdigit()]
        if len(then) != len(today):
            return ""
        at = today[then.index(first)]
        return self._said(at, at + 1)

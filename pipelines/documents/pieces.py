"""Pieces of a text that are too long -> pieces that fit."""

import itertools
import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from pipelines.documents.blocks import Block, Kind, strip_span
from pipelines.records import Tokens

WORD = 40
"""Characters within which an end of a word is looked for where text is cut evenly."""

_LINE = re.compile(r"\n")
_SENTENCE = re.compile(
    # Closing quotes and brackets belong to the sentence.
    r"(?<=[.!?\u2026])[\"'\u201d\u2019\u00bb)\]*_]*\s+"
    # Chinese and Japanese full stops need no space.
    r"|(?<=[\u3002\uff01\uff1f])"
    # An item of an inner list begins something new too.
    r"|\n(?=[ \t>]*(?:[-*+]|\d{1,9}[.)])[ \t])"
)
# Zero width joiner and variation selectors: what stands before and after them is one character.
_JOINERS = "\u200d\ufe0e\ufe0f"


class Sizes:
    """Tokens of texts, each counted once, many at a time."""

    def __init__(self, tokens: Tokens) -> None:
        """Find out what special tokens and blank lines cost."""
        self._tokens = tokens
        self._known: dict[str, int] = {}
        self.limit = tokens.max_tokens
        self.learn(["", "a", "a\n\na"])
        self.special = self._known[""]
        self.join = max(0, self.whole("a\n\na") - self.special - 2 * self["a"])
        """What the blank line between two pieces costs."""

    def learn(self, texts: Iterable[str]) -> None:
        """Count those that are not known yet, in one call."""
        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        if new:
            self._known.update(zip(new, self._tokens.count(new), strict=True))

    def whole(self, text: str) -> int:
        """Tokens of a text by itself, special tokens counted."""
        if text not in self._known:
            self.learn([text])
        return self._known[text]

    def __getitem__(self, text: str) -> int:
        """What a text adds to another: its tokens without the special ones."""
        return self.whole(text) - self.special


@dataclass(frozen=True, slots=True)
class Piece:
    """A block or a part of one."""

    start: int
    """Character offset, inclusive."""
    end: int
    """Character offset, exclusive."""
    block: Block
    path: tuple[Block, ...]
    """The headings in force at its end, outermost first."""
    section: int = 0
    """The number of the section that it belongs to."""
    room: int = 0
    """Tokens that it may have, special ones not counted."""
    steps: int = 0
    """How many ways of cutting were tried on it."""


def fit_pieces(pieces: Sequence[Piece], text: str, sizes: Sizes) -> list[Piece]:
    """Cut what is larger than its room, each piece at the best places that will do.

    All pieces are counted together, so there are about as many calls as ways of cutting.
    """
    fitting = list(pieces)
    while True:
        sizes.learn(text[p.start : p.end] for p in fitting)
        if all(_fits(piece, text, sizes) for piece in fitting):
            return fitting
        fitting = [
            part
            for piece in fitting
            for part in ([piece] if _fits(piece, text, sizes) else _cut(piece, text, sizes))
        ]


def halve_piece(piece: Piece, text: str) -> list[Piece]:
    """Two pieces of about the same length; one where there is but one character."""
    return _parts(piece, text, _even(piece, text, 2))


def _fits(piece: Piece, text: str, sizes: Sizes) -> bool:
    return sizes[text[piece.start : piece.end]] <= piece.room or piece.end - piece.start == 1


def _cut(piece: Piece, text: str, sizes: Sizes) -> list[Piece]:
    """The piece cut in the next way that there is for its kind; in the end, evenly."""
    ways = _WAYS[piece.block.kind]
    if piece.steps < len(ways):
        cuts = ways[piece.steps](piece, text)
    else:
        # A little more than needed: parts of the same length differ in tokens.
        count = sizes[text[piece.start : piece.end]] * 10 // (max(1, piece.room) * 9) + 1
        cuts = _even(piece, text, max(2, count))
    return _parts(replace(piece, steps=piece.steps + 1), text, cuts)


def _parts(piece: Piece, text: str, cuts: Iterable[int]) -> list[Piece]:
    """What lies between the cuts, without white space at the ends."""
    inside = (cut for cut in cuts if piece.start < cut < piece.end)
    edges = [piece.start, *inside, piece.end]
    spans = (strip_span(text, start, end) for start, end in itertools.pairwise(edges))
    return [replace(piece, start=start, end=end) for start, end in spans if start < end]


def _items(piece: Piece, text: str) -> list[int]:
    del text
    return list(piece.block.items)


def _lines(piece: Piece, text: str) -> list[int]:
    return [m.end() for m in _LINE.finditer(text, piece.start, piece.end)]


def _rows(piece: Piece, text: str) -> list[int]:
    # The first row stays with the two lines that make it readable.
    return _lines(piece, text)[2:]


def _sentences(piece: Piece, text: str) -> list[int]:
    return [m.end() for m in _SENTENCE.finditer(text, piece.start, piece.end)]


def _even(piece: Piece, text: str, count: int) -> list[int]:
    """Cuts into ``count`` parts of about the same length, between words where there are any."""
    length = piece.end - piece.start
    return sorted({_edge(text, piece, piece.start + length * i // count) for i in range(1, count)})


def _edge(text: str, piece: Piece, near: int) -> int:
    """The next white space, else the next end of a character as people see it."""
    reach = min(piece.end, near + WORD)
    for index in range(near, reach):
        if text[index].isspace():
            return index
    return next((i for i in range(near, reach) if not _is_inside(text, i)), near)


def _is_inside(text: str, index: int) -> bool:
    """Whether a mark or a joined character stands at ``index``."""
    after = text[index]
    return unicodedata.combining(after) > 0 or after in _JOINERS or text[index - 1] == _JOINERS[0]


_WAYS: dict[Kind, tuple[Callable[[Piece, str], list[int]], ...]] = {
    "heading": (),
    "paragraph": (_sentences, _lines),
    "list": (_items, _sentences, _lines),
    "table": (_rows, _lines),
    "code": (_lines,),
    "quote": (_sentences, _lines),
    "html": (_lines,),
    "rule": (),
}
"""Where a block of each kind is cut, best first; after these, evenly."""

"""Text -> its blocks, with their character spans."""

import functools
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from markdown_it import MarkdownIt
from markdown_it.token import Token

Kind = Literal["heading", "paragraph", "list", "table", "code", "quote", "html", "rule"]

_KINDS: dict[str, Kind] = {
    "heading_open": "heading",
    "paragraph_open": "paragraph",
    "bullet_list_open": "list",
    "ordered_list_open": "list",
    "table_open": "table",
    "fence": "code",
    "code_block": "code",
    "blockquote_open": "quote",
    "html_block": "html",
    "hr": "rule",
}

MAX_NESTING = 20
"""Lists and quotes nested deeper than this keep their text but not their inner structure."""
MAX_PARSED = 1_000_000
"""Characters; a longer text is read as plain paragraphs, so that time and memory stay bounded
(the worst million found takes the parser 7 s, prose 0.3 s)."""
MAX_LINE = 5_000
"""Characters of one line that the parser is shown: an image written into the text is one line of
a million characters, and none of them says anything about structure."""
MAX_HEADING = 1_000
"""Characters of a heading that are looked at for emphasis, links and code."""


@dataclass(frozen=True, slots=True)
class Block:
    """A piece of a text that belongs together; it begins and ends with visible characters."""

    kind: Kind
    start: int
    """Character offset, inclusive."""
    end: int
    """Character offset, exclusive."""
    level: int = 0
    """Of a heading, 1 is the outermost."""
    heading: str = ""
    """Of a heading, its plain text on one line."""
    items: tuple[int, ...] = ()
    """Of a list, where its items begin."""


# Asked twice about each document: for its title, and for its passages.
@functools.lru_cache(maxsize=1)
def split_blocks(text: str, *, markdown: bool) -> tuple[Block, ...]:
    """The blocks of a text, in order; only white space lies outside them.

    Lines that Markdown swallows (link definitions) are paragraphs here, so nothing is lost.

    Args:
        text: Lines end with a line feed alone.
        markdown: Otherwise a block is what stands between blank lines.
    """
    lines = text.split("\n")
    starts = [0, *itertools.accumulate(len(line) + 1 for line in lines)]
    definitions: dict[str, object] = {}
    blocks: list[Block] = []
    done = 0
    for token, inner in _parse(lines, definitions) if markdown else []:
        first, after = token.map or (done, done)
        blocks += _paragraphs(text, lines, starts, done, first)
        start, end = strip_span(text, starts[first], starts[after] - 1)
        if start < end:
            blocks.append(_block(token, inner, start, end, starts, definitions))
        done = after
    blocks += _paragraphs(text, lines, starts, done, len(lines))
    return tuple(blocks)


def strip_span(text: str, start: int, end: int) -> tuple[int, int]:
    """The span without the white space at its two ends."""
    piece = text[start:end]
    return end - len(piece.lstrip()), start + len(piece.rstrip())


def _parse(lines: list[str], definitions: dict[str, object]) -> list[tuple[Token, list[Token]]]:
    """The outermost Markdown tokens, each with those one level below it."""
    half = MAX_LINE // 2
    shown = [s if len(s) <= MAX_LINE else s[:half] + s[-half:] for s in lines]
    source = "\n".join(shown)
    found: list[tuple[Token, list[Token]]] = []
    if len(source) > MAX_PARSED:
        return found
    for token in _parser().parse(source, definitions):
        if token.level == 0 and token.nesting >= 0:
            found.append((token, []))
        elif token.level == 1:
            found[-1][1].append(token)
    return found


@functools.cache
def _parser() -> MarkdownIt:
    """Only the block structure: what is inside a line is read for headings alone."""
    parser = MarkdownIt("commonmark", {"maxNesting": MAX_NESTING}).enable("table")
    return parser.disable(["inline", "text_join"])


def _block(
    token: Token,
    inner: list[Token],
    start: int,
    end: int,
    starts: list[int],
    definitions: dict[str, object],
) -> Block:
    """The block that a token stands for."""
    kind = _KINDS[token.type]
    if kind == "heading":
        return Block(kind, start, end, int(token.tag[1:]), _plain(inner[0].content, definitions))
    items = (starts[t.map[0]] for t in inner if t.type == "list_item_open" and t.map)
    return Block(kind, start, end, items=tuple(items))


def _plain(content: str, definitions: dict[str, object]) -> str:
    """What a reader sees of a heading, on one line."""
    parsed: list[Token] = []
    parser = _parser()
    parser.inline.parse(content[:MAX_HEADING], parser, definitions, parsed)
    seen = (
        " " if t.type in {"softbreak", "hardbreak"} else t.content
        for t in parsed
        if t.type != "html_inline"
    )
    return " ".join("".join(seen).split())


def _paragraphs(
    text: str, lines: list[str], starts: list[int], first: int, after: int
) -> Iterator[Block]:
    """What stands between blank lines, from line ``first`` up to line ``after``."""
    for blank, run in itertools.groupby(range(first, after), lambda i: not lines[i].strip()):
        if not blank:
            numbers = list(run)
            start, end = strip_span(text, starts[numbers[0]], starts[numbers[-1] + 1] - 1)
            yield Block("paragraph", start, end)

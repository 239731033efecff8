"""Blocks -> passages that a change elsewhere leaves alone and that an encoder takes whole."""

import hashlib
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from pipelines.documents.blocks import Block, split_blocks
from pipelines.documents.pieces import Piece, Sizes, fit_pieces, halve_piece
from pipelines.records import Chunk, Document, Tokens

SOFT_TOKENS = 64
"""A passage may end at a hash boundary once it has so many tokens (a fourth of the limit where
that is less)."""
HASH_MODULUS = 4
"""One block in so many ends a passage: where passages end then hangs on the text just there,
and an edit moves only the ends near it."""
HEADING_SHARE = 3
"""Headings before a passage take at most one part in so many of the limit."""
MIN_ROOM = 8
"""Tokens, besides the special ones; an encoder that takes fewer is no use."""


def cut(document: Document, tokens: Tokens) -> tuple[Chunk, ...]:
    """The passages of a document, in order; only white space lies between them.

    Every heading begins a passage, together with headings that follow it directly; one with
    nothing below it is a passage by itself. Within a section blocks are packed until one ends
    at a hash boundary or the next does not fit. A block that fits nowhere is cut: a list
    between items, a table between rows, code between lines, prose between sentences.

    Args:
        document: As ``read_document`` gives it.
        tokens: Of the encoder: no passage is longer than it takes, headings counted.

    Raises:
        ValueError: ``tokens`` leaves no room for text.
    """
    sizes = Sizes(tokens)
    if sizes.limit - sizes.special < MIN_ROOM:
        raise ValueError(f"max_tokens is {sizes.limit}: no room for text")
    layout = _Layout(document, sizes)
    text = document.text
    blocks = split_blocks(text, markdown=document.markdown)
    # One call for nearly all that is asked about below.
    names = [document.title, *(b.heading for b in blocks)]
    sizes.learn([text[b.start : b.end] for b in blocks] + [_named(name) for name in names])
    whole = [piece for section in _sections(blocks) for piece in _with_rooms(section, layout)]
    groups: list[list[Piece]] = []
    for _, section in itertools.groupby(fit_pieces(whole, text, sizes), key=lambda p: p.section):
        groups += _pack(list(section), layout)
    return tuple(
        Chunk(
            position=position,
            start=group[0].start,
            end=group[-1].end,
            heading_path=tuple(b.heading for b in group[-1].path if b.heading),
            prefix=layout.prefix(group),
            text=text[group[0].start : group[-1].end],
            tokens=sizes.whole(layout.embedded(group)),
        )
        for position, group in enumerate(_shrunk(groups, layout))
    )


@dataclass(frozen=True, slots=True)
class _Layout:
    """How passages of one document are embedded."""

    document: Document
    sizes: Sizes

    def size(self, piece: Piece) -> int:
        """Tokens that a piece adds to a passage."""
        return self.sizes[self.document.text[piece.start : piece.end]]

    def names(self, path: Sequence[Block], start: int, end: int) -> list[str]:
        """What stands before the span: the title, and headings of ``path`` not in the span.

        What is too long is left out: a name that takes the share of all by itself, then names
        from the outermost on.
        """
        title = self.document.title
        names = [b.heading for b in path if b.heading and (b.start < start or b.end > end)]
        if title and all(_folded(title) != _folded(b.heading) for b in path):
            names.insert(0, title)
        share = self.sizes.limit // HEADING_SHARE
        names = [name for name in names if self.sizes[_named(name)] <= share]
        while sum(self.sizes[_named(name)] for name in names) + self.sizes.join > share:
            names.pop(0)
        return names

    def prefix_size(self, path: Sequence[Block], start: int, end: int) -> int:
        """Tokens that the names before a span add to it."""
        names = self.names(path, start, end)
        return sum(self.sizes[_named(name)] for name in names) + (self.sizes.join if names else 0)

    def prefix(self, group: Sequence[Piece]) -> str:
        """What is embedded before a passage."""
        return " > ".join(self.names(group[-1].path, group[0].start, group[-1].end))

    def embedded(self, group: Sequence[Piece]) -> str:
        """The text that a passage would have embedded."""
        prefix = self.prefix(group)
        text = self.document.text[group[0].start : group[-1].end]
        return f"{prefix}\n\n{text}" if prefix else text


def _named(name: str) -> str:
    """A name as it is counted: with what separates it from the next."""
    return f"{name} >"


def _folded(name: str) -> str:
    return " ".join(name.split()).casefold()


def _sections(blocks: Sequence[Block]) -> Iterator[list[Piece]]:
    """Headings and what follows them up to the next heading, as one piece a block."""
    path: list[Block] = []
    section: list[Piece] = []
    number = 0
    for block in blocks:
        if block.kind == "heading":
            while path and path[-1].level >= block.level:
                path.pop()
            path.append(block)
            if section and not _is_bare_heading(section[-1]):
                yield section
                section = []
                number += 1
        if block.kind == "rule" and section:
            # A line across the page says nothing by itself.
            section[-1] = replace(section[-1], end=block.end)
            continue
        section.append(Piece(block.start, block.end, block, tuple(path), section=number))
    if section:
        yield section


def _is_bare_heading(piece: Piece) -> bool:
    """Whether nothing follows the heading, not even a line across the page."""
    return piece.block.kind == "heading" and piece.end == piece.block.end


def _with_rooms(section: list[Piece], layout: _Layout) -> Iterator[Piece]:
    """The pieces of a section with the room that each has: headings stay with what follows."""
    sizes = layout.sizes
    most = sizes.limit - sizes.special
    head = list(itertools.takewhile(lambda p: p.block.kind == "heading", section))
    body = section[len(head) :]
    taken = sum(layout.size(piece) + sizes.join for piece in head)
    if taken <= sizes.limit // HEADING_SHARE and head and body:
        start = head[0].start
        yield replace(head[-1], start=start, room=most)
        room = most - taken - layout.prefix_size(body[0].path, start, body[0].end)
        yield replace(body[0], room=room)
        head, body = [], body[1:]
    for piece in head + body:
        room = most - layout.prefix_size(piece.path, piece.start, piece.end)
        yield replace(piece, room=room)


def _pack(pieces: list[Piece], layout: _Layout) -> Iterator[list[Piece]]:
    """The pieces of a section, packed into passages."""
    sizes = layout.sizes
    soft = min(SOFT_TOKENS, sizes.limit // 4)
    rest = sum(layout.size(piece) for piece in pieces)
    group: list[Piece] = []
    used = 0
    for piece in pieces:
        size = layout.size(piece)
        start = group[0].start if group else piece.start
        prefix = layout.prefix_size(piece.path, start, piece.end)
        if group and sizes.special + prefix + used + size > sizes.limit:
            yield group
            group, used = [], 0
        group.append(piece)
        used += size + sizes.join
        rest -= size
        # A few words left over would make a poor passage.
        if used >= soft and rest >= soft // 2 and _ends(piece, layout.document.text):
            yield group
            group, used = [], 0
    if group:
        yield group


def _ends(piece: Piece, text: str) -> bool:
    """Whether a passage may end here; what announces the next block does not."""
    if piece.block.kind == "heading" or text[piece.end - 1] == ":":
        return False
    digest = hashlib.blake2b(text[piece.start : piece.end].encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") % HASH_MODULUS == 0


def _shrunk(groups: list[list[Piece]], layout: _Layout) -> list[list[Piece]]:
    """Passages counted as they will be embedded: sums of parts are an estimate."""
    sizes = layout.sizes
    while True:
        sizes.learn(layout.embedded(group) for group in groups)
        long = [sizes.whole(layout.embedded(group)) > sizes.limit for group in groups]
        if not any(long):
            return groups
        parts = [
            _smaller(group, layout) if is_long else [group]
            for group, is_long in zip(groups, long, strict=True)
        ]
        groups = [part for several in parts for part in several]


def _smaller(group: list[Piece], layout: _Layout) -> list[list[Piece]]:
    """A passage that is too long as two."""
    if len(group) > 1:
        return [group[:-1], group[-1:]]
    halves = halve_piece(group[0], layout.document.text)
    if len(halves) == 1:
        raise ValueError(f"max_tokens is {layout.sizes.limit}: no room for one character")
    return [[half] for half in halves]

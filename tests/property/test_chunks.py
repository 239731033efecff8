import itertools
from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.documents import cut
from pipelines.records import Chunk, Document
from tests.fakes import WordTokens

WORDS = st.sampled_from(
    (
        "a of Days allowance ÄRGER e\u0301te\u0301 жаба 漢字かな 한국 צבע 2025 £450 **bold** `x` [xx] "
        f"👩\u200d🔧 {'x' * 300}"
    ).split()
)
PLAIN_WORDS = WORDS.filter(str.isalnum)
SENTENCES = st.lists(WORDS, min_size=1, max_size=9).map(lambda ws: f"The {' '.join(ws)}.")
GAPS = st.sampled_from(["\n\n", "\n \t\n", "\n\n\n\n", "\n\n\u00a0\n\n", "  \n\n"])
LIMITS = st.sampled_from([24, 40, 64, 200])


def lines_of(first: str, each: str, last: str = "") -> st.SearchStrategy[str]:
    lines = st.lists(SENTENCES, min_size=1, max_size=12)
    return lines.map(lambda ls: "\n".join([first, *(each.format(s) for s in ls), last]).strip("\n"))


PARAGRAPHS = st.lists(SENTENCES, min_size=1, max_size=8).map(tuple)
OTHERS = st.one_of(
    lines_of("", "- {}"),
    lines_of("", "1. {}\n   - inner"),
    lines_of("| a | b |\n| - | - |", "| {} | c |"),
    lines_of("```", "# {}\n\n", "```"),
    lines_of("", "> # {}"),
    lines_of("<div>", "{}", "</div>"),
    st.just("***"),
    st.just("[xx]: yy"),
)


@dataclass(frozen=True)
class Section:
    level: int
    heading: str
    blocks: tuple[str | tuple[str, ...], ...]
    """A paragraph is a tuple of sentences."""
    gaps: tuple[str, ...]

    def text(self) -> str:
        blocks = (b if isinstance(b, str) else "\n".join(b) for b in self.blocks)
        texts = [f"{'#' * self.level} {self.heading}", *blocks] if self.level else list(blocks)
        return "".join(t + gap for t, gap in zip(texts, self.gaps, strict=False))


def sections(level: st.SearchStrategy[int]) -> st.SearchStrategy[Section]:
    return st.builds(
        Section,
        level=level,
        heading=st.lists(PLAIN_WORDS, min_size=1, max_size=4).map(" ".join),
        blocks=st.lists(PARAGRAPHS | OTHERS, max_size=5).map(tuple),
        gaps=st.lists(GAPS, min_size=6, max_size=6).map(tuple),
    )


DOCUMENTS = st.tuples(sections(st.just(0)), st.lists(sections(st.integers(1, 4)), max_size=6)).map(
    lambda parts: [parts[0], *parts[1]]
)
TITLES = st.just("") | SENTENCES


def document(parts: list[Section], title: str) -> Document:
    return Document(title=title, text="".join(p.text() for p in parts), markdown=True)


def offsets(parts: list[Section]) -> list[int]:
    return list(itertools.accumulate((len(p.text()) for p in parts), initial=0))


def by_section(parts: list[Section], chunks: tuple[Chunk, ...]) -> list[list[str]]:
    edges = itertools.pairwise(offsets(parts))
    return [[c.embedded for c in chunks if a <= c.end - 1 < b] for a, b in edges]


@given(DOCUMENTS, TITLES, LIMITS)
@settings(deadline=None, max_examples=50)
def test_chunks_cover_the_text_in_order(parts: list[Section], title: str, limit: int) -> None:
    whole = document(parts, title)
    at = 0
    for position, chunk in enumerate(cut(whole, WordTokens(limit))):
        assert chunk.position == position
        assert not whole.text[at : chunk.start].strip()
        assert chunk.text == whole.text[chunk.start : chunk.end] == chunk.text.strip() != ""
        at = chunk.end
    assert not whole.text[at:].strip()


@given(DOCUMENTS, TITLES, LIMITS)
@settings(deadline=None, max_examples=50)
def test_no_chunk_exceeds_the_limit(parts: list[Section], title: str, limit: int) -> None:
    tokens = WordTokens(limit)
    for chunk in cut(document(parts, title), tokens):
        assert [chunk.tokens] == tokens.count([chunk.embedded])
        assert chunk.tokens <= limit


@given(DOCUMENTS, TITLES, LIMITS)
@settings(deadline=None, max_examples=50)
def test_same_input_gives_the_same_chunks(parts: list[Section], title: str, limit: int) -> None:
    whole = document(parts, title)
    assert cut(whole, WordTokens(limit)) == cut(whole, WordTokens(limit))


@given(DOCUMENTS, TITLES, LIMITS)
@settings(deadline=None, max_examples=50)
def test_heading_path_is_what_stands_above(parts: list[Section], title: str, limit: int) -> None:
    for chunk in cut(document(parts, title), WordTokens(limit)):
        path: list[tuple[int, str]] = []
        for part, start in zip(parts, offsets(parts), strict=False):
            if part.level and start < chunk.end:
                path = [p for p in path if p[0] < part.level] + [(part.level, part.heading)]
        assert chunk.heading_path == tuple(heading for _, heading in path)


@given(DOCUMENTS, TITLES, LIMITS)
@settings(deadline=None, max_examples=50)
def test_every_heading_below_a_text_begins_a_chunk(
    parts: list[Section], title: str, limit: int
) -> None:
    starts = {c.start for c in cut(document(parts, title), WordTokens(limit))}
    for before, part, start in zip(parts, parts[1:], offsets(parts)[1:], strict=False):
        if part.level and before.blocks:
            assert start in starts


@given(DOCUMENTS, TITLES, LIMITS, SENTENCES, st.data())
@settings(deadline=None, max_examples=80)
def test_inserting_a_sentence_changes_at_most_its_section(
    parts: list[Section], title: str, limit: int, sentence: str, data: st.DataObject
) -> None:
    places = [
        (number, index, len(block))
        for number, part in enumerate(parts)
        for index, block in enumerate(part.blocks)
        if isinstance(block, tuple)
    ]
    if not places:
        return
    number, index, length = data.draw(st.sampled_from(places))
    at = data.draw(st.integers(0, length))
    old = parts[number]
    block = old.blocks[index]
    assert isinstance(block, tuple)
    edited = (*old.blocks[:index], (*block[:at], sentence, *block[at:]), *old.blocks[index + 1 :])
    new_parts = list(parts)
    new_parts[number] = Section(old.level, old.heading, edited, old.gaps)
    before = by_section(parts, cut(document(parts, title), WordTokens(limit)))
    after = by_section(new_parts, cut(document(new_parts, title), WordTokens(limit)))
    del before[number], after[number]
    assert before == after

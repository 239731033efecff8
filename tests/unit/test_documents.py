import time

import pytest

from pipelines.documents import cut, read_document, read_front_matter
from pipelines.documents.blocks import MAX_PARSED, split_blocks
from pipelines.records import Document, Failure
from tests.fakes import WordTokens


def read(data: bytes, path: str = "a.md") -> Document | Failure:
    front_matter = read_front_matter(data)
    assert not isinstance(front_matter, Failure)
    return read_document(data, path=path, front_matter=front_matter)


def kinds(text: str) -> list[tuple[str, str]]:
    return [(b.kind, text[b.start : b.end]) for b in split_blocks(text, markdown=True)]


def test_front_matter_is_not_part_of_the_text() -> None:
    document = read(b"---\nowner: Payroll\n---\n# *Annual* `leave` &amp; [more](x.md)\n\nText.\n")
    assert document == Document(
        title="Annual leave & more",
        text="# *Annual* `leave` &amp; [more](x.md)\n\nText.\n",
        markdown=True,
    )


def test_title_of_the_front_matter_comes_first() -> None:
    document = read(b"---\ntitle: Leave\n---\n# Annual leave\n")
    assert isinstance(document, Document)
    assert document.title == "Leave"


def test_line_across_the_page_at_the_start_stays_in_the_text() -> None:
    document = read(b"---\n\nText.\n")
    assert document == Document(title="", text="---\n\nText.\n", markdown=True)


@pytest.mark.parametrize("path", ["a.txt", "b/README", "a.RST", "a.text"])
def test_plain_text_has_no_title(path: str) -> None:
    assert read(b"# Leave\n", path) == Document(title="", text="# Leave\n", markdown=False)


def test_newlines_and_byte_order_mark_are_normalised() -> None:
    assert read(b"\xef\xbb\xbf# A\r\n\rText.\r\n") == Document("A", "# A\n\nText.\n", True)


@pytest.mark.parametrize(
    ("data", "path", "failure"),
    [
        (b"x", "a.pdf", ("format_is_known", "suffix .pdf")),
        (b"---\ntitle: a\n---\ncaf\xe9 au lait", "a.md", ("text_is_utf8", "byte 21 of 29")),
        (b"a\0b\0", "a.md", ("text_has_no_null_bytes", "2, the first is byte 2")),
        (b"", "a.md", ("text_is_not_empty", "0 characters")),
        (b"---\ntitle: a\n---\n \n\xc2\xa0\xe2\x80\x8b", "a.md", ("text_is_not_empty", "4 char")),
    ],
)
def test_what_cannot_be_read_says_why(data: bytes, path: str, failure: tuple[str, str]) -> None:
    found = read(data, path)
    assert isinstance(found, Failure)
    assert found.expectation == failure[0]
    assert found.observed.startswith(failure[1])
    assert not found.withhold


def test_document_of_headings_is_not_empty() -> None:
    assert isinstance(read(b"# A\n## B\n"), Document)


def test_blocks_are_what_markdown_says() -> None:
    text = (
        "Leave\n=====\n\nSome\ntext.\n\n- one\n- two\n\n  more\n\n| a |\n| - |\n| 1 |\n\n"
        "```py\n# no heading\n\nx\n```\n\n> quoted\n> # not ours\n\n<b>\nx\n</b>\n\n---\n\n"
        "[x]: y\n\n    code\n## End ##"
    )
    assert kinds(text) == [
        ("heading", "Leave\n====="),
        ("paragraph", "Some\ntext."),
        ("list", "- one\n- two\n\n  more"),
        ("table", "| a |\n| - |\n| 1 |"),
        ("code", "```py\n# no heading\n\nx\n```"),
        ("quote", "> quoted\n> # not ours"),
        ("html", "<b>\nx\n</b>"),
        ("rule", "---"),
        ("paragraph", "[x]: y"),
        ("code", "code"),
        ("heading", "## End ##"),
    ]
    headings = [(b.level, b.heading) for b in split_blocks(text, markdown=True) if b.level]
    assert headings == [(1, "Leave"), (2, "End")]


def test_characters_that_only_look_like_line_ends_end_no_line() -> None:
    text = "# A\x0bB\u2028C\x85D\n\nE\x0c\nF"
    assert [t for _, t in kinds(text)] == ["# A\x0bB\u2028C\x85D", "E\x0c\nF"]


def test_image_written_into_the_text_hides_no_heading() -> None:
    text = "# A\n\n![x](data:image/png;base64," + "A" * MAX_PARSED + ")\n\n## B\n\nText.\n"
    assert [k for k, _ in kinds(text)] == ["heading", "paragraph", "heading", "paragraph"]


HOSTILE = {
    "brackets": "[" * 2_000_000,
    "quotes": ">" * 2_000_000,
    "open links": "[\n" * 60_000,
    "definitions": "[a]: b\n" * 30_000,
    "nested lists": "- " * 400_000,
    "nested quotes": (">" * 100 + "\n") * 4_000,
    "one word": "x" * 2_000_000,
    "long heading": "# " + "*a" * 500_000,
    "marks": "a" + "\u0301" * 500_000,
    "many lines": "- a\n" * (MAX_PARSED // 2),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_is_cut_soon(name: str) -> None:
    begun = time.process_time()
    document = read(HOSTILE[name].encode())
    assert isinstance(document, Document)
    chunks = cut(document, WordTokens(256))
    assert max(chunk.tokens for chunk in chunks) <= 256
    assert time.process_time() - begun < 60  # what grows with the square takes many minutes

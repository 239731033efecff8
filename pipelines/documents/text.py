"""The bytes of a document -> its text, or why there is none."""

import re
from pathlib import PurePosixPath

from pipelines.documents.blocks import split_blocks
from pipelines.documents.front_matter import front_matter_end
from pipelines.records import Document, Failure, FrontMatter

MARKDOWN_BY_SUFFIX = {
    ".md": True,
    ".markdown": True,
    ".mdx": True,
    ".txt": False,
    ".text": False,
    ".rst": False,
    "": False,
}
"""The formats that can be read, by suffix, and whether Markdown means something in them."""

_BOM = "\ufeff"
# White space, and what takes no room on a page.
_VISIBLE = re.compile(r"[^\s\u200b-\u200f\u2060\ufeff]")


def read_document(
    data: bytes, *, path: str, front_matter: FrontMatter | None
) -> Document | Failure:
    """The text of a document.

    Args:
        data: The whole document.
        path: Says the format by its suffix, and nothing else.
        front_matter: What ``read_front_matter`` recognised in ``data``; its block is left out
            of the text.
    """
    suffix = PurePosixPath(path).suffix.lower()
    if suffix not in MARKDOWN_BY_SUFFIX:
        known = ", ".join(s for s in MARKDOWN_BY_SUFFIX if s)
        return Failure("format_is_known", f"suffix {suffix}; known are {known} and none")
    text = _decode(data, 0 if front_matter is None else front_matter_end(data))
    if isinstance(text, Failure):
        return text
    if not _VISIBLE.search(text):
        return Failure("text_is_not_empty", f"{len(text)} characters, none of them visible")
    markdown = MARKDOWN_BY_SUFFIX[suffix]
    title = (front_matter.title if front_matter else None) or _first_heading(text, markdown)
    return Document(title=title, text=text, markdown=markdown)


def _decode(data: bytes, start: int) -> str | Failure:
    """The text from byte ``start`` on; positions in failures count from the first byte."""
    try:
        text = data[start:].decode("utf-8")
    except UnicodeDecodeError as error:
        return Failure("text_is_utf8", f"byte {start + error.start + 1} of {len(data)}")
    if "\0" in text:
        count, first = data.count(b"\0", start), data.index(b"\0", start) + 1
        return Failure("text_has_no_null_bytes", f"{count}, the first is byte {first}")
    return text.removeprefix(_BOM).replace("\r\n", "\n").replace("\r", "\n")


def _first_heading(text: str, markdown: bool) -> str:
    """Plain text of the first heading that has some, or nothing."""
    if not markdown:
        return ""
    return next((b.heading for b in split_blocks(text, markdown=True) if b.heading), "")

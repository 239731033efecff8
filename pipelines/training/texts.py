"""What a passage says without its headings, what its headings say without it, which words are in it."""

import re
from collections.abc import Sequence

_HEADINGS = re.compile(
    r"\A(?:\s*#{1,6}[ \t][^\n]*(?:\n|\Z)|[^\n]+\n[ \t]*(?:=+|-{2,})[ \t]*(?:\n|\Z))+"
)
_WORD = re.compile(r"\w+")


def body(text: str) -> str:
    """A passage without the headings that it begins with; headings stand nowhere else in it."""
    return _HEADINGS.sub("", text).strip()


def heading_text(title: str, path: Sequence[str]) -> str:
    """Title and headings as one line; a title that is a heading too is said once."""
    names = list(path)
    if title and all(_folded(title) != _folded(name) for name in path):
        names.insert(0, title)
    return " > ".join(" ".join(name.split()) for name in names if name.strip())


def embedded(prefix: str, text: str) -> str:
    """A passage as the knowledge base embeds it."""
    return f"{prefix}\n\n{text}" if prefix else text


def words(text: str) -> list[str]:
    """Its words, in order, without case."""
    return _WORD.findall(text.casefold())


def _folded(name: str) -> str:
    return " ".join(name.split()).casefold()

"""Sentences that point to another document: people wrote down what they meant to be found there."""

import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import unquote

from pipelines.training.texts import words

LEAST_WORDS, MOST_WORDS = 6, 60
_OWN_WORDS = 4
"""Words that a sentence has besides the link: an entry of a list of links asks nothing."""

_LINK = re.compile(r"(?<!!)\[([^\[\]]+)\]\(\s*<?([^()\s>]+)>?(?:\s+[\"'][^\"']*[\"'])?\s*\)")
_SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[\"'(\[*_]*[A-Z])")
_BLOCK = re.compile(r"\n\s*\n|\n(?=\s*(?:[-*+>#|]|\d+[.)])\s)")
_BULLET = re.compile(r"\A\s*(?:[-*+>]|\d+[.)]|#{1,6})\s+")
_MARKS = re.compile(r"[*_`]+(?=\S)|(?<=\S)[*_`]+")
_ENDINGS = (
    "", ".md", ".markdown", ".mdx", ".html.md", "/index.md", "/_index.md", "/index.html.md",
    "/README.md", "/readme.md",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Reference:
    """A sentence with one link."""

    text: str
    """The sentence, with the words of the link and without its address."""
    address: str


def references(text: str) -> Iterator[Reference]:
    """The sentences of a passage that hold exactly one Markdown link, in order."""
    for block in _BLOCK.split(text):
        if block.lstrip().startswith(("|", "#", "```")):
            continue
        for sentence in _SENTENCE.split(_BULLET.sub("", block)):
            links = _LINK.findall(sentence)
            if len(links) != 1:
                continue
            named, address = links[0]
            plain = " ".join(_MARKS.sub("", _LINK.sub(r"\1", sentence)).split())
            count = len(words(plain))
            if LEAST_WORDS <= count <= MOST_WORDS and count - len(words(named)) >= _OWN_WORDS:
                yield Reference(plain, address)


def resolve(address: str, uri: str, documents: Mapping[str, str]) -> tuple[str, str] | None:
    """The document and the fragment that an address means, or None where it is none of ours.

    Args:
        address: As it stands in the link.
        uri: Of the document that holds it.
        documents: uri -> document.
    """
    if "://" in address or address.startswith(("mailto:", "#")):
        return None
    path, _, fragment = unquote(address).partition("#")
    path = path.partition("?")[0].rstrip("/").removesuffix(".html")
    source = uri.partition("/")[0]
    for candidate in _candidates(path, uri, source):
        place = posixpath.normpath(candidate)
        if not place.startswith(f"{source}/"):
            continue
        for ending in _ENDINGS:
            if place + ending in documents:
                return documents[place + ending], fragment
    return None


def _candidates(path: str, uri: str, source: str) -> Iterator[str]:
    if path.startswith("/"):
        yield source + path
        # A site may be published below a folder that its source does not have.
        yield f"{source}/{path.lstrip('/').partition('/')[2]}"
        return
    yield f"{posixpath.dirname(uri)}/{path}"
    # Where a site makes a folder of each page, an address starts in that folder.
    yield f"{posixpath.splitext(uri)[0]}/{path}"


def slug(heading: str) -> str:
    """A heading as links to it spell it."""
    kept = re.sub(r"[^\w\- ]", "", heading.casefold())
    return re.sub(r"\s+", "-", kept.strip())

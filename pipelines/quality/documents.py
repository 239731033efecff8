"""What is measured on a document's text before it is written: one column a measure."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from pipelines.quality.boilerplate import boilerplate
from pipelines.quality.columns import DOCUMENTS
from pipelines.quality.findings import Finding
from pipelines.quality.language import is_among, language
from pipelines.quality.names import FindNames
from pipelines.quality.personal import find_personal
from pipelines.quality.readable import (
    count_bidi_controls,
    count_controls,
    mojibake_share,
    replacement_share,
)
from pipelines.quality.secrets import find_secrets
from pipelines.records import FrontMatter

MASKED_CHARACTERS = 500
"""Of an excerpt, at most."""
_LEAD = 120
"""Characters shown before what was found first."""
_AROUND = 25_000
"""Characters on both sides of an excerpt in which what reaches into it is looked for."""

_WORD = re.compile(r"[^\W_]+")
_ROOMLESS = "\u200b\u200c\u200d\u200e\u200f\u2060\ufeff"


@dataclass(frozen=True, slots=True)
class Text:
    """One document as its checks see it."""

    uri: str
    source: str
    domain: str
    title: str
    text: str
    """Without front matter."""
    asked: FrontMatter | None
    """What its front matter asks for; None where it has none."""
    published_characters: int | None
    """Of its published version."""
    duplicate_of: str | None
    """Another document of the same bytes."""
    required: tuple[str, ...]
    """Front matter keys that its domain requires."""
    languages: tuple[str, ...]
    """ISO 639-1 codes that its domain allows; none means any."""


def document_columns(
    texts: Sequence[Text],
    *,
    today: date,
    personal_data: Sequence[str],
    find_names: FindNames | None = None,
) -> dict[str, list[Any]]:
    """The table that the suite of documents is held against: a row for each text, in order.

    Args:
        texts: Any text is measured, in time that grows with its length alone.
        today: What an effective date is compared with.
        personal_data: Kinds that are looked for.
        find_names: For the kind ``name``.

    Returns:
        The columns of ``DOCUMENTS``; a null is not judged.

    Raises:
        ValueError: ``personal_data`` has ``name``, and there is no ``find_names``.
    """
    if "name" in personal_data and find_names is None:
        raise ValueError("names cannot be looked for without find_names")
    rows = [
        _said(text, today) | _measured(text) | _found(text.text, personal_data, find_names)
        for text in texts
    ]
    return {name: [row[name] for row in rows] for name in DOCUMENTS}


def masked(text: str, *, personal_data: Sequence[str], find_names: FindNames | None = None) -> str:
    """An excerpt in which every secret and personal datum reads ``[secret]``, ``[card]``.

    Args:
        text: The whole document.
        personal_data: Kinds that are masked, secrets besides.
        find_names: For the kind ``name``; without it names stay.

    Returns:
        At most ``MASKED_CHARACTERS``: where something was found, from a little before it on; else
        the beginning.
    """
    first = min(_findings(text, personal_data, find_names), default=None)
    begin = _word_start(text, first.start) if first else 0
    end = begin + MASKED_CHARACTERS
    offset = max(begin - _AROUND, 0)
    around = text[offset : end + _AROUND]
    parts: list[str] = []
    at = begin
    for finding in sorted(_findings(around, personal_data, find_names)):
        start, stop = offset + finding.start, offset + finding.end
        if stop > at and start < end:
            mask = f"[{finding.kind}]"
            parts += [text[at:start], mask]
            end += stop - max(at, start) - len(mask)
            at = stop
    return "".join([*parts, text[at : min(end, offset + len(around))]]).strip()[:MASKED_CHARACTERS]


def _word_start(text: str, before: int) -> int:
    """Where an excerpt begins that shows what stands before a finding."""
    at = max(before - _LEAD, 0)
    space = re.search(r"\s", text[at:before]) if at else None
    return at + space.end() if space else at


def _said(text: Text, today: date) -> dict[str, Any]:
    """What is known without looking at the text itself."""
    asked = text.asked or FrontMatter()
    missing = [key for key in text.required if getattr(asked, key, None) is None]
    return {
        "uri": text.uri,
        "source": text.source,
        "domain": text.domain,
        "title": text.title or None,
        "owner": asked.owner,
        "effective": asked.effective,
        "valid_until": asked.valid_until,
        "missing_metadata": ", ".join(missing) or None,
        "days_ahead": _days_ahead(asked.effective, today),
        "length_ratio": len(text.text) / text.published_characters
        if text.published_characters
        else None,
        "duplicate_of": text.duplicate_of,
    }


def _days_ahead(effective: str | None, today: date) -> int | None:
    return None if effective is None else (date.fromisoformat(effective) - today).days


def _measured(document: Text) -> dict[str, Any]:
    text = document.text
    code = language(text)
    allowed = not document.languages or (code is not None and is_among(code, document.languages))
    return {
        "characters": len(text),
        "visible_characters": _visible(text),
        "words": sum(1 for _ in _WORD.finditer(text)),
        "longest_line": max(map(len, text.split("\n"))),
        "replacement_share": replacement_share(text),
        "mojibake_share": mojibake_share(text),
        "control_characters": count_controls(text),
        "bidi_controls": count_bidi_controls(text),
        "boilerplate": boilerplate(text),
        "language": code,
        "language_allowed": None if code is None else allowed,
    }


def _visible(text: str) -> int:
    roomless = 0 if text.isascii() else sum(map(text.count, _ROOMLESS))
    return sum(map(len, text.split())) - roomless


def _found(
    text: str, personal_data: Sequence[str], find_names: FindNames | None
) -> dict[str, str | None]:
    secrets = {finding.kind for finding in find_secrets(text)}
    personal = {finding.kind for finding in find_personal(text, personal_data)}
    if "name" in personal_data and find_names and any(True for _ in find_names(text)):
        personal.add("name")
    return {
        "secrets": ", ".join(sorted(secrets)) or None,
        "personal_data": ", ".join(sorted(personal)) or None,
    }


def _findings(
    text: str, personal_data: Sequence[str], find_names: FindNames | None
) -> Iterator[Finding]:
    """What is to be masked, in no order."""
    for found in find_secrets(text):
        yield found._replace(kind="secret")
    yield from find_personal(text, personal_data)
    if "name" in personal_data and find_names:
        for start, end in find_names(text):
            yield Finding(start, end, "name")

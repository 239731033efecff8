"""Makes texts, times and counts fit for a terminal."""

import unicodedata
from datetime import datetime
from typing import Any

_LINES = frozenset({"text", "excerpt", "card", "answers", "wanted"})
"""Keys whose values are passages, pages or answers: their line ends mean something."""

_TURNS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""They turn the direction of writing, so that a line reads as what it is not."""

_UNITS = (("day", 86_400), ("hour", 3600), ("minute", 60), ("second", 1))


def clean(text: str, *, lines: bool = False) -> str:
    """Text that cannot steer a terminal: control characters are spelled out.

    Args:
        text: From a document, a path, or an error.
        lines: Keep line ends and tabs.
    """
    kept = "\n\t" if lines else ""
    return "".join(c if c in kept or not _steers(c) else _spelled(c) for c in text)


def _steers(char: str) -> bool:
    return char in _TURNS or unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp")


def _spelled(char: str) -> str:
    return char.encode("unicode_escape", "surrogatepass").decode("ascii")


def scrub(value: Any, *, lines: bool = False) -> Any:
    """A JSON value with every text in it cleaned."""
    if isinstance(value, str):
        return clean(value, lines=lines)
    if isinstance(value, dict):
        return {clean(k): scrub(v, lines=lines or k in _LINES) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [scrub(item, lines=lines) for item in value]
    return value


def counted(number: int, noun: str) -> str:
    """``1 document``, ``2,000 documents``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def ago(at: str | None, now: datetime) -> str:
    """How long ago an ISO time was: ``3 minutes ago``; ``never`` for None."""
    if at is None:
        return "never"
    passed = (now - datetime.fromisoformat(at)).total_seconds()
    for unit, seconds in _UNITS:
        if passed >= seconds:
            return f"{counted(int(passed // seconds), unit)} ago"
    return "just now"


def lasting(seconds: float | None) -> str:
    """A length of time: ``0.3 s``, ``45 s``, ``5 min``, ``3 d``; a dash for None."""
    if seconds is None:
        return "-"
    for unit, size in (("d", 2 * 86_400), ("h", 2 * 3600), ("min", 2 * 60)):
        if seconds >= size:
            return f"{seconds / (size / 2):.0f} {unit}"
    return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"


def as_of(at: str | None, now: datetime) -> str:
    """``data as of 3 minutes ago``, in words also where it is not known."""
    return f"data as of {ago(at, now)}" if at else "data as of an unknown time"

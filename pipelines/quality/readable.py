"""What makes a text unreadable: wrong decoding, control characters, bidirectional tricks."""

import re

MIN_SEQUENCES = 3
"""One or two wrongly decoded sequences may be an example, or a name that nobody looked at."""

_CONTROL = re.compile("[\x00-\x08\x0b\r\x0e-\x1f\x7f-\x9f]")
_BIDI = re.compile("[\u202a-\u202e\u2066-\u2069\n]")

_OVERRIDES = {"\u202d", "\u202e"}
_EMBEDDINGS = {"\u202a", "\u202b"} | _OVERRIDES
_ISOLATES = {"\u2066", "\u2067", "\u2068"}
_POP_EMBEDDING = "\u202c"
_POP_ISOLATE = "\u2069"


def replacement_share(text: str) -> float:
    """U+FFFD, which stands for bytes that could not be decoded, per character."""
    return text.count("\ufffd") / max(len(text), 1)


def mojibake_share(text: str) -> float:
    """Characters of sequences that only wrong decoding makes (``Ã¼`` for ``ü``), per character.

    Nothing where there are fewer than ``MIN_SEQUENCES``. U+FFFD counts elsewhere. Sequences that
    span lines are not seen.
    """
    if text.isascii():
        return 0.0
    from ftfy.badness import BADNESS_RE

    # Every such sequence has a character beyond ASCII.
    lines = (line for line in text.split("\n") if not line.isascii())
    seen = BADNESS_RE.findall("\n".join(lines).replace("\ufffd", " "))
    return sum(map(len, seen)) / len(text) if len(seen) >= MIN_SEQUENCES else 0.0


def count_controls(text: str) -> int:
    """C0 and C1 controls and DEL; tab, newline and form feed are no harm."""
    return len(_CONTROL.findall(text))


def count_bidi_controls(text: str) -> int:
    """Bidirectional overrides, and embeddings and isolates that are not closed on their line.

    Closed embeddings and isolates are how right-to-left words stand in other text.
    """
    if text.isascii():
        return 0
    count = 0
    levels: list[list[str]] = [[]]
    for sign in _BIDI.findall(text):
        if sign == "\n":
            count += sum(map(_unclosed, levels)) + len(levels) - 1
            levels = [[]]
        else:
            count += (sign in _OVERRIDES) + _step(levels, sign)
    return count + sum(map(_unclosed, levels)) + len(levels) - 1


def _step(levels: list[list[str]], sign: str) -> int:
    """Takes one sign into account; says how many it leaves unclosed for good.

    Args:
        levels: The embeddings and overrides that are open, for each open isolate and outside.
        sign: One that opens or closes.
    """
    if sign in _ISOLATES:
        levels.append([])
    elif sign in _EMBEDDINGS:
        levels[-1].append(sign)
    elif sign == _POP_EMBEDDING and levels[-1]:
        levels[-1].pop()
    elif sign == _POP_ISOLATE and len(levels) > 1:
        return _unclosed(levels.pop())
    return 0


def _unclosed(open_: list[str]) -> int:
    """Overrides were counted where they stand."""
    return sum(sign not in _OVERRIDES for sign in open_)

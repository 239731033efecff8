"""Which language the prose of a document is in."""

import functools
import re
from collections.abc import Collection
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier

MAX_CHARACTERS = 200_000
"""Only so much of a text is looked at, from its start."""
MIN_BYTES = 200
"""Of letters, in UTF-8: 200 of English, 70 Chinese characters. With fewer nobody can tell."""
SAMPLE = 500
"""Characters of each of three samples: start, middle and end."""
MIN_CONFIDENCE = 0.9

_FENCE = ("```", "~~~")
_NOT_PROSE = re.compile(
    r"`[^`\n]*`"
    r"|(?:https?://|www\.)\S+"
    r"|\]\([^()\n]*\)"
    r"|<[^<>\n]{0,500}>"
    r"|&#?\w{1,10};"
    r"|@\S+"
)
_NO_LETTERS = re.compile(r"[\W\d_]+")
_ALIKE = (
    frozenset({"bs", "hr", "sr"}),
    frozenset({"hi", "mr", "ne", "sa"}),
    frozenset({"id", "ms"}),
    frozenset({"no", "nb", "nn"}),
    frozenset({"zh", "yue", "wuu"}),
)
"""Languages that the model does not tell apart by their writing; a text is in all of them."""
_NO_LANGUAGE = "zxx"


def language(text: str) -> str | None:
    """The language of a text as an ISO 639-1 code, or None where nobody can tell.

    Code blocks, inline code, tables, addresses and tags are left out. None where fewer than
    ``MIN_BYTES`` of letters remain, or the model is less sure than ``MIN_CONFIDENCE``.
    """
    letters = _NO_LETTERS.sub(" ", _prose(text[:MAX_CHARACTERS])).strip()
    if len(letters.encode("utf-8", "replace")) - letters.count(" ") < MIN_BYTES:
        return None
    ranked = _identifier().rank(_sample(letters))
    best = _alike(ranked[0][0])
    if sum(share for code, share in ranked if code in best) < MIN_CONFIDENCE:
        return None
    return next((code for code, _ in ranked if code in best and len(code) == 2), None)


def is_among(code: str, languages: Collection[str]) -> bool:
    """Whether a text in that language may be in one of ``languages``: ``no`` is ``nb`` too."""
    return not _alike(code).isdisjoint(language.strip().lower() for language in languages)


def _alike(code: str) -> frozenset[str]:
    return next((group for group in _ALIKE if code in group), frozenset({code}))


def _prose(text: str) -> str:
    """Lines outside of fences and tables, without what is code or an address in them."""
    kept = []
    fence = ""
    for line in text.split("\n"):
        start = line.lstrip(" \t>")[:3]
        if start in _FENCE:
            if not fence:
                fence = start
            elif start == fence:
                fence = ""
        elif not fence and line.count("|") < 2:
            kept.append(line)
    return _NOT_PROSE.sub(" ", "\n".join(kept))


def _sample(letters: str) -> str:
    """Start, middle and end."""
    if len(letters) <= 3 * SAMPLE:
        return letters
    middle = (len(letters) - SAMPLE) // 2
    return " ".join((letters[:SAMPLE], letters[middle : middle + SAMPLE], letters[-SAMPLE:]))


@functools.cache
def _identifier() -> "LanguageIdentifier":
    import numpy as np
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    # Those without a code of two letters could never be the answer.
    known = {code for code in identifier.labels if len(code) == 2}.union(*_ALIKE, {_NO_LANGUAGE})
    identifier.set_languages(known & set(identifier.labels))
    # Half precision, by columns, is how they come; so they take a third of the time.
    identifier.nb_ptc = np.ascontiguousarray(identifier.nb_ptc, dtype=np.float32)
    return identifier

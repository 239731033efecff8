"""How good one answer is, by its text alone: form, fact, citations, faithfulness, abstention."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from pipelines.training.generator.prompts import citations, uncited
from pipelines.training.records import House

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError
    from jsonschema.protocols import Validator

MEASURES = ("format", "exact", "f1", "cited", "answer", "followed", "abstained")
"""Each from 0 to 1."""

# A number is one word with its points and commas: 1.5 is not 15. A sign of money is one as well.
WORD = re.compile(r"\d[\d.,:]*\d|\w+|[€£$¥%]")
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_MATCH_SECONDS = 5.0
_ARTICLES = frozenset(("a", "an", "the"))


def measures(said: str, row: Mapping[str, Any], house: House) -> dict[str, float | None]:
    """Score an answer; None where a measure says nothing about its question.

    Args:
        said: What a model answered.
        row: Of ``questions.parquet``: ``set``, ``answer``, ``fact`` and ``former`` are read.
        house: What is asked of an answer.

    Returns:
        A value from 0 to 1, or None, for each of ``MEASURES``.
    """
    scores: dict[str, float | None] = dict.fromkeys(MEASURES)
    scores["abstained"] = float(holds(said, house.abstention))
    if row["set"] == "unanswerable":
        return scores
    wanted = row["fact"] or row["answer"]
    told = uncited(said) if row["fact"] else said
    form, shared = float(in_form(said, house)), token_f1(told, wanted)
    scores |= {"format": form, "exact": float(holds(told, wanted)), "f1": shared}
    scores["answer"] = form * shared
    cited = citations(row["answer"])
    if cited:
        scores["cited"] = float(citations(said) == cited)
    if row["set"] == "changed":
        scores["followed"] = float(holds(told, row["fact"]) and not holds(told, row["former"]))
    return scores


def in_form(said: str, house: House) -> bool:
    """Whether an answer has the house's form; where none is asked for, whether it says anything.

    An expression that takes longer than seconds over an answer does not match it.

    Raises:
        ValueError: The JSON schema is no schema, or points to a part that it does not have.
    """
    if not said.strip() or (house.format and not _found(house.format, said, whole=True)):
        return False
    return not house.json_schema or _obeys(said, house.json_schema)


def holds(text: str, value: str) -> bool:
    """Whether a text says a value in so many words; case, punctuation and articles aside."""
    here, wanted = answer_words(text), answer_words(value)
    stretches = (here[at : at + len(wanted)] for at in range(len(here) - len(wanted) + 1))
    return bool(wanted) and any(stretch == wanted for stretch in stretches)


def token_f1(text: str, value: str) -> float:
    """Token F1 of a value and of the stretch, as long, of a text that comes nearest to it, 0 to 1.

    P. Rajpurkar and others, SQuAD (2016), compare an answer with a value as bags of words. Here an
    answer has more to say than the value, so that the stretch is looked for first.
    """
    here, wanted = answer_words(text), answer_words(value)
    most = max(1, len(here) - len(wanted) + 1)
    shared = max(
        (Counter(here[at : at + len(wanted)]) & Counter(wanted)).total() for at in range(most)
    )
    if not shared:
        return 0.0
    return 2 * shared / (min(len(here), len(wanted)) + len(wanted))


def answer_words(text: str) -> list[str]:
    """The words that answers are compared by, after SQuAD: no case, no articles, no punctuation."""
    found = WORD.findall(_THOUSANDS.sub("", text.casefold()))
    return [word for word in found if word not in _ARTICLES] or found


def _found(expression: str, said: str, *, whole: bool) -> bool:
    """Whether a text, or all of it, matches; the library of Python's own cannot be stopped."""
    import regex

    find = regex.fullmatch if whole else regex.search
    try:
        return find(expression, said, timeout=_MATCH_SECONDS) is not None
    except TimeoutError:
        return False


def _obeys(said: str, schema: str) -> bool:
    try:
        value = json.loads(said)
    except (ValueError, RecursionError):
        return False
    return _validator(schema).is_valid(value)


@lru_cache(maxsize=8)
def _validator(schema: str) -> "Validator":
    from jsonschema.exceptions import SchemaError
    from jsonschema.validators import extend, validator_for

    said = json.loads(schema)
    if not all(_points_inside(said, name) for name in _references(said)):
        raise ValueError("it points to what is not in it; nothing is looked for elsewhere")
    kind = validator_for(said)
    try:
        kind.check_schema(said)
    except SchemaError as error:
        raise ValueError(f"it is no JSON schema: {error.message}") from None
    with_limit: Any = extend  # it says nothing of its types
    checked: Validator = with_limit(kind, {"pattern": _has_pattern})(said)
    return checked


def _has_pattern(_: Any, pattern: str, value: Any, __: Any) -> "Iterator[ValidationError]":
    from jsonschema.exceptions import ValidationError

    if isinstance(value, str) and not _found(pattern, value, whole=False):
        yield ValidationError("it has not the pattern")


def _points_inside(schema: Any, name: str) -> bool:
    here, _, path = name.partition("#")
    at: Any = schema
    for key in path.split("/")[1:]:
        known = key.replace("~1", "/").replace("~0", "~")
        if not isinstance(at, dict) or known not in at:
            return False
        at = at[known]
    return not here and path[:1] in ("", "/")


def _references(said: Any) -> list[str]:
    """Where a schema points to."""
    if isinstance(said, list):
        return [name for part in said for name in _references(part)]
    if not isinstance(said, dict):
        return []
    own = [said[key] for key in ("$ref", "$dynamicRef") if isinstance(said.get(key), str)]
    return own + [name for part in said.values() for name in _references(part)]

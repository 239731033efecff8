"""Gives a fact another value of the same form, and puts it where the former one stands."""

import re
from hashlib import blake2b

_NUMBER = re.compile(r"\d+")


def other_value(fact: str, key: str) -> str | None:
    """A fact with other numbers, which hang on the fact and a key alone; None without a number.

    The first digit of each number that is not 0 is another one, never a larger one where there are
    smaller: 31 March does not become a day that no month has, nor 09:30 an hour that none has.

    Args:
        fact: As it stands in an answer.
        key: Another one may give another value.
    """
    if not re.search("[1-9]", fact):
        return None
    return _NUMBER.sub(lambda found: _other_number(found, f"{key} {fact}"), fact)


def put_in_place(text: str, former: str, value: str) -> str:
    """A text that says another value wherever it said the former one.

    Args:
        text: A passage or an answer.
        former: Found in any case and with any space between its words, but never inside of a longer
            word or number.
        value: Of ``other_value(former, ...)``; its numbers take the places of the former ones.
    """
    numbers = _NUMBER.findall(value)

    def other(found: re.Match[str]) -> str:
        left = iter(numbers)
        return _NUMBER.sub(lambda _: next(left), found[0])

    return _whole(former).sub(other, text)


def stands_in(text: str, fact: str) -> bool:
    """Whether ``put_in_place`` finds a fact in a text."""
    return bool(fact) and _whole(fact).search(text) is not None


def _whole(fact: str) -> re.Pattern[str]:
    words = r"\s+".join(re.escape(word) for word in fact.split())
    return re.compile(rf"(?<!\w)(?<!\d[.,:]){words}(?!\w)(?![.,:]\d)", re.IGNORECASE)


def _other_number(found: re.Match[str], key: str) -> str:
    number = found[0]
    at = next((place for place, digit in enumerate(number) if digit in "123456789"), None)
    if at is None:
        return number
    old = int(number[at])
    choices = range(1, old) if old > 1 else range(2, 10)
    drawn = blake2b(f"{found.start()} {key}".encode("utf-8", "surrogatepass"), digest_size=8)
    new = choices[int.from_bytes(drawn.digest(), "big") % len(choices)]
    return f"{number[:at]}{new}{number[at + 1 :]}"

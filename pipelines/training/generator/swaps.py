"""Gives a fact another value of the same form, and puts it where the former one stands."""

import re
from hashlib import blake2b

_NUMBER = re.compile(r"\d+")


def other_value(fact: str, key: str) -> str | None:
    """A fact with other numbers, which hang on the fact and a key alone; None without a number.

    The last digit of each number that can be lowered is, and not to 0: 31 March does not become a
    day that no month has, nor 09:30 a time that no day has.

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
            word or number, and never the number of a citation.
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
    return re.compile(
        rf"(?<!\w)(?<!\d[.,:])(?!(?<=\[)\d{{1,3}}\]){words}(?!\w)(?![.,:]\d)", re.IGNORECASE
    )


def _other_number(found: re.Match[str], key: str) -> str:
    number = found[0]
    lowered = [place for place, digit in enumerate(number) if digit in "23456789"]
    if not lowered:  # 1 and 10 cannot be; 0 stays
        return number.replace("1", "2", 1)
    at = lowered[-1]
    drawn = blake2b(f"{found.start()} {key}".encode("utf-8", "surrogatepass"), digest_size=8)
    new = 1 + int.from_bytes(drawn.digest(), "big") % (int(number[at]) - 1)
    return f"{number[:at]}{new}{number[at + 1 :]}"

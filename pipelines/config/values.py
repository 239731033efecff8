"""The single values that a setting may have; each says in words what is allowed."""

import math
import re
from datetime import timedelta
from pathlib import PurePosixPath
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field

_UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*([smhdw])")
LONGEST_DAYS = 36_500
"""So that subtracting it from a date still gives a date."""


def parse_duration(value: object) -> timedelta:
    """A length of time as people write it: ``"90s"``, ``"1h"``, ``"2d"``, or a number of seconds.

    Raises:
        ValueError: It is not such a length, or out of range.
    """
    wanted = (
        'a time like "90s", "5m", "1h", "2d" or a number of seconds, more than 0, at most 100 years'
    )
    if isinstance(value, timedelta):
        length = value
    else:
        match = _DURATION.fullmatch(value) if isinstance(value, str) else None
        if match:
            seconds = float(match[1]) * _UNIT_SECONDS[match[2]]
        elif isinstance(value, int | float) and not isinstance(value, bool):
            seconds = value
        else:
            seconds = math.nan
        try:
            length = timedelta(seconds=seconds)
        except (ValueError, OverflowError):
            raise ValueError(wanted) from None
    if not timedelta(0) < length <= timedelta(days=LONGEST_DAYS):
        raise ValueError(wanted)
    return length


def _name(value: str) -> str:
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]*", value):
        raise ValueError("made of a-z, 0-9 and dashes, and begin with a letter or digit")
    return value


def _word(value: str) -> str:
    # The command line separates labels by commas.
    if not re.fullmatch(r"[^\s,]+", value):
        raise ValueError("one word, without blanks and commas")
    return value


def _argument(value: str) -> str:
    # It is handed to the git program, which would read it as an option.
    if not value or value.startswith("-"):
        raise ValueError("not empty, and not begin with a dash")
    return value


def _folder_below(value: str) -> str:
    path = PurePosixPath(value)
    if path.is_absolute() or ".." in path.parts:
        raise ValueError("a folder below the top of the repository, without leading / and ..")
    return "" if path == PurePosixPath() else str(path)


Name = Annotated[str, AfterValidator(_name)]
Word = Annotated[str, AfterValidator(_word)]
Text = Annotated[str, Field(min_length=1)]
Argument = Annotated[str, AfterValidator(_argument)]
Folder = Annotated[str, AfterValidator(_folder_below)]
Flag = Annotated[bool, Field(strict=True)]
Whole = Annotated[int, Field(strict=True)]
Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Duration = Annotated[timedelta, BeforeValidator(parse_duration)]
Words = Annotated[tuple[Word, ...], Field(min_length=1)]

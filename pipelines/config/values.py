"""The single values that a setting may have; each says in words what is allowed."""

import ipaddress
import math
import re
from datetime import timedelta
from pathlib import PurePosixPath
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field

_UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*([smhdw])")
_PASSWORD = re.compile(
    r"(\w://[^\s/@:\"]*:)[^\s/\"]+(?=@)"
    # Whoever makes up a password for a database does not always spell its slashes as %2F.
    r"|((?:sql|postgres)[\w+]*://[^\s/@:\"]*:)[^\s\"]+(?=@)"
    # A token may stand alone, without a user.
    r"|(https?://)[^\s/@:\"]+(?=@)"
    r"|([?&]password=)[^\s&\"]+"
)
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


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach what listens there."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def mask_password(text: str) -> str:
    """The text with the password or token of each URL in it left out."""
    return _PASSWORD.sub(r"\1\2\3\4***", text)


def _host(value: str) -> str:
    # A URL or host:port would be taken for a name that nobody knows.
    try:
        ipaddress.ip_address(value)
    except ValueError:
        if not re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?", value):
            raise ValueError("a name or an address, without port") from None
    return value


def _database_url(value: str) -> str:
    wanted = "postgresql://user@host/database, or empty for SQLite"
    if not value:
        return value
    try:
        parts = urlsplit(value)
        named = bool(parts.hostname and parts.path.strip("/")) and parts.port != 0
    except ValueError:  # of the port, or of an address in brackets
        raise ValueError(wanted) from None
    if parts.scheme not in {"postgresql", "postgres", "postgresql+asyncpg"} or not named:
        raise ValueError(wanted)
    return value


def _variable(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", value):
        raise ValueError("the name of an environment variable, not what it holds")
    if value.startswith("STALEPROOF_"):  # the loader would take it for a typing error
        raise ValueError("a name that does not begin with STALEPROOF_: those override settings")
    return value


def _block(value: str) -> str:
    if value and not re.fullmatch(r"[a-z0-9-]+/[a-z0-9-]+", value):
        raise ValueError("type/name of a block, or empty")
    return value


Name = Annotated[str, AfterValidator(_name)]
Word = Annotated[str, AfterValidator(_word)]
Text = Annotated[str, Field(min_length=1)]
Argument = Annotated[str, AfterValidator(_argument)]
Folder = Annotated[str, AfterValidator(_folder_below)]
Host = Annotated[str, AfterValidator(_host)]
DatabaseUrl = Annotated[str, AfterValidator(_database_url)]
Variable = Annotated[str, AfterValidator(_variable)]
Block = Annotated[str, AfterValidator(_block)]
Flag = Annotated[bool, Field(strict=True)]
Whole = Annotated[int, Field(strict=True)]
Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Duration = Annotated[timedelta, BeforeValidator(parse_duration)]
Words = Annotated[tuple[Word, ...], Field(min_length=1)]

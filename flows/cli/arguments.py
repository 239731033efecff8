"""Reads arguments that people write in more than one way."""

from collections.abc import Iterable
from typing import Annotated

from cyclopts import Parameter

from pipelines.errors import ConfigError

Labels = Annotated[tuple[str, ...], Parameter(show_default=False)]
"""What a reader holds; given with commas, or more than once."""


def split_labels(labels: Iterable[str]) -> frozenset[str]:
    """``a,b`` and ``c`` -> a, b and c."""
    return frozenset(word.strip() for text in labels for word in text.split(",") if word.strip())


def publication_number(text: str) -> int:
    """A publication as people write it: ``12`` or ``#12``.

    Raises:
        ConfigError: It is not a number.
    """
    if not text.removeprefix("#").isdecimal():
        raise ConfigError(
            f"{text!r} is not the number of a publication.", hint="See staleproof history."
        )
    return int(text.removeprefix("#"))


def waiting_seconds(wait: str | None) -> float:
    """A length of time as people write it: ``90s``, ``5m``; a number alone is seconds.

    Raises:
        ConfigError: It is not such a length.
    """
    from pipelines.config import parse_duration

    if wait is None:
        return 0.0
    try:
        length = parse_duration(float(wait) if wait.isdecimal() else wait)
    except ValueError as error:
        raise ConfigError(f"--wait {wait}: must be {error}.") from error
    return length.total_seconds()

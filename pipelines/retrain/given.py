"""Reads files of JSON lines that people wrote, and says in which line something is wrong."""

import json
from collections.abc import Callable, Iterator, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar

from pipelines.errors import ConfigError

T = TypeVar("T")


def read_given(
    path: Path, name: str, make: Callable[[Mapping[str, Any]], T], *, hint: str
) -> Iterator[T]:
    """What a file holds, one line after the other; empty lines count for nothing.

    Args:
        path: The file.
        name: What errors call it: the setting and the file.
        make: Makes something of a line; raises ``ValueError`` where it cannot.
        hint: What a line looks like.

    Raises:
        ConfigError: The file is missing, or a line is broken.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{name} cannot be read: {error}.") from error
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            said = json.loads(line)
            if not isinstance(said, dict):
                raise ValueError("it is not an object")
            made = make(said)
        except (ValueError, RecursionError) as error:
            raise ConfigError(f"{name}, line {number}: {error}.", hint=hint) from error
        yield made


def given_or_built_in(root: Path, given: str, *, package: str, file: str) -> tuple[Path, str]:
    """The general set that ``[[models]] general`` names, else the built-in one; and its name in errors.

    Args:
        root: What relative paths are relative to.
        given: The setting; empty: the built-in one.
        package: Where that is.
        file: Its name.
    """
    if given:
        return root / given, f"[[models]] general: {given}"
    return Path(str(files(package) / file)), "the built-in general set"


def given_text(said: Mapping[str, Any], key: str) -> str:
    """A text that a line must have.

    Raises:
        ValueError: It is missing, empty, or no text.
    """
    value = said.get(key)
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{key} is missing or not a text")
    value.encode()  # half a surrogate pair is no text
    return value

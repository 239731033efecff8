"""An error that is not ours, in words that cannot hold the text of a document."""

import os
import re
import traceback

_NUMBER = re.compile(r"os error (\d+)")
"""How the store's engine spells an error of the operating system."""


def fault(error: BaseException) -> str:
    """The kind of an error, and of one from the operating system what that says.

    Never its message: libraries put the values there that they stumbled over.
    """
    kind = type(error).__name__
    told = _NUMBER.search(str(error))
    if told:
        return f"{kind} ({os.strerror(int(told.group(1)))})"
    if isinstance(error, OSError) and error.errno is not None:
        return f"{kind} ({os.strerror(error.errno)})"
    return kind


def where(error: BaseException) -> str:
    """The lines of code that an error came through, its first cause first; no messages."""
    parts, seen = [], set[int]()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        parts.append(f"{fault(current)} at\n{''.join(traceback.format_tb(current.__traceback__))}")
        current = current.__cause__ or current.__context__
    return "".join(reversed(parts))

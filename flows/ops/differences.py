"""What a comparison of files with the server finds, and what applying them did."""

import reprlib
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is not on the server as a file says."""

    name: str
    """Of the deployment or automation."""
    what: str
    """Which part of it; the whole of it where it is on one side only."""
    file: Any
    server: Any

    def __str__(self) -> str:
        """A sentence."""
        server, file = (reprlib.repr(side) for side in (self.server, self.file))
        return f"{self.name}: {self.what} is {server} on the server, {file} in the file"


@dataclass(frozen=True, slots=True)
class Applied:
    """What changed on the server, by name."""

    created: tuple[str, ...] = ()
    updated: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()


WHOLE = "all of it"
MISSING = "missing"


def differences(
    name: str, file: dict[str, Any] | None, server: dict[str, Any] | None
) -> list[Difference]:
    """Compares what a file says of one thing with what the server has, part by part.

    Args:
        name: Of the thing.
        file: Its parts; None where the file does not name it. Only these parts are compared.
        server: Its parts; None where the server does not have it.
    """
    if file is None:
        return [Difference(name, WHOLE, MISSING, "there")] if server is not None else []
    if server is None:
        return [Difference(name, WHOLE, "there", MISSING)]
    return [
        Difference(name, part, wanted, server.get(part))
        for part, wanted in file.items()
        if server.get(part) != wanted
    ]

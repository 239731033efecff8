"""One lock of the registry: it covers a whole run, from the work tree to the tag, and the removal of old data."""

import contextlib
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def registry_lock(root: Path, run: str, *, wait_seconds: float = 0) -> Iterator[None]:
    """Hold the lock of the registry; the system frees it when the process dies.

    Args:
        root: The project's folder.
        run: Who holds it, for others to read.
        wait_seconds: Wait so long for another run; 0 does not wait.

    Raises:
        RegistryBusy: Another run holds it; the message says which, and since when.
    """
    raise NotImplementedError
    yield

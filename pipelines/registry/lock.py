"""One lock of the registry: it covers a whole run, from the work tree to the tag, and what removes data."""

import contextlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from pipelines.errors import RegistryBusy
from pipelines.locks import held
from pipelines.registry.folder import registry_folder


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
    folder = registry_folder(root)
    about = folder / "holder.json"
    with held(
        folder / "lock",
        about,
        run=run,
        now=datetime.now(UTC),
        wait_seconds=wait_seconds,
        busy=lambda: RegistryBusy(
            f"Another run is at work on the model versions{_holder(about)}.",
            hint="Nothing was done; try again when it has ended.",
        ),
    ):
        yield


def _holder(about: Path) -> str:
    try:
        said = json.loads(about.read_text())
        return f": {said['run']} (process {said['pid']}, since {said['since'][:19]} UTC)"
    except (OSError, ValueError, KeyError, TypeError):
        return ""

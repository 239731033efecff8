"""Where a project lies and at which commit: the build step of prefect.yaml."""

import subprocess
from pathlib import Path

NO_COMMIT = "not in git"

_GIT = ("git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*")


def here(folder: str | None = None) -> dict[str, str]:
    """The folder of a project, and its commit.

    Args:
        folder: The folder; the working directory, if left out.

    Returns:
        Absolute ``folder``; ``commit`` as twelve digits, with ``-dirty`` where tracked files differ
        from it, or that there is none.
    """
    place = Path(folder or ".").resolve()
    return {"folder": str(place), "commit": _commit(place)}


def _commit(place: Path) -> str:
    try:
        said = subprocess.run(
            _GIT, cwd=place, capture_output=True, text=True, timeout=30, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return NO_COMMIT
    return said.stdout.strip() if said.returncode == 0 else NO_COMMIT

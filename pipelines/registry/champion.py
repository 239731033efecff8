"""Lets the stage tag say which version is served; the ledger is what decides it."""

from pathlib import Path

from pipelines.registry.versions import Version


def assign_champion(root: Path, version: Version) -> bool:
    """Put a version into the stage ``champion``, also one that was in it before.

    Args:
        root: The project's folder.
        version: Which the ledger names.

    Returns:
        Whether it was not in it yet.

    Raises:
        RemoteUnavailable: The tag is there, and ``origin`` does not take it now.
    """
    raise NotImplementedError

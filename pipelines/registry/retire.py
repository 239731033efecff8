"""Removes old versions: first their tags, then the data that nothing else names."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Retired:
    """What was removed."""

    versions: tuple[str, ...]
    """Tags."""
    objects: int
    """Of cache and remote together."""


def retire(
    root: Path, model: str, keep: int, protected: Collection[str] = (), *, dry: bool = False
) -> Retired:
    """Remove all but the newest versions; never one in a stage, nor the one that was champion last.

    Hold ``registry_lock`` meanwhile. Data of the user's own is not touched.

    Args:
        root: The project's folder.
        model: Of which.
        keep: So many of the newest stay.
        protected: Versions that stay in any case: what the ledger still names.
        dry: Only say what would go.

    Raises:
        RemoteUnavailable: Tags or data cannot be removed now; the next call goes on.
    """
    raise NotImplementedError

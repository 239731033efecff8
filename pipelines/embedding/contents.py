"""What files are, whatever they are called: their bytes, and what a configuration means."""

import functools
import hashlib
from pathlib import Path
from typing import Any

_MEANINGLESS = {"name_or_path", "transformers_version", "is_local", "local_files_only"}


def meaningful(config: dict[str, Any]) -> dict[str, Any]:
    """A configuration without the names, paths and versions that savers leave in it."""
    return {
        key: meaningful(value) if isinstance(value, dict) else value
        for key, value in config.items()
        if key not in _MEANINGLESS and not key.startswith("_")
    }


def file_hash(file: Path) -> str:
    """SHA-256 of a file's bytes; one that has not changed is read once by a process."""
    status = file.stat()
    return _hash_unchanged(file, status.st_size, status.st_mtime_ns)


@functools.lru_cache(maxsize=64)
def _hash_unchanged(file: Path, size: int, mtime_ns: int) -> str:
    """Verifying and fingerprinting read the same hundreds of MB; once is enough in one process."""
    del size, mtime_ns
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()

"""Gets the files of a version, each checked against its hash before anybody uses it."""

from pathlib import Path

from pipelines.registry.versions import Version

WEIGHTS = "data/training/{model}/weights"
"""Where the weights of a model lie in the tree of a version."""


def checkout_model(root: Path, version: Version, into: Path) -> Path:
    """The weights of a version, in a folder of their own.

    Args:
        root: The project's folder.
        version: Which.
        into: The folder; it is there whole, or not at all. One that is there already is checked, and made anew where it is not what it should be.

    Returns:
        ``into``.

    Raises:
        RemoteUnavailable: An object is not in the cache, and the remote cannot be reached now.
        DataMissing: Neither cache nor remote has an object as its hash says (erased, or damaged).
    """
    raise NotImplementedError


def checkout_path(root: Path, version: Version, path: str, into: Path) -> Path:
    """The same for any file or folder of a version that DVC keeps, or one inside such a folder.

    Args:
        root: The project's folder.
        version: Which.
        path: In the version's tree: ``data/training/<model>/dataset/manifest.jsonl``.
        into: The file or folder to make.

    Returns:
        ``into``.

    Raises:
        UnknownName: The version has nothing at that path.
        RemoteUnavailable: As above.
        DataMissing: As above.
    """
    raise NotImplementedError

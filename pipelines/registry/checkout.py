"""Gets the files of a version, each checked against its hash before anybody uses it."""

from pathlib import Path

from pipelines.errors import UnknownName
from pipelines.registry.folder import own_folder
from pipelines.registry.objects import (
    File,
    copy_object,
    files_of,
    hash_of,
    outs_at,
    training_folder,
)
from pipelines.registry.places import Places, find_places
from pipelines.registry.versions import Version


def weights_path(model: str) -> str:
    """Where the weights of a model lie in the tree of a version."""
    return f"{training_folder(model)}/weights"


def checkout_model(root: Path, version: Version, into: Path) -> Path:
    """The weights of a version, in a folder of their own.

    Args:
        root: The project's folder.
        version: Which.
        into: The folder; it is there whole, or not at all. One that is there already is checked, and
            made anew where it is not what it should be.

    Returns:
        ``into``.

    Raises:
        UnknownName: The version has no weights.
        RemoteUnavailable: An object is not in the cache, and the remote cannot be reached now.
        DataMissing: Neither cache nor remote has an object as its hash says (erased, or damaged).
    """
    return checkout_path(root, version, weights_path(version.model), into)


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
    places = find_places(root)
    files = _files_at(root, places, version, path)
    if _is_whole(into, files):
        return into
    with own_folder(into.parent, f".{into.name}") as beside:
        made = beside / "made"
        for file in files:
            to = made / file.path if file.path else made
            to.parent.mkdir(parents=True, exist_ok=True)
            copy_object(places, file.oid, to)
        if into.exists():
            into.rename(beside / "former")
        made.rename(into)
    return into


def _files_at(root: Path, places: Places, version: Version, path: str) -> list[File]:
    """The files at a path, named as seen from it."""
    path = path.rstrip("/")
    for out in outs_at(root, version.commit, version.model):
        if path != out.path and not path.startswith(f"{out.path}/"):
            continue
        inside = path[len(out.path) + 1 :]
        found = [
            File(file.path.removeprefix(inside).lstrip("/"), file.oid)
            for file in files_of(places, out)
            if not inside or file.path == inside or file.path.startswith(f"{inside}/")
        ]
        if found:
            return found
    raise UnknownName(f"{version.tag} has no data at {path}.")


def _is_whole(into: Path, files: list[File]) -> bool:
    if into.is_file():
        return [File("", hash_of(into))] == files
    there = [file for file in into.rglob("*") if file.is_file()] if into.is_dir() else []
    asked = {file.path: file.oid for file in files}
    if {file.relative_to(into).as_posix() for file in there} != set(asked):
        return False
    return all(hash_of(file) == asked[file.relative_to(into).as_posix()] for file in there)

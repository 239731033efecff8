"""What data a commit names, as hashes, and getting one object by its hash."""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

import yaml

from pipelines.errors import DataMissing, RemoteUnavailable
from pipelines.registry.git import GitFailedError, git
from pipelines.registry.places import Places

T = TypeVar("T")

LOCK = "dvc.lock"


@dataclass(frozen=True, slots=True)
class Out:
    """A file or folder that DVC keeps: the hash of a folder is that of a list of its files."""

    path: str
    """In the tree of its commit."""
    oid: str
    """MD5; it ends in ``.dir`` for a folder."""

    @property
    def is_folder(self) -> bool:
        """Whether it is one."""
        return self.oid.endswith(".dir")


@dataclass(frozen=True, slots=True)
class File:
    """One file of an out."""

    path: str
    """Below the folder; empty where the out is a file itself."""
    oid: str


def training_folder(model: str) -> str:
    """Where everything of a model lies in the tree of a version."""
    return f"data/training/{model}"


def is_of(stage: str, model: str) -> bool:
    """Whether a stage of dvc.lock is one of the model's: ``train@<model>``."""
    return stage.rpartition("@")[2] == model


def stages_of(lock: Mapping[str, Any], model: str | None) -> dict[str, Any]:
    """What dvc.lock says of the stages of a model (``train@<model>``), or of all."""
    stages = lock.get("stages") or {}
    return {name: said for name, said in stages.items() if model is None or is_of(name, model)}


def read_lock(text: str) -> dict[str, Any]:
    """The content of dvc.lock."""
    lock = yaml.safe_load(text)
    return lock if isinstance(lock, dict) else {}


def outs_at(root: Path, commit: str, model: str | None) -> list[Out]:
    """The data that a commit names: what git itself has of it is left out.

    Args:
        root: The project's folder.
        commit: Which.
        model: Only the data of this model; None: all that DVC keeps, the user's own as well.
    """
    listed = git(root, "ls-tree", "-r", "-z", "--name-only", commit).split("\0")
    below = f"{training_folder(model)}/" if model else ""
    read = [
        path
        for path in listed
        if path == LOCK
        or (path.startswith(below) and path.endswith(".dvc"))
        or (model is None and path.endswith(f"/{LOCK}"))
    ]
    in_git = set(listed)
    found = outs_in({path: git(root, "show", f"{commit}:{path}") for path in read}, model)
    return [out for out in found if out.path not in in_git]


def outs_in(texts: Mapping[str, str], model: str | None) -> list[Out]:
    """The same from the texts of dvc.lock and of pointers, by their path.

    Files that git has (metrics, plots) are in dvc.lock as well, and so among these.
    """
    found = []
    for path, text in texts.items():
        said = read_lock(text)
        is_lock = PurePosixPath(path).name == LOCK
        stages = stages_of(said, model).values() if is_lock else [said]
        folder = PurePosixPath(path).parent
        found += [
            Out(str(folder / out["path"]), str(out["md5"]))
            for stage in stages
            for out in stage.get("outs") or ()
            if "md5" in out
        ]
    return found


def files_of(places: Places, out: Out) -> list[File]:
    """The files of an out, by path.

    Raises:
        DataMissing: The list of a folder's files is gone.
        RemoteUnavailable: It is not in the cache, and the remote cannot be reached.
    """
    if not out.is_folder:
        return [File("", out.oid)]
    listed = json.loads(read_object(places, out.oid))
    return [File(str(entry["relpath"]), str(entry["md5"])) for entry in listed]


def oids_of(places: Places, outs: Iterable[Out]) -> set[str]:
    """All objects that outs are made of.

    Raises:
        DataMissing: The list of a folder's files is gone.
        RemoteUnavailable: It is not in the cache, and the remote cannot be reached.
    """
    named = list(outs)
    return {out.oid for out in named} | {f.oid for out in named for f in files_of(places, out)}


def read_object(places: Places, oid: str) -> bytes:
    """A small object, checked.

    Raises:
        DataMissing: Neither cache nor remote has it as its hash says.
        RemoteUnavailable: The remote cannot be reached.
    """
    cached = places.in_cache(oid)
    content = cached.read_bytes() if cached.is_file() else b""
    if not _is(content, oid):
        content = asked(lambda: bytes(places.filesystem.cat_file(places.in_remote(oid))), oid)
    if not _is(content, oid):
        raise DataMissing(f"The remote's object {oid} is not what its hash says.")
    return content


def copy_object(places: Places, oid: str, to: Path) -> None:
    """Write an object to a new file, checked: from the cache, or else from the remote.

    Raises:
        DataMissing: Neither has it as its hash says.
        RemoteUnavailable: The remote cannot be reached.
    """
    cached = places.in_cache(oid)
    if cached.is_file() and _copied(cached, to) == oid:
        return
    to.unlink(missing_ok=True)
    asked(lambda: places.filesystem.get_file(places.in_remote(oid), str(to)), oid)
    if hash_of(to) != oid:
        to.unlink()
        raise DataMissing(f"The remote's object {oid} is not what its hash says.")


def hash_of(file: Path) -> str:
    """The MD5 of a file, as DVC names objects."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, _md5).hexdigest()


def asked(call: Callable[[], T], oid: str) -> T:
    """What the remote answers.

    Raises:
        DataMissing: It does not have the object.
        RemoteUnavailable: It does not answer.
    """
    try:
        return call()
    except FileNotFoundError as error:
        raise DataMissing(f"Neither cache nor remote has the object {oid}.") from error
    except Exception as error:
        raise RemoteUnavailable(
            f"The data remote cannot be reached: {type(error).__name__}: {error}.",
            hint="Nothing is lost; try again.",
        ) from error


def text_at(root: Path, commit: str, path: str) -> str | None:
    """A file of a commit, or None where it has none."""
    try:
        return git(root, "show", f"{commit}:{path}")
    except GitFailedError:
        return None


def _md5() -> Any:
    return hashlib.md5(usedforsecurity=False)


def _is(content: bytes, oid: str) -> bool:
    digest = _md5()
    digest.update(content)
    return bool(digest.hexdigest() == oid.removesuffix(".dir"))


def _copied(source: Path, to: Path) -> str:
    digest = _md5()
    with source.open("rb") as read, to.open("wb") as written:
        for block in _blocks(read):
            digest.update(block)
            written.write(block)
    return str(digest.hexdigest())


def _blocks(stream: Any) -> Iterator[bytes]:
    while block := stream.read(1 << 20):
        yield block

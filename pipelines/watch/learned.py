"""What a version learned from, fetched once and kept beside the registry: uris, hashes, sketches."""

import contextlib
import functools
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pipelines.registry.folder import registry_folder
from pipelines.retrain.snapshot import FOLDER
from pipelines.retrain.weights import MANIFEST
from pipelines.training import Snapshot, read_snapshot
from pipelines.training.records import ManifestLine, read_lines
from pipelines.watch.ports import Ports

_SNAPSHOT = ("snapshot.json", "documents.parquet", "passages", "voice.jsonl", "house.jsonl")


@dataclass(frozen=True)
class Learned:
    """The files of a version that say what it rests on."""

    folder: Path

    @functools.cached_property
    def lines(self) -> tuple[ManifestLine, ...]:
        """Its examples."""
        return tuple(read_lines(self.folder / "manifest.jsonl", ManifestLine))

    def hashes(self) -> frozenset[str]:
        """Content hashes of all documents that it was made from, held out ones too."""
        import pyarrow.parquet as pq

        table = pq.read_table(self.folder / "documents.parquet", columns=["content_hash"])
        return frozenset(table["content_hash"].to_pylist())


def fetched(root: Path, model: str, version: str, ports: Ports) -> Learned:
    """What a version learned from; fetched where it is not there yet.

    Args:
        root: The project's folder.
        model: The name of the model.
        version: Of it.
        ports: The registry.

    Raises:
        UnknownName: There is no such version, or it has no manifest.
        RemoteUnavailable: Its data cannot be fetched now.
        DataMissing: They are gone, or damaged.
    """
    places = registry_folder(root) / "watched"
    folder = places / f"{model}@{version}"
    wanted = {
        "manifest.jsonl": MANIFEST.format(model=model),
        "documents.parquet": f"{FOLDER.format(model=model)}/documents.parquet",
    }
    # Checked against its hash when it is fetched; no look asks git and DVC again.
    missing = {file: path for file, path in wanted.items() if not (folder / file).is_file()}
    if missing:
        for left in places.glob(f"{model}@*"):
            if left != folder:
                shutil.rmtree(left, ignore_errors=True)
        found = ports.find_version(root, model, version)
        folder.mkdir(parents=True, exist_ok=True)
        for file, path in missing.items():
            ports.checkout_path(root, found, path, folder / file)
    return Learned(folder)


@contextlib.contextmanager
def snapshot_of(root: Path, model: str, version: str, ports: Ports) -> Iterator[Snapshot]:
    """What a generator learned from, with its texts; gone when it is left, for texts are erased.

    Args:
        root: The project's folder.
        model: The name of the model.
        version: Of it.
        ports: The registry.

    Raises:
        UnknownName: There is no such version, or it has no such data.
        RemoteUnavailable: They cannot be fetched now.
        DataMissing: They are gone, or damaged.
    """
    found = ports.find_version(root, model, version)
    with tempfile.TemporaryDirectory(prefix="staleproof-") as scratch:
        for name in _SNAPSHOT:
            path = f"{FOLDER.format(model=model)}/{name}"
            ports.checkout_path(root, found, path, Path(scratch) / name)
        yield read_snapshot(Path(scratch), verify=False)

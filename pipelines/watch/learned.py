"""What a version learned from, fetched once and kept beside the registry: uris, hashes, sketches."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pipelines.registry.folder import registry_folder
from pipelines.retrain.snapshot import FOLDER, MANIFEST
from pipelines.training.records import ManifestLine, read_lines
from pipelines.watch.subject import Subject


@dataclass(frozen=True, slots=True)
class Learned:
    """The files of a version that say what it rests on."""

    folder: Path

    def lines(self) -> Iterator[ManifestLine]:
        """Its examples, one at a time."""
        return read_lines(self.folder / "manifest.jsonl", ManifestLine)

    def hashes(self) -> frozenset[str]:
        """Content hashes of all documents that it was made from, held out ones too."""
        import pyarrow.parquet as pq

        table = pq.read_table(self.folder / "documents.parquet", columns=["content_hash"])
        return frozenset(table["content_hash"].to_pylist())


def learned(subject: Subject) -> Learned:
    """What the version of a look learned from; fetched where it is not there yet.

    Raises:
        UnknownName: There is no such version, or it has no manifest.
        RemoteUnavailable: Its data cannot be fetched now.
        DataMissing: They are gone, or damaged.
    """
    name = subject.model.name
    places = registry_folder(subject.config.root) / "watched"
    folder = places / f"{name}@{subject.version}"
    wanted = {
        "manifest.jsonl": MANIFEST.format(model=name),
        "documents.parquet": f"{FOLDER.format(model=name)}/documents.parquet",
    }
    # Checked against its hash when it is fetched; no look asks git and DVC again.
    missing = {file: path for file, path in wanted.items() if not (folder / file).is_file()}
    if missing:
        for left in places.glob(f"{name}@*"):
            if left != folder:
                shutil.rmtree(left, ignore_errors=True)
        version = subject.ports.find_version(subject.config.root, name, subject.version)
        folder.mkdir(parents=True, exist_ok=True)
        for file, path in missing.items():
            subject.ports.checkout_path(subject.config.root, version, path, folder / file)
    return Learned(folder)

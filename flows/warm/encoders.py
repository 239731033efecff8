"""Keeps the model that a store is served with in memory, from one run to the next."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pipelines.config import Config
from pipelines.embedding import load_encoder
from pipelines.knowledge import find_store, newest
from pipelines.records import Encoder, LoadEncoder

_Key = tuple[str, Path, int]
_Files = Mapping[str, tuple[int, int, int]]


@dataclass(slots=True)
class Encoders:
    """Gives runs the encoder that they ask for; only the last one is kept."""

    load: LoadEncoder = load_encoder
    _key: _Key | None = None
    _encoder: Encoder | None = None
    _files: _Files = field(default_factory=dict)
    """Of the encoder's folder, when it was loaded."""

    def __call__(self, model: str, *, root: Path, batch_size: int = 32) -> Encoder:
        """The encoder of that name; loaded anew where its files are not what they were."""
        key = (model, root, batch_size)
        if self._encoder is None or key != self._key or _files_of(self._encoder) != self._files:
            self._encoder = None  # not two of them in memory at a time
            encoder = self.load(model, root=root, batch_size=batch_size)
            self._key, self._encoder, self._files = key, encoder, _files_of(encoder)
        return self._encoder

    def warm(self, config: Config) -> None:
        """Loads the model that a refresh will ask for, weights and all.

        Raises:
            StaleproofError: It cannot be had; a refresh would say the same.
        """
        store = find_store(config.store_uri)
        last = newest(store) if store else None
        model = config.embedder.model if last is None else last.model
        encoder = self(model, root=config.root, batch_size=config.embedder.batch_size)
        encoder.encode(["A first passage takes longer than any later one."])


def _files_of(encoder: Encoder) -> _Files:
    """What changes when somebody puts other weights in the model's place."""
    folder = getattr(encoder, "folder", None)
    if not isinstance(folder, Path):
        return {}
    found = ((path, path.stat()) for path in folder.rglob("*") if path.is_file())
    return {str(path): (stat.st_mtime_ns, stat.st_size, stat.st_ino) for path, stat in found}

"""Keeps the model that a store is served with in memory, from one run to the next.

A promotion says beforehand which model comes next: that one is loaded beside it, so that no run
and no answer waits for it after the switch.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pipelines.config import Config
from pipelines.embedding import load_encoder
from pipelines.errors import StaleproofError
from pipelines.fill import load_next
from pipelines.knowledge import announcement, answer_announcement, find_store, newest
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
    _next: tuple[_Key, Encoder, _Files] | None = None
    """What is about to serve."""
    _heard: str = ""
    """The last announcement that was acted upon."""

    def __call__(self, model: str, *, root: Path, batch_size: int = 32) -> Encoder:
        """The encoder of that name; loaded anew where its files are not what they were."""
        key = (model, root, batch_size)
        if self._next is not None and key == self._next[0]:
            self._key, self._encoder, self._files = self._next
            self._next = None
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

    def hear(self, config: Config) -> None:
        """Loads what is announced to serve next, tries it, and says how that went; once for each."""
        coming = announcement(config.store_uri)
        if coming is None:
            self._forget_next(config)
            return
        if coming.id == self._heard:
            return
        self._heard = coming.id
        try:
            encoder, answered = load_next(config, coming, load=self.load)
        except (StaleproofError, OSError, RuntimeError, ValueError) as error:
            said = str(error) if isinstance(error, StaleproofError) else type(error).__name__
            answer_announcement(config.store_uri, coming, error=said)
            return
        key = (coming.model, config.root, config.embedder.batch_size)
        self._next = key, encoder, _files_of(encoder)
        asked, found = answered.asked, answered.found
        answer_announcement(config.store_uri, coming, asked=asked, found=found)

    @property
    def waits_for_switch(self) -> bool:
        """Whether a model is loaded that does not serve yet."""
        return self._next is not None

    def _forget_next(self, config: Config) -> None:
        """Nothing is announced any more: readers were switched, or will not be."""
        if self._next is None:
            return
        store = find_store(config.store_uri)
        last = newest(store) if store else None
        model, root, batch_size = self._next[0]
        if last is not None and last.model == model:
            self(model, root=root, batch_size=batch_size)
        self._next = None


def _files_of(encoder: Encoder) -> _Files:
    """What changes when somebody puts other weights in the model's place."""
    folder = getattr(encoder, "folder", None)
    if not isinstance(folder, Path):
        return {}
    found = ((path, path.stat()) for path in folder.rglob("*") if path.is_file())
    return {str(path): (stat.st_mtime_ns, stat.st_size, stat.st_ino) for path, stat in found}

"""Small stand-ins for what is slow or large."""

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from pipelines.quality.unchanged import TEXTS
from pipelines.records import Vectors


@dataclass(frozen=True)
class WordTokens:
    """Counts a token for every four characters of a word begun, and two special ones."""

    max_tokens: int = 64

    def count(self, texts: Sequence[str]) -> list[int]:
        return [2 + sum(-(-len(word) // 4) for word in text.split()) for text in texts]


@dataclass
class HashEncoder:
    """Vectors from the hashes of words: the same text, the same vector; similar texts are near."""

    dimension: int = 16
    fingerprint: str = "5eed" * 16
    model: str = "stand-in"
    max_tokens: int = 64
    salt: str = ""
    """Another one, other vectors: as of another model."""
    log: Path | None = None
    """Gets one JSON string a line for each text encoded, so that killed processes can be asked."""
    encoded: list[str] = field(default_factory=list)
    """The passages encoded, in order; neither questions nor the fixed texts are among them."""

    def count(self, texts: Sequence[str]) -> list[int]:
        return [len(text.split()) + 2 for text in texts]

    def encode(self, texts: Sequence[str]) -> Vectors:
        of_documents = [text for text in texts if text not in TEXTS]
        self.encoded += of_documents
        if self.log is not None and of_documents:
            with self.log.open("a", encoding="utf-8") as log:
                log.writelines(json.dumps(text) + "\n" for text in of_documents)
                log.flush()
                os.fsync(log.fileno())
        vectors = np.zeros((len(texts), self.dimension), dtype=np.float32)
        for row, text in zip(vectors, texts, strict=True):
            row[:] = self._vector(text)
        return vectors

    def encode_query(self, text: str) -> Vectors:
        return self._vector(text)

    def _vector(self, text: str) -> Vectors:
        total = np.zeros(self.dimension, dtype=np.float64)
        for word in text.lower().split() or [""]:
            total += _direction(self.salt + word, self.dimension)
        norm = np.linalg.norm(total)
        if norm == 0:
            total[0], norm = 1.0, 1.0
        return (total / norm).astype(np.float32)


def _direction(word: str, dimension: int) -> np.ndarray:
    """Numbers between -1 and 1 that hang on the word alone."""
    digest = hashlib.shake_128(word.encode("utf-8", "surrogatepass")).digest(2 * dimension)
    return np.frombuffer(digest, dtype="<u2").astype(np.float64) / 32767.5 - 1.0

"""Documents to measure on, a stand-in encoder of the usual size, and refreshes of them."""

import os
import random
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import shake_128
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.config import Config, EmbedderConfig, FilesSource, GitSource, Knowledge
from pipelines.documents import cut, read_document, read_front_matter
from pipelines.records import Chunk, Encoder, Failure, FrontMatter, Tokens, Vectors
from pipelines.refresh import Ports, Report, refresh_knowledge

SECTIONS = 10
"""Of each document; each is one passage."""
WORDS = 45
"""Of each section's one paragraph."""
LETTERS = "abcdefghijklmnoprstuvw"


@dataclass
class StandIn:
    """Vectors of 384 values out of a hash of the text: what is left is the product's own work."""

    model: str = "stand-in"
    fingerprint: str = "5eed" * 16
    dimension: int = 384
    max_tokens: int = 256

    def count(self, texts: Sequence[str]) -> list[int]:
        """A token for each word, and two special ones."""
        return [len(text.split()) + 2 for text in texts]

    def encode(self, texts: Sequence[str]) -> Vectors:
        """``(n, 384)`` float32 of unit norm."""
        raw = b"".join(shake_128(text.encode()).digest(2 * self.dimension) for text in texts)
        found = np.frombuffer(raw, dtype="<u2").reshape(len(texts), self.dimension)
        centred = found.astype(np.float32) - 32767.5
        unit: Vectors = centred / np.linalg.norm(centred, axis=1, keepdims=True)
        return unit

    def encode_query(self, text: str) -> Vectors:
        """``(384,)`` float32 of unit norm."""
        vector: Vectors = self.encode([text])[0]
        return vector


def write_documents(folder: Path, count: int, *, seed: int = 415) -> None:
    """Writes Markdown documents of about 3 KB, old enough to be trusted by their tokens."""
    chance = random.Random(seed)  # noqa: S311 (nothing secret)
    words = ["".join(chance.choices(LETTERS, k=chance.randint(2, 9))) for _ in range(5000)]
    for number in range(count):
        file = folder / f"{number // 100:03}" / f"{number:05}.md"
        file.parent.mkdir(parents=True, exist_ok=True)
        parts = [f"# Document {number}"]
        for section in range(SECTIONS):
            parts += [f"## Part {section}", " ".join(chance.choices(words, k=WORDS)) + "."]
        file.write_text("\n\n".join(parts) + "\n")
        make_old(file)


def make_old(file: Path, seconds: float = 3600) -> None:
    """Sets the time of modification back, as if the file had lain there for a while."""
    moment = datetime.now(UTC) - timedelta(seconds=seconds)
    os.utime(file, (moment.timestamp(), moment.timestamp()))


def edit(file: Path, word: str) -> None:
    """Puts a sentence into one paragraph of a document."""
    text = file.read_text()
    head, _, rest = text.rpartition("\n\n")
    file.write_text(f"{head}\n\nThis says {word} now. {rest}")
    make_old(file, 60)


def passages(folder: Path, tokens: Tokens) -> list[tuple[str, Chunk]]:
    """Path and passage of everything in a folder of Markdown, as the product cuts it."""
    found: list[tuple[str, Chunk]] = []
    for file in sorted(folder.rglob("*.md")):
        data = file.read_bytes()
        asked = read_front_matter(data)
        said = asked if isinstance(asked, FrontMatter) else None
        document = read_document(data, path=file.name, front_matter=said)
        if isinstance(document, Failure):
            raise SystemExit(f"{file.name}: {document.expectation}")
        found += [(file.relative_to(folder).as_posix(), chunk) for chunk in cut(document, tokens)]
    return found


def configuration(root: Path, *sources: FilesSource | GitSource, **knowledge: Any) -> Config:
    """A configuration whose store lies in ``root``."""
    return Config(
        path=root / "staleproof.toml",
        root=root,
        knowledge=Knowledge(name="benchmark", store="store", **knowledge),
        embedder=EmbedderConfig(),
        sources=sources,
    )


def files(folder: Path) -> FilesSource:
    """A folder whose documents everyone may read."""
    return FilesSource(name="docs", path=str(folder), domain="any", labels=("public",))


def refresh(config: Config, encoder: Encoder, *, now: datetime | None = None) -> Report:
    """One refresh with a given encoder."""
    return refresh_knowledge(
        config,
        now=now or datetime.now(UTC),
        run_id=uuid.uuid4().hex[:12],
        ports=Ports(load_encoder=lambda model, *, root, batch_size=32: encoder),
    )

"""Small snapshots to train on, made of words."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b, sha256
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipelines.training import (
    Champion,
    Facts,
    GeneralPair,
    Parts,
    Snapshot,
    Weights,
    documents_schema,
    passages_schema,
    write_snapshot,
)

AT = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Page:
    """A document: headings and what stands under them."""

    name: str
    title: str
    sections: dict[str, str]
    domain: str = "support"
    labels: tuple[str, ...] = ("public",)

    @property
    def uri(self) -> str:
        return f"handbook/{self.name}.md"

    @property
    def content_hash(self) -> str:
        return sha256(repr(self).encode()).hexdigest()


def facts(**other: Any) -> Facts:
    """Where a snapshot comes from, as far as a test does not say otherwise."""
    plain = {
        "model": "handbook-embedder",
        "kind": "embedder",
        "knowledge": "handbook",
        "publication": 7,
        "run": "run-1",
        "created_at": AT,
        "base": Weights("all-MiniLM-L6-v2", "b" * 64),
        "champion": Champion(None, "b" * 64),
    }
    return Facts(**(plain | other))


def tables(pages: Sequence[Page]) -> tuple[pa.Table, pa.Table]:
    """Documents and passages; a document's id is its name."""
    documents = [
        {
            "document": page.name,
            "uri": page.uri,
            "source": "handbook",
            "domain": page.domain,
            "labels": list(page.labels),
            "content_hash": page.content_hash,
            "source_version": f"v-{page.name}",
            "source_at": AT,
        }
        for page in pages
    ]
    passages = [row for page in pages for row in _passages(page)]
    return (
        pa.Table.from_pylist(documents, schema=documents_schema()),
        pa.Table.from_pylist(passages, schema=passages_schema()),
    )


def _passages(page: Page) -> list[dict[str, Any]]:
    rows = []
    for position, (heading, body) in enumerate(page.sections.items()):
        text = f"## {heading}\n\n{body}" if heading else body
        embedded = f"{page.title}\n\n{text}" if page.title else text
        rows.append(
            {
                "document": page.name,
                "uri": page.uri,
                "position": position,
                "heading_path": [heading] if heading else [],
                "title": page.title,
                "prefix": page.title,
                "text": text,
                "text_hash": blake2b(embedded.encode(), digest_size=16).hexdigest(),
                "content_hash": page.content_hash,
                "domain": page.domain,
                "labels": list(page.labels),
                "tokens": len(embedded.split()),
                "start": 0,
                "end": len(text),
            }
        )
    return rows


def written(
    folder: Path, pages: Sequence[Page], *, about: Facts | None = None, **parts: Any
) -> Snapshot:
    """A snapshot of those pages, with a small general set."""
    documents, passages = tables(pages)
    parts = {"general": GENERAL} | parts
    return write_snapshot(
        folder, about or facts(), Parts(documents=documents, passages=passages, **parts)
    )


GENERAL = (
    GeneralPair("Which planet is the largest?", "Jupiter is larger than all other planets."),
    GeneralPair("Why does bread rise?", "Yeast makes gas, which lifts the dough."),
    GeneralPair("How many strings has a violin?", "A violin has four strings, tuned in fifths."),
)

"""A project whose model serves and is looked at; what its version learned is made by hand."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.knowledge import LookRow, Query, QueryLog, looks
from pipelines.records import Encoder
from pipelines.registry import Version
from pipelines.training import documents_schema
from pipelines.training.records import ExampleKind, ManifestLine, write_lines
from pipelines.training.sketches import sketch
from pipelines.watch import Ports, Report, Watched, watch_models
from tests.retrained import MODEL, Retrained

VERSION = "v0.0.1"


@dataclass
class Observed(Retrained):
    """``learn()`` makes a version of what is published, ``promote()`` lets it serve."""

    loaded: list[str] = field(default_factory=list)
    """Models that a watch asked for."""
    fetched: list[str] = field(default_factory=list)
    policy: str = ""
    """More lines of ``[models.watch]``."""

    def configured(self, *sources: str, policy: str = "", more: str = "") -> None:
        self.policy = policy or self.policy
        watch = f"[models.watch]\n{self.policy}\n"
        self.configure(*sources, more=f'[[models]]\nname = "{MODEL}"\n{watch}{more}')

    def line(self, row: Mapping[str, Any], *, example: str, kind: ExampleKind) -> ManifestLine:
        """What a manifest says of an example that rests on a passage."""
        return ManifestLine(
            example=example,
            document=row["uri"],
            uri=row["uri"],
            text_hash=row["text_hash"],
            content_hash=row["content_hash"],
            source_version=row["source_version"],
            domain=row["domain"],
            labels=tuple(row["labels"]),
            publication=self.last.number,
            kind=kind,
            sketch=sketch(row["text"]),
        )

    def learn(self) -> None:
        """What the version learned: each passage that is published now, asked for by its heading."""
        rows = self.rows()
        lines = [
            self.line(row, example=f"{row['uri']}-{row['position']}", kind="heading")
            for row in rows
        ]
        write_lines(self.root / "manifest.jsonl", lines)
        keys = documents_schema().names
        of_documents = {row["uri"]: {"document": row["uri"], **row} for row in rows}
        table = pa.Table.from_pylist(
            [{key: row[key] for key in keys} for row in of_documents.values()],
            schema=documents_schema(),
        )
        pq.write_table(table, self.root / "documents.parquet")

    def served(self) -> None:
        """Learns what is published, and lets the version serve."""
        self.learn()
        assert self.promote(VERSION).promoted

    def checkout(self, root: Path, version: Version, path: str, into: Path) -> Path:
        self.fetched.append(path)
        into.write_bytes((self.root / Path(path).name).read_bytes())
        return into

    def load_watched(self, model: str, *, root: Path, batch_size: int = 32) -> Encoder:
        self.loaded.append(model)
        return self.load(model, root=root)

    def watch_ports(self) -> Ports:
        return Ports(self.load_watched, self.registry.find_version, self.checkout)

    def watch(self, run: str | None = None, **more: Any) -> Watched:
        """A look, a day after whatever came before."""
        report = self.watch_all(run, **more)
        (one,) = report.models
        return one

    def watch_all(self, run: str | None = None, *, days: float = 1, **more: Any) -> Report:
        self.later(days=days)
        self.events.clear()
        self.loaded.clear()
        given = {"ports": self.watch_ports(), "on_event": self.events.append} | more
        return watch_models(
            self.config, now=self.now, run_id=run or f"look-{next(self.runs)}", **given
        )

    def ask(self, vectors: Iterable[Any], at: datetime | None = None, hit: str = "") -> None:
        """Questions, as their vectors, an hour ago."""
        self.later(hours=1)
        with QueryLog(self.store) as log:
            for vector in vectors:
                log.add(
                    Query(
                        at=at or self.now,
                        vector=np.asarray(vector, dtype=np.float32),
                        fingerprint=self.last.fingerprint,
                        hits=(hit,) if hit else (),
                    )
                )

    @property
    def kept(self) -> list[LookRow]:
        return looks(self.store, MODEL, VERSION)

    @property
    def told(self) -> list[tuple[str, str]]:
        """Events of the last look: name and verdict's id."""
        found = [one for one in self.events if getattr(one, "event", "").startswith("model.")]
        return [(one.event, one.payload["id"]) for one in found]


def unit(random: np.random.Generator, around: np.ndarray, spread: float, count: int) -> np.ndarray:
    """Directions near one, ``(count, d)``."""
    made = around + spread * random.standard_normal((count, len(around)))
    return np.asarray(made / np.linalg.norm(made, axis=1, keepdims=True), dtype=np.float32)

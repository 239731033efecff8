"""A small project in a temporary folder, refreshed with the stand-in encoder."""

import itertools
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pipelines.answers import Hits, Question, search_knowledge
from pipelines.config import Config, load_config
from pipelines.knowledge import Signed, Store, find_store, newest
from pipelines.refresh import Ports, Report, Request, refresh_knowledge
from tests.fakes import HashEncoder


@dataclass
class Project:
    """Documents in ``docs/``, a configuration, a store, a clock."""

    root: Path
    encoder: HashEncoder = field(default_factory=HashEncoder)
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    runs: Any = field(default_factory=lambda: itertools.count(1))
    events: list[Any] = field(default_factory=list)

    def configure(self, *sources: str, knowledge: str = "", more: str = "") -> None:
        """Writes the configuration; without sources one that grants everything to everyone."""
        text = f'[knowledge]\nname = "kb"\nstore = "store"\n{knowledge}\n{more}\n'
        text += "\n".join(sources or (source(),))
        (self.root / "staleproof.toml").write_text(text)

    @property
    def config(self) -> Config:
        return load_config(self.root / "staleproof.toml", env={})

    def write(self, path: str, text: str | bytes) -> None:
        """A document below ``docs/``."""
        file = self.root / "docs" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text.encode() if isinstance(text, str) else text)

    def remove(self, *paths: str) -> None:
        for path in paths:
            (self.root / "docs" / path).unlink()

    def rename(self, old: str, new: str) -> None:
        target = self.root / "docs" / new
        target.parent.mkdir(parents=True, exist_ok=True)
        (self.root / "docs" / old).rename(target)

    def later(self, **duration: float) -> None:
        self.now += timedelta(**(duration or {"minutes": 10}))

    def ports(self) -> Ports:
        return Ports(load_encoder=lambda model, *, root, batch_size=32: self.encoder)

    def refresh(self, **asked: Any) -> Report:
        """One refresh, ten minutes after whatever came before."""
        self.later()
        self.encoder.encoded.clear()
        return refresh_knowledge(
            self.config,
            now=self.now,
            run_id=f"run-{next(self.runs)}",
            request=Request(**asked),
            on_event=self.events.append,
            ports=self.ports(),
        )

    def signed(self) -> Signed:
        self.later()
        return Signed(f"run-{next(self.runs)}", "somebody", self.now)

    @property
    def store(self) -> Store:
        found = find_store(self.config.store_uri)
        assert found is not None
        return found

    def rows(self) -> list[dict[str, Any]]:
        """All rows of what the newest publication names, withheld or not."""
        last = newest(self.store)
        if last is None:
            return []
        rows = self.store.at(*last.state).to_arrow().to_pylist()
        return sorted(rows, key=lambda row: (row["uri"], row["position"]))

    def uris(self) -> set[str]:
        return {row["uri"] for row in self.rows()}

    def search(self, text: str, labels: Iterable[str] = (), **more: Any) -> Hits:
        question = Question(text, k=50, labels=frozenset(labels), **more)
        return search_knowledge(
            self.config, question, now=self.now, load_encoder=self.ports().load_encoder
        )

    def seen(self, labels: Iterable[str] = ()) -> set[str]:
        """The documents that a reader with these labels can find at all."""
        return {hit.uri for hit in self.search("anything", labels).hits}


def source(
    name: str = "docs", path: str = "docs", labels: str = '["public"]', more: str = ""
) -> str:
    """One ``[[sources]]`` of kind files."""
    return (
        f'[[sources]]\nname = "{name}"\nkind = "files"\npath = "{path}"\n'
        f'include = ["**/*.md"]\ndomain = "general"\nlabels = {labels}\n{more}\n'
    )


def rule(match: str, labels: str) -> str:
    """One ``[[sources.rules]]``."""
    return f'[[sources.rules]]\nmatch = "{match}"\nlabels = {labels}\n'

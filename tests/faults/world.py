"""Two worlds of documents, a store of the first, and what readers see of a store."""

import itertools
import json
import os
import shutil
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pipelines.config import load_config
from pipelines.knowledge import (
    Store,
    clean_up,
    find_store,
    holds,
    newest,
    publications,
    quarantine,
    refresh_lock,
)
from pipelines.refresh import Report
from pipelines.verify import verify_knowledge
from tests.expectations import write_few
from tests.fakes import HashEncoder
from tests.faults.child import Child, start
from tests.faults.runner import Writes, killed_refresh, refresh

ROOT = Path(__file__).parents[2]
MANAGERS_ONLY = "---\nlabels: [managers]\n---\n"


def text(name: str, parts: int = 3, revised: int = 0) -> str:
    """A document of some sections; the last ``revised`` of them say something new."""
    sections = [
        f"## Part {n}\n\nThe {name} part {n} says {'anew' if n >= parts - revised else 'so'}.\n"
        for n in range(parts)
    ]
    return f"# {name}\n\n" + "\n".join(sections)


def _before() -> dict[str, bytes]:
    documents = {f"edited-{n}.md": text(f"edited {n}") for n in range(4)}
    documents |= {name: text(name) for name in ("kept.md", "old-name.md", "gone.md")}
    # Without the empty block it would go on asking what a later version asked.
    documents |= {"asks.md": "---\n---\n\n" + text("asks.md")}
    documents |= {"pay/narrowed.md": text("narrowed"), "open/widened.md": text("widened")}
    documents |= {"broken.md": text("broken")}
    return {path: said.encode() for path, said in documents.items()}


def _after() -> dict[str, bytes]:
    documents = _before()
    for path in ("gone.md", "old-name.md"):
        del documents[path]
    documents |= {"new/name.md": _before()["old-name.md"], "broken.md": b"\xff\xfe\x00"}
    documents |= {f"edited-{n}.md": text(f"edited {n}", 4, 2).encode() for n in range(4)}
    documents |= {f"added-{n}.md": text(f"added {n}").encode() for n in range(3)}
    return documents | {"asks.md": (MANAGERS_ONLY + text("asks.md", 3, 1)).encode()}


def _other() -> dict[str, bytes]:
    documents = _before()
    del documents["edited-0.md"]
    return documents | {"other.md": text("other").encode()}


DOCUMENTS = {"before": _before, "after": _after, "other": _other}
LABELS = {"before": ("public", "managers"), "after": ("managers", "public")}
"""Of ``pay/**`` and of ``open/**``: the second world narrows one and widens the other."""


@dataclass(frozen=True, slots=True)
class View:
    """What readers see: rows that are not withheld, with vectors; and what is withheld."""

    state: Any
    rows: tuple[tuple[str, str], ...]
    """Uri, everything that a reader could be shown; sorted, duplicates kept."""
    withheld: frozenset[str]

    def equals(self, other: "View") -> bool:
        """The same to a reader; the table's version numbers may differ."""
        return (self.rows, self.withheld) == (other.rows, other.withheld)

    def is_rest_of(self, older: "View") -> bool:
        """The older one, with the same or more withheld."""
        left = tuple(row for row in older.rows if row[0] not in self.withheld)
        return self.state == older.state and self.withheld >= older.withheld and self.rows == left


NOTHING = View(None, (), frozenset())


@dataclass
class Case:
    """One store, the two worlds, and the log of the encoder."""

    root: Path
    docs: Path
    now: datetime
    runs: Any = field(default_factory=itertools.count)

    @property
    def uri(self) -> str:
        return str(self.root / "store")

    @property
    def log(self) -> Path:
        return self.root / "encoded.jsonl"

    @property
    def store(self) -> Store:
        found = find_store(self.uri)
        assert found is not None
        return found

    def encoded(self) -> list[str]:
        """The texts that all runs of this case encoded."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        return [json.loads(line) for line in lines]

    def config(self, world: str) -> Path:
        path = self.root / f"{world}.toml"
        pay, wide = LABELS.get(world, LABELS["before"])
        write_few(path.parent / "data/expectations")
        path.write_text(
            '[knowledge]\nname = "kb"\nstore = "store"\n'
            'keep_publications = 1\nkeep_days = 0\nlongest_read = "10m"\n'
            f'[[sources]]\nname = "docs"\nkind = "files"\npath = "{self.docs / world}"\n'
            'domain = "general"\nlabels = ["public"]\n'
            f'[[sources.rules]]\nmatch = "pay/**"\nlabels = ["{pay}"]\n'
            f'[[sources.rules]]\nmatch = "open/**"\nlabels = ["{wide}"]\n'
        )
        return path

    def run_name(self) -> str:
        return f"r{next(self.runs)}"

    def start(self, world: str = "after", at: str = "") -> Child:
        """A child that waits for ``go``."""
        config, run = str(self.config(world)), self.run_name()
        return start(killed_refresh, config, run, self.now.isoformat(), str(self.log), at)

    def run_child(self, world: str = "after", at: str = "") -> dict[str, Any] | None:
        with self.start(world, at) as child:
            child.go()
            return child.wait()

    def stopped(self, world: str, at: str) -> Child:
        """A child that sleeps at one of its writes."""
        child = self.start(world, f"{at}:SIGSTOP")
        child.go()
        try:
            child.wait_until_stopped()
        except AssertionError as error:
            with child:
                raise AssertionError(f"{at}: {error}") from error
        return child

    def refresh(self, world: str = "after", at: Writes | None = None) -> Report:
        """An undisturbed refresh in this process."""
        config, write = self.config(world), at or Writes()
        return refresh(config, run=self.run_name(), now=self.now, log=self.log, write=write)

    def view(self) -> View:
        """What readers see now, as a query would find it."""
        store = find_store(self.uri)
        last = newest(store) if store else None
        if store is None or last is None:
            return NOTHING
        withheld = frozenset(last.withheld)
        columns = ("uri", "position", "text", "labels", "content_hash", "vector")
        rows = store.at(*last.state).to_arrow().select(columns).to_pylist()
        shown = [(row["uri"], repr(row)) for row in rows if row["uri"] not in withheld]
        return View(last.state, tuple(sorted(shown)), withheld)

    def free_the_lock(self) -> None:
        """What a takeover does: whoever comes next locks another file."""
        (Path(self.uri) / "refresh.lock").unlink()

    def tidy_without_the_lock(self, *, thorough: bool = False) -> None:
        """A clean-up that spares nothing that is not kept."""
        clean_up(
            self.store,
            now=datetime.now(UTC) + timedelta(hours=1),
            keep_publications=1,
            keep_days=0,
            longest_read=timedelta(0),
            thorough=thorough,
        )

    def left_behind(self, *, thorough: bool = False) -> list[str]:
        """What a thorough clean-up does not take away and nobody needs."""
        store = self.store
        with refresh_lock(store, run="clean-up", now=datetime.now(UTC)):
            self.tidy_without_the_lock(thorough=thorough)
        last = newest(store)
        assert last is not None
        named = {row.generation for row in publications(store)}
        tables = {name for name in store.names() if name.startswith("chunks_")}
        tagged = {v["version"] for v in store.table(last.generation).tags.list().values()}
        left = [f"table {name}" for name in sorted(tables - named)]
        left += [] if tagged == {last.version} else [f"tags on {tagged}, want {last.version}"]
        left += [str(path) for path in Path(self.uri).rglob("*.holder.json")]
        left += [str(path) for path in Path(self.uri).rglob(".tmp*")]
        left += [f"hold {hold.id}" for hold in holds(store)]
        return left

    def problems(self, world: str, *, sources: bool = False) -> list[str]:
        """What a verification says of it, by code that shares nothing with refreshing."""
        found = verify_knowledge(
            load_config(self.config(world), env={}),
            now=datetime.now(UTC),
            run_id=self.run_name(),
            sources=sources,
            load_encoder=lambda model, *, root, batch_size=32: HashEncoder(),
        )
        return [f"{p.kind} {p.uri}: {p.detail}" for p in found.problems]

    def in_quarantine(self) -> set[tuple[str, str]]:
        return {(row.uri, row.content_hash) for row in quarantine(self.store)}


@dataclass(frozen=True, slots=True)
class World:
    """Documents on disk and a store of those of ``before``."""

    root: Path
    now: datetime

    def case(self, name: str, *, base: bool = True) -> Case:
        root = self.root / name
        root.mkdir()
        if base:
            shutil.copytree(self.root / "base" / "store", root / "store")
        return Case(root, self.root / "docs", self.now)


def make_world(root: Path) -> World:
    """Writes the documents and publishes ``before``, twice, an hour apart."""
    now = datetime.now(UTC)
    for world, documents in DOCUMENTS.items():
        for path, data in documents().items():
            file = root / "docs" / world / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)
            os.utime(file, (now.timestamp() - 86_400,) * 2)
    made = World(root, now)
    base = made.case("base", base=False)
    base.now, base.runs = now - timedelta(hours=2), itertools.count(9000)
    base.refresh("other")
    base.now = now - timedelta(hours=1)
    assert base.refresh("before").published
    return made

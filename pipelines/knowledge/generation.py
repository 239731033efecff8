"""One chunk table: reading a version of it, and writing the next one behind a fence."""

import functools
import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.errors import Overtaken
from pipelines.knowledge import tables
from pipelines.knowledge.ledger import State
from pipelines.knowledge.places import Made
from pipelines.knowledge.side import COMPACTION, FRAGMENT_ROWS
from pipelines.knowledge.store import Store
from pipelines.planning import Policy, Published
from pipelines.records import FrontMatter, Vectors

if TYPE_CHECKING:
    from lancedb.table import Table

PREFIX = "chunks_"
SMALL_FRAGMENTS = 20
"""More fragments than this and compaction pays."""
SLICE = 500
"""Values in one filter."""

_DOCUMENT = [
    "uri", "source", "content_hash", "recipe", "domain", "labels", "train", "front_matter",
    "source_version", "source_at", "findings",
]  # fmt: skip


def generation_name(run: str, fingerprint: str) -> str:
    """The name of a new chunk table. It holds the run, so none is ever used twice."""
    return f"{PREFIX}{fingerprint[:8]}_{run}"


def create_generation(store: Store, name: str, dimension: int) -> State:
    """Makes an empty chunk table."""
    store.write(store.db.create_table, name, schema=tables.chunks(dimension))
    return name, store.table(name).version


def published_documents(store: Store, state: State) -> dict[str, Published]:
    """The documents of a state by uri, read from the first chunk of each."""
    generation, version = state
    made = _DOCUMENTS.of((store.uri, generation), store.at(generation, version))
    return {document.uri: document for document in made}


def _published(row: dict[str, Any]) -> Published:
    # What many documents have alike is there once.
    return Published(
        uri=row["uri"],
        source=sys.intern(row["source"]),
        content_hash=row["content_hash"],
        recipe=sys.intern(row["recipe"]),
        policy=_policy(row["domain"], tuple(sorted(row["labels"])), row["train"]),
        asked=front_matter_of(row["front_matter"]),
        source_version=sys.intern(row["source_version"]),
        source_at=row["source_at"].timestamp(),
        findings=tuple(row["findings"]),
    )


@functools.lru_cache(maxsize=1_000)
def _policy(domain: str, labels: tuple[str, ...], train: bool) -> Policy:
    return Policy(domain, labels, train)


@functools.lru_cache(maxsize=10_000)
def front_matter_of(text: str | None) -> FrontMatter | None:
    """The inverse of ``front_matter_text``."""
    return None if text is None else FrontMatter.from_dict(json.loads(text))


_DOCUMENTS = Made(
    [*_DOCUMENT, "position"],
    _published,
    where="position = 0",
    counts=lambda rows: rows.filter(pc.equal(rows["position"], 0)),
)


def rows_of(
    store: Store, state: State, uris: Sequence[str], *, columns: Sequence[str] | None = None
) -> pa.Table:
    """The rows of some documents, in the order of document and position."""
    table = store.at(*state)
    parts = []
    for part in _slices(sorted(set(uris))):
        search = table.search().where(tables.among("uri", part))
        parts.append((search.select(list(columns)) if columns else search).to_arrow())
    if not parts:
        empty = table.search().where("false")
        return (empty.select(list(columns)) if columns else empty).to_arrow()
    merged = pa.concat_tables(parts)
    keys = [(k, "ascending") for k in ("uri", "position") if k in merged.column_names]
    return merged.sort_by(keys) if keys else merged


def all_rows(store: Store, state: State, columns: Sequence[str]) -> pa.Table:
    """Some columns of all rows of a state: no texts, no vectors."""
    return store.at(*state).search().select(list(columns)).to_arrow()


def documents_by_source(store: Store, state: State) -> Counter[str]:
    """How many documents a state has of each source."""
    table = store.at(*state)
    rows = table.search().where("position = 0").select(["source"]).to_arrow()
    return Counter(rows["source"].to_pylist())


def counts(store: Store, state: State) -> tuple[int, int]:
    """(documents, chunks) of a state."""
    table = store.at(*state)
    return table.count_rows("position = 0"), table.count_rows()


def rows_with_texts(
    store: Store, state: State, text_hashes: Iterable[str], columns: Sequence[str]
) -> Iterator[pa.Table]:
    """Some columns of every row that has one of some texts, a part at a time."""
    table = store.at(*state)
    for part in _slices(sorted(set(text_hashes))):
        search = table.search().where(tables.among("text_hash", part))
        yield search.select(list(columns)).to_arrow()


def vectors_in(store: Store, state: State, text_hashes: Iterable[str]) -> dict[str, Vectors]:
    """The vectors that a state has of embedded texts, by text hash, each ``(d,)`` float32."""
    found: dict[str, Vectors] = {}
    for rows in rows_with_texts(store, state, text_hashes, ["text_hash", "vector"]):
        found |= vectors_by_hash(rows)
    return found


def texts_in(store: Store, state: State, text_hashes: Iterable[str]) -> frozenset[str]:
    """Those of some embedded texts, by hash, that stand anywhere in a state."""
    parts = rows_with_texts(store, state, text_hashes, ["text_hash"])
    return frozenset(text for rows in parts for text in rows["text_hash"].to_pylist())


def uris_of_texts(
    store: Store, state: State, text_hashes: Iterable[str]
) -> dict[str, frozenset[str]]:
    """The documents that hold some embedded texts in a state, by the text's hash."""
    found: dict[str, set[str]] = {}
    for rows in rows_with_texts(store, state, text_hashes, ["text_hash", "uri"]):
        for text, uri in zip(rows["text_hash"].to_pylist(), rows["uri"].to_pylist(), strict=True):
            found.setdefault(text, set()).add(uri)
    return {text: frozenset(uris) for text, uris in found.items()}


def vectors_by_hash(rows: pa.Table) -> dict[str, Vectors]:
    """Rows of ``text_hash`` and ``vector`` as a dictionary."""
    if not rows.num_rows:
        return {}
    column = rows["vector"].combine_chunks()
    flat = column.flatten().to_numpy(zero_copy_only=False).astype(np.float32, copy=False)
    matrix = flat.reshape(rows.num_rows, -1)
    return dict(zip(rows["text_hash"].to_pylist(), matrix, strict=True))


def _slices(values: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(values), SLICE):
        yield values[start : start + SLICE]


class Candidate:
    """The next version of a chunk table, written by one owner.

    Opening one restores the table to the published version, needed or not: that commit is the
    fence. Whoever owned the table before is refused on every later write through the handle that
    it holds. The handle here is never refreshed, and every commit must be the expected next one.
    """

    def __init__(self, store: Store, published: State) -> None:
        self._store = store
        self.generation, version = published
        self._table: Table = store.table(self.generation)
        self._guard(store.write, self._table.restore, version)
        self._expected = self._table.version

    @property
    def state(self) -> State:
        """What this owner has written so far."""
        return self.generation, self._expected

    def replace(self, uris: Sequence[str], rows: pa.Table | None) -> None:
        """Deletes all rows of some documents and adds rows: two commits.

        Raises:
            Overtaken: Somebody else owns the table now.
        """
        for part in _slices(sorted(set(uris))):
            self._commit(self._table.delete, tables.among("uri", part))
        if rows is not None and rows.num_rows:
            self._commit(self._table.add, rows.cast(self._table.schema))

    def finish(self) -> State:
        """Compacts when it pays and says which version to audit and publish.

        Never asks for the newest version: that would take over the half-done state of whoever
        fenced this owner off meanwhile, and win.

        Raises:
            Overtaken: Somebody else owns the table now.
        """
        dataset = self._table.to_lance()
        if dataset.version != self._expected:
            raise self._overtaken(f"version {dataset.version}, expected {self._expected}")
        small = [f for f in dataset.get_fragments() if f.count_rows() < FRAGMENT_ROWS // 2]
        if len(small) > SMALL_FRAGMENTS:
            self._guard(self._store.write, dataset.optimize.compact_files, **COMPACTION)
        return self.generation, int(dataset.version)

    def _commit(self, verb: Any, *args: Any) -> None:
        self._guard(self._store.write, verb, *args)
        self._expected += 1
        if self._table.version != self._expected:
            raise self._overtaken(f"version {self._table.version}, expected {self._expected}")

    def _guard(self, write: Any, *args: Any, **options: Any) -> None:
        try:
            write(*args, **options)
        except (RuntimeError, OSError, ValueError) as error:
            text = str(error).lower()
            if "conflict" in text or "incompatible" in text or "not found" in text:
                raise self._overtaken(str(error).splitlines()[0][:200]) from error
            raise

    def _overtaken(self, detail: str) -> Overtaken:
        return Overtaken(
            f"Another refresh took over the table {self.generation} ({detail})."
            " Nothing of this run is published; what it embedded is kept.",
            hint="Refresh again.",
        )


def tag(store: Store, name: str, state: State) -> None:
    """Protects a version from clean-up, by name. The same tag on the same version is fine."""
    generation, version = state
    tags = store.table(generation).tags
    existing = tags.list().get(name)
    if existing is None:
        store.write(tags.create, name, version)
    elif existing["version"] != version:
        store.write(tags.update, name, version)


def untag(store: Store, generation: str, name: str) -> None:
    """Removes a tag; that somebody else removed it already is fine."""
    try:
        store.write(store.table(generation).tags.delete, name)
    except (RuntimeError, ValueError) as error:
        if "not found" not in str(error).lower():
            raise


def is_tagged(store: Store, prefix: str, state: State) -> bool:
    """Whether a version can be opened and a tag whose name begins so protects it."""
    generation, version = state
    try:
        store.at(generation, version)
        tags = store.table(generation).tags.list()
    except (RuntimeError, ValueError):
        return False
    return any(n.startswith(prefix) and ref["version"] == version for n, ref in tags.items())


def front_matter_text(asked: FrontMatter | None) -> str | None:
    """What a document asks, as its rows keep it."""
    return None if asked is None else json.dumps(asked.to_dict(), sort_keys=True)


def source_time(seconds: float) -> datetime:
    """Seconds since the epoch -> aware UTC time."""
    return datetime.fromtimestamp(seconds, UTC)

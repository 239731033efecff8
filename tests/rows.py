"""A chunk table written by hand: what a refresh would write, without one."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipelines.ingest.prepare import text_hash_of
from pipelines.knowledge import Candidate, State, Store, chunk_schema, create_generation, open_store
from tests.fakes import HashEncoder

NOW = datetime(2026, 5, 4, tzinfo=UTC)
GENERATION = "chunks_byhand"

Documents = Mapping[str, Sequence[str]]
"""Uri -> its passages."""


@dataclass
class Shelf:
    """One generation and its newest version."""

    store: Store
    state: State
    encoder: HashEncoder = field(default_factory=HashEncoder)

    @classmethod
    def empty(cls, folder: Path) -> "Shelf":
        store = open_store(str(folder / "store"), now=NOW)
        return cls(store, create_generation(store, GENERATION, HashEncoder().dimension))

    def write(self, documents: Documents, *, remove: Iterable[str] = ()) -> State:
        """Replaces documents and removes others, as an ingest does."""
        candidate = Candidate(self.store, self.state)
        rows = self.rows(documents) if documents else None
        candidate.replace([*documents, *remove], rows)
        self.state = candidate.finish()
        return self.state

    def rows(self, documents: Documents, **columns: Any) -> pa.Table:
        made = [
            self._row(uri, position, text, documents[uri]) | columns
            for uri in documents
            for position, text in enumerate(documents[uri])
        ]
        return pa.Table.from_pylist(made, schema=chunk_schema(self.encoder.dimension))

    def _row(self, uri: str, position: int, text: str, texts: Sequence[str]) -> dict[str, Any]:
        return {
            "uri": uri,
            "source": uri.partition("/")[0],
            "position": position,
            "start": 0,
            "end": len(text),
            "heading_path": [],
            "prefix": "",
            "text": text,
            "text_hash": text_hash_of(text),
            "tokens": self.encoder.count([text])[0],
            "vector": self.encoder.encode_query(text),
            "title": "",
            "domain": "general",
            "labels": ["public"],
            "train": True,
            "front_matter": None,
            "content_hash": sha256("\n".join(texts).encode()).hexdigest(),
            "recipe": "1",
            "findings": [],
            "source_version": "",
            "source_at": NOW,
        }

    def by_hand(self, verb: str, *args: Any, **options: Any) -> State:
        """Somebody does to the table what nobody should; gives the version that is left."""
        table = self.store.table(self.state[0])
        getattr(table, verb)(*args, **options)
        self.state = self.state[0], table.version
        return self.state

    def alter(self, where: str, vector: Sequence[float]) -> State:
        """Puts another vector into some rows, which are rewritten as an update would."""
        rows = self.store.at(*self.state).search().where(where).to_arrow()
        kind = rows.schema.field("vector")
        column = pa.array([list(vector)] * rows.num_rows, kind.type)
        self.by_hand("delete", where)
        at = rows.schema.get_field_index("vector")
        return self.by_hand("add", rows.set_column(at, kind, column))

    def all_rows(self, state: State | None = None) -> list[dict[str, Any]]:
        rows = self.store.at(*(state or self.state)).to_arrow().to_pylist()
        return sorted(rows, key=lambda row: (row["uri"], row["position"]))

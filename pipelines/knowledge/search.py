"""Nearest passages of one state, by vector; who may read is decided inside the query."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pipelines.errors import PublicationNotFound
from pipelines.knowledge import tables
from pipelines.knowledge.ledger import State
from pipelines.knowledge.store import Store
from pipelines.records import PUBLIC, Vectors

SHOWN = [
    "uri", "title", "heading_path", "text", "source", "source_version", "domain", "labels",
    "content_hash",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Filter:
    """What a query may return."""

    labels: frozenset[str] = frozenset()
    """That the reader holds; everyone holds ``public``."""
    withheld: Iterable[str] = ()
    domain: str | None = None

    def to_sql(self) -> str:
        """In the filter language of LanceDB; every query carries it."""
        held = ", ".join(tables.quoted(label) for label in sorted({PUBLIC, *self.labels}))
        parts = [f"array_has_any(labels, [{held}])"]
        if self.withheld:
            parts.append(tables.not_among("uri", self.withheld))
        if self.domain is not None:
            parts.append(f"domain = {tables.quoted(self.domain)}")
        return " AND ".join(parts)


def search_state(
    store: Store, state: State, vector: Vectors, *, k: int, only: Filter
) -> list[dict[str, Any]]:
    """The ``k`` nearest passages that the filter lets through, nearest first.

    Args:
        store: The store.
        state: The one table version to read.
        vector: The question, ``(d,)`` float32 of unit norm.
        k: How many at the most.
        only: What may be returned.

    Returns:
        Rows with ``score``, the cosine similarity between -1 and 1.
    """
    table = store.at(*state)
    query: Any = table.search(vector, vector_column_name="vector")
    rows = (
        query.distance_type("cosine")
        .where(only.to_sql(), prefilter=True)
        .select([*SHOWN, "_distance"])
        .limit(k)
        .to_arrow()
        .to_pylist()
    )
    return [row | {"score": 1.0 - row.pop("_distance")} for row in rows]


def tagged_state(store: Store, name: str, generations: Iterable[str]) -> State:
    """The state that a tag names.

    Raises:
        PublicationNotFound: No generation has that tag.
    """
    for generation in sorted(set(generations) & store.names()):
        found = store.table(generation).tags.list().get(name)
        if found is not None:
            return generation, int(found["version"])
    raise PublicationNotFound(
        f"Nothing is kept under {name.removeprefix('hold-')!r}.", hint="See staleproof holds."
    )

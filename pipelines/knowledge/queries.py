"""The ``queries`` table: what was asked, as vectors; the words only by policy."""

import contextlib
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import TracebackType
from typing import Any
from uuid import uuid4

import numpy as np

from pipelines.knowledge.side import READ, add_rows, before, compact, forget_versions, rows
from pipelines.knowledge.store import Store
from pipelines.knowledge.tables import quoted
from pipelines.records import Vectors

BUFFERED = 100
"""Questions kept in memory before they are written together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """One question."""

    at: datetime
    vector: Vectors
    """``(d,)`` float32."""
    fingerprint: str
    domain: str | None = None
    text: str | None = None
    hits: tuple[str, ...] = ()
    """Uris, nearest first."""
    publication: int | None = None
    accepted: tuple[str, ...] = ()
    """Uris that are known to answer it."""
    origin: str = "search"


@dataclass(slots=True)
class QueryLog:
    """Collects questions and writes them together. A store that cannot be written logs nothing."""

    store: Store
    waiting: list[Query] = field(default_factory=list)

    def add(self, query: Query) -> None:
        """Remembers a question; writes when enough have come together."""
        self.waiting.append(query)
        if len(self.waiting) >= BUFFERED:
            self.flush()

    def flush(self) -> None:
        """Writes what was collected."""
        collected, self.waiting = self.waiting, []
        with contextlib.suppress(OSError, RuntimeError):  # read-only: answering goes on
            add_rows(self.store, "queries", [_row(query) for query in collected])
            # Questions come where nothing is published for weeks.
            if compact(self.store, "queries"):
                forget_versions(self.store, "queries", older_than=READ)

    def __enter__(self) -> "QueryLog":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.flush()


def _row(query: Query) -> dict[str, Any]:
    return {
        "id": uuid4().hex,
        "at": query.at,
        "domain": query.domain,
        "text": query.text,
        "vector": query.vector.tolist(),
        "fingerprint": query.fingerprint,
        "hits": list(query.hits),
        "publication": query.publication,
        "accepted": list(query.accepted),
        "origin": query.origin,
    }


def logged_queries(store: Store) -> list[dict[str, Any]]:
    """All questions, oldest first."""
    found = rows(store, "queries")
    return sorted(found, key=lambda row: row["at"].astimezone(UTC))


@dataclass(frozen=True, slots=True)
class AskedQuery:
    """A question as a watch sees it, without words."""

    id: str
    at: datetime
    vector: Vectors
    """``(d,)`` float32."""
    first: str | None
    """Uri of the nearest passage's document; None where it is not known."""


def asked_between(
    store: Store, fingerprint: str, *, since: datetime, until: datetime
) -> list[AskedQuery]:
    """The questions that one embedder was asked from ``since`` to before ``until``, oldest first."""
    where = (
        f"fingerprint = {quoted(fingerprint)} AND vector IS NOT NULL"
        f" AND NOT ({before('at', since)}) AND {before('at', until)}"
    )
    found = [
        AskedQuery(
            row["id"],
            row["at"].astimezone(UTC),
            np.asarray(row["vector"], dtype=np.float32),
            row["hits"][0] if row["hits"] else None,
        )
        for row in rows(store, "queries", where, columns=["id", "at", "vector", "hits"])
    ]
    return sorted(found, key=lambda one: (one.at, one.id))


def first_hits(store: Store, *, since: datetime, until: datetime) -> Counter[str]:
    """How often each document was the nearest to a question, between two times."""
    where = f"NOT ({before('at', since)}) AND {before('at', until)}"
    found = rows(store, "queries", where, columns=["hits"])
    return Counter(row["hits"][0] for row in found if row["hits"])

"""The ``documents`` table: what is known of the sources. Lost, it costs a read and nothing else."""

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pipelines.knowledge import tables
from pipelines.knowledge.generation import front_matter_of
from pipelines.knowledge.places import Made
from pipelines.knowledge.side import put_rows
from pipelines.knowledge.store import Store
from pipelines.planning import Found, Remembered
from pipelines.records import Entry, Failure, FrontMatter

SLICE = 2_000


@dataclass(frozen=True, slots=True)
class Known:
    """One document as it was when its bytes were last read."""

    uri: str
    source: str
    token: str
    content_hash: str
    front_matter: FrontMatter | Failure | None
    """As in the bytes."""
    remembered: Remembered
    """What it asks, older knowledge carried over."""
    hashed_at: datetime
    """Just before its bytes were read."""

    def found(self, entry: Entry) -> Found:
        """The document of a listing that this knowledge answers for."""
        return Found(self.uri, self.source, entry, self.content_hash, self.front_matter)


def known_documents(store: Store | None) -> dict[str, Known]:
    """What is known, by uri. Of duplicates the newest counts."""
    known: dict[str, Known] = {}
    for one in _KNOWN.of(store.uri, store.table("documents")) if store else ():
        if one.uri not in known or known[one.uri].hashed_at <= one.hashed_at:
            known[one.uri] = one
    return known


def remember(store: Store, known: Mapping[str, Known]) -> None:
    """Writes what is known, replacing what was known before."""
    wanted = [_row(one) for one in known.values()]
    for start in range(0, len(wanted), SLICE):
        put_rows(store, "documents", wanted[start : start + SLICE])


def _known(row: dict[str, Any]) -> Known:
    remembered = Remembered(
        row["content_hash"],
        front_matter_of(row["asked"]),
        row["withhold"],
        row["moved_to"],
    )
    return Known(
        row["uri"],
        sys.intern(row["source"]),
        row["token"],
        row["content_hash"],
        _front_matter(row["front_matter"]),
        remembered,
        row["hashed_at"].astimezone(UTC),
    )


_KNOWN = Made(tables.DOCUMENTS.names, _known)


def _front_matter(text: str | None) -> FrontMatter | Failure | None:
    if text is None:
        return None
    data = json.loads(text)
    if "expectation" in data:
        return Failure(**data)
    return front_matter_of(text)


def _row(known: Known) -> dict[str, Any]:
    said = known.front_matter
    asked = known.remembered.asked
    if isinstance(said, Failure):
        front_matter: dict[str, Any] | None = {
            "expectation": said.expectation,
            "observed": said.observed,
            "withhold": said.withhold,
        }
    else:
        front_matter = None if said is None else said.to_dict()
    return {
        "uri": known.uri,
        "source": known.source,
        "token": known.token,
        "content_hash": known.content_hash,
        "front_matter": None if front_matter is None else json.dumps(front_matter),
        "asked": None if asked is None else json.dumps(asked.to_dict()),
        "withhold": known.remembered.withhold,
        "moved_to": known.remembered.moved_to,
        "hashed_at": known.hashed_at,
    }

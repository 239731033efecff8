"""The ``quarantine`` table: document versions that failed, and those that a person let out."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pipelines.knowledge.side import (
    add_rows,
    delete_rows,
    rows,
    update_rows,
)
from pipelines.knowledge.store import Store
from pipelines.knowledge.tables import among, quoted
from pipelines.planning import Rejected
from pipelines.records import Failure, FrontMatter


@dataclass(frozen=True, slots=True)
class Released:
    """Who let a document version out of quarantine, and why."""

    at: datetime
    actor: str
    reason: str


@dataclass(frozen=True, slots=True)
class QuarantineRow:
    """A document version that failed."""

    uri: str
    source: str
    content_hash: str
    failure: Failure
    excerpt: str | None
    front_matter: FrontMatter | None
    suites: str
    since: datetime
    released: Released | None = None


def quarantine(store: Store | None, suites: str | None = None) -> list[QuarantineRow]:
    """Document versions in quarantine, oldest first; under some suites, or all.

    What a person let out of it is not among them; what such a version failed afterwards is.

    Args:
        store: The store.
        suites: The hash of suites, extractor and limits.
    """
    out = {(q.uri, q.content_hash, q.failure.expectation) for q in released(store)}
    where = "released_at IS NULL" + ("" if suites is None else f" AND suites = {quoted(suites)}")
    return [
        q
        for q in _failed(store, where)
        if (q.uri, q.content_hash, q.failure.expectation) not in out
    ]


def released(store: Store | None) -> list[QuarantineRow]:
    """Document versions that a person let out of quarantine, and that their source still shows."""
    return _failed(store, "released_at IS NOT NULL")


def _failed(store: Store | None, where: str) -> list[QuarantineRow]:
    found: dict[tuple[str, str, str], QuarantineRow] = {}
    failed = [] if store is None else rows(store, "quarantine", where)
    for row in sorted(failed, key=lambda r: r["since"], reverse=True):
        one = _quarantined(row)
        found[one.uri, one.content_hash, one.suites] = one
    return sorted(found.values(), key=lambda q: (q.since, q.uri))


def _quarantined(row: dict[str, Any]) -> QuarantineRow:
    asked = row["front_matter"]
    return QuarantineRow(
        row["uri"],
        row["source"],
        row["content_hash"],
        Failure(row["expectation"], row["observed"], row["withhold"]),
        row["excerpt"],
        None if asked is None else FrontMatter.from_dict(json.loads(asked)),
        row["suites"],
        row["since"].astimezone(UTC),
        None if row["released_at"] is None else _released(row),
    )


def _released(row: dict[str, Any]) -> Released:
    at = row["released_at"].astimezone(UTC)
    return Released(at, row["released_by"], row["released_reason"])


def put_in_quarantine(
    store: Store,
    rejected: Iterable[Rejected],
    *,
    excerpts: dict[str, str],
    suites: str,
    run: str,
    now: datetime,
) -> None:
    """Records document versions that failed in this run and were not known to fail before."""
    add_rows(
        store,
        "quarantine",
        [
            {
                "uri": one.found.uri,
                "source": one.found.source,
                "content_hash": one.found.content_hash,
                "expectation": one.failure.expectation,
                "observed": one.failure.observed,
                "withhold": one.failure.withhold,
                "excerpt": excerpts.get(one.found.uri),
                "front_matter": _asked(one),
                "suites": suites,
                "since": now,
                "run": run,
            }
            for one in rejected
        ],
    )


def forget_mended(
    store: Store, *, sources: Iterable[str], standing: Iterable[tuple[str, str]]
) -> None:
    """Drops what no longer stands of some sources: mended, changed, or gone.

    Args:
        store: The store.
        sources: Those whose listing came to its end.
        standing: (uri, content hash) of the versions that fail now, or were let out.
    """
    here = set(standing)
    looked_at = set(sources)
    over = {
        (q.uri, q.content_hash)
        for q in (*_failed(store, "released_at IS NULL"), *released(store))
        if q.source in looked_at and (q.uri, q.content_hash) not in here
    }
    # One commit, however many; a hash has no blank, so that the pair is told by its text.
    pairs = (f"{content_hash} {uri}" for uri, content_hash in over)
    delete_rows(store, "quarantine", among("content_hash || ' ' || uri", pairs))


def try_again(store: Store, uris: Iterable[str]) -> None:
    """Forgets that versions of some documents failed: the next refresh tries them again."""
    delete_rows(store, "quarantine", f"{among('uri', uris)} AND released_at IS NULL")


def release(
    store: Store, uri: str, content_hash: str, *, actor: str, reason: str, now: datetime
) -> None:
    """Records that a person lets a document version out of quarantine."""
    values = {"released_at": now, "released_by": actor, "released_reason": reason}
    where = f"uri = {quoted(uri)} AND content_hash = {quoted(content_hash)}"
    update_rows(store, "quarantine", where, values)


def _asked(rejected: Rejected) -> str | None:
    asked = rejected.found.front_matter
    return json.dumps(asked.to_dict()) if isinstance(asked, FrontMatter) else None

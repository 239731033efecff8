"""The ledger as a person asks for it: history, differences, and what plain readers need."""

from typing import Any

from pipelines.config import Config
from pipelines.errors import PublicationNotFound
from pipelines.knowledge import (
    Filter,
    find_publication,
    find_store,
    publications,
    published_documents,
    published_store,
    readable_states,
)


def show_history(config: Config) -> dict[str, Any]:
    """All publications, newest first, as the interface gives them."""
    store = find_store(config.store_uri)
    rows = publications(store) if store else []
    kept = readable_states(store, {p.generation for p in rows}) if store else set()
    return {
        "publication": rows[0].number if rows else None,
        "pinned": bool(rows and rows[0].pinned),
        "publications": [
            {
                "number": p.number,
                "at": p.at.isoformat(),
                "kind": p.kind,
                "actor": p.actor,
                "reason": p.reason,
                "documents": p.documents,
                "chunks": p.chunks,
                "tokens_embedded": p.tokens_embedded,
                "embedder": p.model,
                "run": p.run,
                "data_as_of": min(p.data_as_of.values(), default=None),
                "restores": p.restores,
                "withheld": len(p.withheld),
                "kept": p.state in kept,
            }
            for p in rows
        ],
    }


def compare_publications(config: Config, first: int, second: int) -> dict[str, Any]:
    """What differs between two publications, by document.

    Raises:
        PublicationNotFound: One of them does not exist, or its files are gone.
    """
    store, _ = published_store(config)
    rows = [find_publication(store, number) for number in (first, second)]
    kept = readable_states(store, {row.generation for row in rows})
    for row in rows:
        if row.state not in kept:
            raise PublicationNotFound(
                f"The files of #{row.number} are gone.", hint="See staleproof history."
            )
    a, b = (published_documents(store, row.state) for row in rows)
    both = sorted(set(a) & set(b))
    return {
        "from": first,
        "to": second,
        "added": sorted(set(b) - set(a)),
        "deleted": sorted(set(a) - set(b)),
        "changed": [u for u in both if a[u].content_hash != b[u].content_hash],
        "relabelled": [
            u for u in both
            if a[u].content_hash == b[u].content_hash and a[u].policy != b[u].policy
        ],
        "withheld": sorted(set(rows[1].withheld) - set(rows[0].withheld)),
        "shown_again": sorted(set(rows[0].withheld) - set(rows[1].withheld)),
    }  # fmt: skip


def show_head(config: Config, *, labels: frozenset[str]) -> dict[str, Any]:
    """What a plain LanceDB reader needs: table, version, and the filter that access demands.

    Raises:
        PublicationNotFound: Nothing is published yet.
    """
    _, last = published_store(config)
    return {
        "publication": last.number,
        "uri": config.store_uri,
        "table": last.generation,
        "version": last.version,
        "filter": Filter(labels, last.withheld).to_sql(),
    }

"""Whether golden questions find their documents as well as when the embedder was promoted."""

from collections.abc import Mapping
from typing import Any

from pipelines.knowledge import Publication, Store, audits, newest, publications

ROUNDING = 1e-6


def fallen_recall(store: Store | None) -> str:
    """What to tell where recall is below what it was at the switch; else nothing.

    Each refresh that publishes measures it anew. A base was not promoted, and is not judged.
    """
    last = newest(store) if store else None
    if store is None or last is None or not last.embedder:
        return ""
    switch = _switch(store, last)
    before = switch.audit.get("promotion", {}).get("canaries", {}).get("now") if switch else None
    after = None if switch is None else _measured_since(store, switch)
    if before is None or after is None or after >= before - ROUNDING:
        return ""
    [(name, version)] = last.embedder.items()
    return (
        f"Of the golden questions {after:.0%} find their document; when {name} {version} was"
        f" promoted it was {before:.0%}. To go back: staleproof demote {name}."
    )


def _switch(store: Store, last: Publication) -> Publication | None:
    """The row that promoted the embedder that serves."""
    rows = publications(store)
    of_it = [r for r in rows if r.kind == "promotion" and r.generation == last.generation]
    return of_it[0] if of_it else None


def _measured_since(store: Store, switch: Publication) -> float | None:
    """The newest share of golden questions that find their document, of all sources together."""
    for audit in audits(store):
        if audit.number is not None and audit.number > switch.number:
            return _share(audit.report.get("measures", {}))
    return None


def _share(measures: Mapping[str, Mapping[str, Any]]) -> float | None:
    count = sum(m.get("canaries") or 0 for m in measures.values())
    hits = sum(
        (m.get("canary_recall") or 0.0) * (m.get("canaries") or 0) for m in measures.values()
    )
    return hits / count if count else None

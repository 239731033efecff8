"""The columns that a suite may judge a publication by: one row a source, before and after."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pipelines.planning import Change, Kind
from pipelines.quality.canaries import Recall
from pipelines.quality.columns import PUBLICATION
from pipelines.quality.measure import Measures, Sum

FEW_LOST = 10
"""Lost documents up to this are no share of anything."""
FEW_CHUNKS = 50
FEW_REJECTED, FEW_REJECTED_SHARE = 10, 0.2
"""So many, or such a part of what the source has, are named and hold nobody up: their last good
versions stay."""
FEW_VECTORS = 30
FEW_CANARIES = 30

Documents = Mapping[str, tuple[str, int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Audited:
    """What is known of a candidate and of what it would replace."""

    candidate: Measures
    published: Measures | None = None
    """None at the first publication. Measured like the candidate, accepted uris apart."""
    changes: Sequence[Change] = ()
    """Those that were written."""
    accepted: frozenset[str] = frozenset()
    """Uris, former and new, whose change a person let through."""
    rejected: Mapping[str, int] = field(default_factory=dict)
    """By source, document versions that failed in this run."""
    looked: Mapping[str, int] = field(default_factory=dict)
    """By source, document versions that this run looked into."""
    recalls: Mapping[str, Recall] = field(default_factory=dict)
    shifts: Mapping[str, float] = field(default_factory=dict)
    """As ``unexplained_shift`` says; empty where the two have different embedders."""
    same_embedder: bool = True
    sources: frozenset[str] = frozenset()
    """To have a row even where nothing is published of them."""


def moves_of(changes: Iterable[Change]) -> dict[str, str]:
    """Former uri -> uri under which its bytes stand now."""
    return {
        change.previous.uri: change.moved_to or change.uri
        for change in changes
        if change.kind is Kind.MOVED and change.previous is not None
    }


def touched(changes: Iterable[Change]) -> frozenset[str]:
    """The uris that changes are about, former ones too."""
    changes = list(changes)
    before = {change.previous.uri for change in changes if change.previous}
    return frozenset({change.uri for change in changes} | before)


def planned_documents(published: Documents, changes: Iterable[Change]) -> dict[str, str]:
    """Uri -> source of the documents that are to be there once the changes are written."""
    planned = {uri: source for uri, (source, _) in published.items()}
    changes = list(changes)
    for change in changes:
        planned.pop(change.previous.uri if change.previous else change.uri, None)
    return planned | {c.uri: c.source for c in changes if c.policy is not None}


def publication_columns(audited: Audited) -> dict[str, list[Any]]:
    """The columns of ``columns.PUBLICATION``, a row for each source, sorted by name."""
    before = {} if audited.published is None else audited.published.documents
    after = audited.candidate.documents
    planned = planned_documents(before, audited.changes)
    counts = _counts(before, after, planned)
    kept = _kept(before, after, audited)
    names = {source for source, _ in (*before.values(), *after.values())}
    rows: list[dict[str, Any]] = [
        {"source": source}
        | {name: count[source] for name, count in counts.items()}
        | _by_kept(source, kept)
        | {
            "quarantined_share": _quarantined_share(source, audited, counts["documents"][source]),
            "unexplained_shift": audited.shifts.get(source),
            "centroid_shift": _centroid_shift(source, audited),
        }
        | _recall(audited.recalls.get(source, Recall()))
        for source in sorted(names | {*planned.values(), *audited.sources})
    ]
    return {name: [row[name] for row in rows] for name in PUBLICATION}


Count = Counter[str]
"""Of something, by source."""


def _counts(before: Documents, after: Documents, planned: Mapping[str, str]) -> dict[str, Count]:
    missing = (source for uri, source in planned.items() if uri not in after)
    unplanned = (source for uri, (source, _) in after.items() if uri not in planned)
    return {
        "documents_before": Counter(source for source, _ in before.values()),
        "documents": Counter(source for source, _ in after.values()),
        "chunks_before": _passages(before.values()),
        "chunks": _passages(after.values()),
        "documents_without_chunks": Counter(missing),
        "documents_unplanned": Counter(unplanned),
    }


def _passages(documents: Iterable[tuple[str, int]]) -> Count:
    total: Count = Counter()
    for source, passages in documents:
        total[source] += passages
    return total


def _kept(before: Documents, after: Documents, audited: Audited) -> dict[str, Count]:
    """What became of published documents that nobody decided about, wherever they moved."""
    moves = moves_of(audited.changes)
    here = {uri: moves.get(uri, uri) for uri in before}
    ours = [u for u in before if audited.accepted.isdisjoint((u, here[u]))]
    both = [uri for uri in ours if here[uri] in after]
    return {
        "published": Counter(before[uri][0] for uri in ours),
        "lost": Counter(before[uri][0] for uri in ours if here[uri] not in after),
        "chunks_before": _passages(before[uri] for uri in both),
        "chunks": _passages((before[uri][0], after[here[uri]][1]) for uri in both),
    }


def _by_kept(source: str, kept: Mapping[str, Count]) -> dict[str, float | None]:
    lost, chunks_before = kept["lost"][source], kept["chunks_before"][source]
    share = lost / kept["published"][source] if lost > FEW_LOST else None
    ratio = kept["chunks"][source] / chunks_before if chunks_before >= FEW_CHUNKS else None
    return {"documents_lost_share": share, "chunks_ratio": ratio}


def _quarantined_share(source: str, audited: Audited, documents: int) -> float | None:
    rejected = audited.rejected.get(source, 0)
    looked = max(audited.looked.get(source, 0), rejected)
    many = rejected >= max(FEW_REJECTED, FEW_REJECTED_SHARE * documents)
    return rejected / looked if many else None


def _centroid_shift(source: str, audited: Audited) -> float | None:
    if audited.published is None or not audited.same_embedder:
        return None
    sums = [one.sums.get(source) for one in (audited.published, audited.candidate)]
    enough = [one for one in sums if one is not None and one.rows >= FEW_VECTORS]
    return _distance(*enough) if len(enough) == 2 else None


def _distance(before: Sum, after: Sum) -> float | None:
    """Between the directions of two means, by cosine; None where one of them has none."""
    length = float(np.linalg.norm(before.total) * np.linalg.norm(after.total))
    if not length:
        return None
    return float(np.clip(1.0 - before.total @ after.total / length, 0.0, 2.0))


def _recall(recall: Recall) -> dict[str, float | None]:
    count = recall.canaries
    drop = (recall.before - recall.after) / count if count else None
    return {
        "canaries": count,
        "canary_recall_before": recall.before / count if count else None,
        "canary_recall": recall.after / count if count else None,
        "canary_recall_drop": drop if count >= FEW_CANARIES else None,
        "canary_recall_drop_few": drop if count < FEW_CANARIES else None,
    }

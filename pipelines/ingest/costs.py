"""What changes would cost: everything is read and cut, nothing is embedded."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipelines.ingest.build import known_vectors
from pipelines.ingest.prepare import needs_bytes, prepare
from pipelines.knowledge import State, Store
from pipelines.planning import Change, Rejected
from pipelines.records import Failure, Source, Tokens


@dataclass(frozen=True, slots=True)
class Cost:
    """What one document would cost."""

    chunks: int
    """Passages that would be embedded."""
    tokens: int
    reused: int
    failure: Failure | None = None


def estimate(
    changes: Sequence[Change],
    *,
    store: Store | None,
    published: State | None,
    fingerprint: str,
    sources: Mapping[str, Source],
    tokens: Tokens,
) -> dict[str, Cost]:
    """What the changes would cost, by uri: everything is read and cut, nothing is embedded."""
    counted: set[str] = set()
    costs: dict[str, Cost] = {}
    for change in changes:
        if not needs_bytes(change):
            continue
        prepared = prepare(change, sources[change.source], tokens)
        if isinstance(prepared, str):
            continue
        if isinstance(prepared, Failure):
            costs[change.uri] = Cost(0, 0, 0, prepared)
            continue
        hashes = list(prepared.hashes)
        known = (
            set() if store is None else set(known_vectors(store, published, fingerprint, hashes))
        )
        new = {
            h: c.tokens
            for h, c in zip(hashes, prepared.chunks, strict=True)
            if h not in known and h not in counted
        }
        counted |= set(new)
        costs[change.uri] = Cost(len(new), sum(new.values()), len(hashes) - len(new))
    return costs


def rejected_by_cost(changes: Sequence[Change], costs: Mapping[str, Cost]) -> list[Rejected]:
    """The documents that an estimate found unfit."""
    return [
        Rejected(c.found, cost.failure, known=False)
        for c in changes
        if c.found and (cost := costs.get(c.uri)) and cost.failure
    ]

"""What changes would cost: everything is read and cut, nothing is embedded."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from pipelines.config import Config
from pipelines.ingest.build import BATCH_DOCUMENTS, known_vectors
from pipelines.ingest.check import check_documents
from pipelines.ingest.prepare import Read, needs_bytes, prepare, read
from pipelines.knowledge import State, Store, publications
from pipelines.planning import Change, Rejected
from pipelines.quality import Checks
from pipelines.records import Failure, Source, Tokens

PUBLICATIONS = 20
"""How many of the newest publications the throughput is measured on."""


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
    checks: Checks,
    duplicates: Mapping[str, str],
) -> dict[str, Cost]:
    """What the changes would cost, by uri: all is read, checked and cut, nothing is embedded."""
    counted: set[str] = set()
    costs: dict[str, Cost] = {}
    for batch in _batches(changes, sources, costs):
        judged = check_documents(
            batch, checks, store=store, published=published, duplicates=duplicates
        )
        costs |= {uri: Cost(0, 0, 0, failure) for uri, failure in judged.failures.items()}
        for one in batch:
            if one.change.uri in judged.failures:
                continue
            prepared = prepare(one, tokens)
            hashes = list(prepared.hashes)
            known = {} if store is None else known_vectors(store, published, fingerprint, hashes)
            new = {
                h: c.tokens
                for h, c in zip(hashes, prepared.chunks, strict=True)
                if h not in known and h not in counted
            }
            counted |= set(new)
            costs[one.change.uri] = Cost(len(new), sum(new.values()), len(hashes) - len(new))
    return costs


def _batches(
    changes: Sequence[Change], sources: Mapping[str, Source], costs: dict[str, Cost]
) -> Iterator[list[Read]]:
    """What can be read, some at a time; of the rest, why it is unfit goes into ``costs``."""
    wanted = (change for change in changes if needs_bytes(change))
    while part := list(islice(wanted, BATCH_DOCUMENTS)):
        batch = []
        for change in part:
            one = read(change, sources[change.source])
            if isinstance(one, Read):
                batch.append(one)
            elif isinstance(one, Failure):
                costs[change.uri] = Cost(0, 0, 0, one)
        if batch:
            yield batch


def rejected_by_cost(changes: Sequence[Change], costs: Mapping[str, Cost]) -> list[Rejected]:
    """The documents that an estimate found unfit."""
    return [
        Rejected(c.found, cost.failure, known=False)
        for c in changes
        if c.found and (cost := costs.get(c.uri)) and cost.failure
    ]


def time_and_money(store: Store, config: Config, tokens: int) -> tuple[float | None, float]:
    """Seconds by the best throughput of the last publications, cost by the configured price.

    The best, because loading the model is part of what a publication of few tokens took.

    Returns:
        Seconds (None where nothing is known) and the cost.
    """
    rows = [p for p in publications(store) if p.counts.get("embed_ms")][:PUBLICATIONS]
    speed = max((1000 * p.tokens_embedded / p.counts["embed_ms"] for p in rows), default=0.0)
    cost = round(tokens * config.prices.embed_million_tokens / 1_000_000, 6)
    if not tokens:
        return 0.0, cost
    return (round(tokens / speed, 1) if speed else None), cost

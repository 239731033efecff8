"""Which states are kept, and the clean-up of everything else."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from pipelines.knowledge.generation import PREFIX
from pipelines.knowledge.ledger import Publication, State, publications
from pipelines.knowledge.scans import prune_scans
from pipelines.knowledge.side import FRAGMENTS, compact, forget_versions
from pipelines.knowledge.spill import prune_spill
from pipelines.knowledge.store import Store, remove_leftovers
from pipelines.knowledge.tables import SIDE_TABLES

if TYPE_CHECKING:
    from lancedb.table import Table

TAG = "pub-"
LONG_AGO = datetime.fromtimestamp(0, UTC)


def kept_states(
    rows: Sequence[Publication], *, now: datetime, keep_publications: int, keep_days: float
) -> set[State]:
    """The states that must stay readable. Pure.

    A state is kept while it is among the newest ``keep_publications`` states, or was replaced
    less than ``keep_days`` ago; of those replaced more than a day ago, one an hour.
    """
    newest_first = sorted(rows, key=lambda p: p.number, reverse=True)
    kept: list[State] = []
    hours: set[datetime] = set()
    replaced_at = now
    for row in newest_first:
        age = now - replaced_at
        hour = replaced_at.replace(minute=0, second=0, microsecond=0)
        young = age < timedelta(days=keep_days)
        if row.state not in kept and (
            len(kept) < keep_publications
            or (young and (age < timedelta(days=1) or hour not in hours))
        ):
            kept.append(row.state)
            hours.add(hour)
        replaced_at = row.at
    return set(kept)


def readable_states(store: Store, generations: Iterable[str]) -> set[State]:
    """The states that a tag protects."""
    names = store.names()
    return {
        (generation, ref["version"])
        for generation in sorted(set(generations) & names)
        for ref in store.table(generation).tags.list().values()
    }


def clean_up(
    store: Store,
    *,
    now: datetime,
    keep_publications: int,
    keep_days: float,
    longest_read: timedelta,
    thorough: bool = False,
) -> None:
    """Removes tags of states that are no longer kept, then files older than the longest read.

    Chunk tables that no row names, no hold keeps and nobody wrote to for so long go as well.

    Holding the refresh lock is the caller's business. Stopped anywhere, the next one goes on.
    """
    rows = publications(store)
    kept = kept_states(rows, now=now, keep_publications=keep_publications, keep_days=keep_days)
    named = {row.generation for row in rows}
    replaced = _replaced_at(rows, now)
    for generation in sorted(named & store.names()):
        _untag(store, generation, kept=kept, replaced=replaced, now=now, longest_read=longest_read)
        dataset = store.table(generation).to_lance()
        store.write(dataset.cleanup_old_versions, longest_read, error_if_tagged_old_versions=False)
    for generation in sorted(store.names() - named):
        if generation.startswith(PREFIX) and _is_stray(store, generation, now - longest_read):
            store.write(store.db.drop_table, generation)
    prune_spill(store, keep_days=keep_days, now=now)
    prune_scans(store, keep_days=keep_days, now=now)
    _tend_tables(store, keep_days=keep_days, longest_read=longest_read, thorough=thorough)
    remove_leftovers(store, older_than_seconds=longest_read.total_seconds(), now=now)


def _is_stray(store: Store, generation: str, before: datetime) -> bool:
    """Whether nobody holds a table that no row names, nor has written to it lately.

    An owner that was paused brings a dropped table back with its next write.
    """
    try:
        table = store.table(generation)
    except ValueError:  # its creation or its removal was killed half-way
        return True
    held = any(not name.startswith(TAG) for name in table.tags.list())
    return not held and max(_committed_at(table).values(), default=LONG_AGO) <= before


def _replaced_at(rows: Sequence[Publication], now: datetime) -> dict[State, datetime]:
    """When each state stopped being what readers see; now for the one that they see."""
    replaced: dict[State, datetime] = {}
    at = now
    for row in sorted(rows, key=lambda p: p.number, reverse=True):
        replaced.setdefault(row.state, at)
        at = row.at
    return replaced


def _untag(
    store: Store,
    generation: str,
    *,
    kept: set[State],
    replaced: Mapping[State, datetime],
    now: datetime,
    longest_read: timedelta,
) -> None:
    """Removes the tags of states that are not kept and that no reader can still need."""
    table = store.table(generation)
    committed: dict[int, datetime] | None = None
    for name, ref in table.tags.list().items():
        state = (generation, ref["version"])
        if not name.startswith(TAG) or state in kept:
            continue
        gone_at = replaced.get(state)
        if gone_at is None:  # a run that never published tagged it soon after its commit
            if committed is None:
                committed = _committed_at(table)
            gone_at = committed.get(ref["version"], LONG_AGO)
        if now - gone_at >= longest_read:
            store.write(table.tags.delete, name)


def _committed_at(table: "Table") -> dict[int, datetime]:
    return {v["version"]: v["timestamp"].astimezone() for v in table.list_versions()}


def _tend_tables(
    store: Store, *, keep_days: float, longest_read: timedelta, thorough: bool
) -> None:
    for name in ("publications", *SIDE_TABLES):
        compacted = compact(store, name, most=1 if thorough else FRAGMENTS)
        # A run that spills much has compacted the spill by itself, more than once.
        if name == "vectors":
            forget_versions(store, name, older_than=longest_read)
        elif compacted:
            forget_versions(store, name, older_than=timedelta(days=keep_days))

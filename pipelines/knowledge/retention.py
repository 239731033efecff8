"""Which states are kept, and the clean-up of everything else."""

import contextlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from typing import TYPE_CHECKING

from pipelines.knowledge.audits import prune_audits
from pipelines.knowledge.fills import FILL, LEFT, forget_killed_fills
from pipelines.knowledge.generation import PREFIX, is_tagged, tag, untag
from pipelines.knowledge.holds import ACCEPTED, OPEN, HoldRow, holds
from pipelines.knowledge.ledger import Publication, State, newest, publications
from pipelines.knowledge.scans import prune_scans
from pipelines.knowledge.side import FRAGMENTS, compact, forget_versions
from pipelines.knowledge.side import READ as READ_SIDE
from pipelines.knowledge.spill import prune_spill
from pipelines.knowledge.store import Store, remove_leftovers
from pipelines.knowledge.tables import SIDE_TABLES

if TYPE_CHECKING:
    from lancedb.table import Table

TAG, HOLD, READ = "pub-", "hold-", "read-"
READ_TIME = "%Y%m%dT%H%M%SZ"
GRACE = timedelta(hours=1)
"""A read tag this much older than the longest read was left by somebody who died."""
NEEDS_SPILL = ("review", "cost", "audit")
"""Holds after which a refresh finds in the spill what it embedded before."""
LONG_AGO = datetime.fromtimestamp(0, UTC)


def kept_states(
    rows: Sequence[Publication],
    *,
    now: datetime,
    keep_publications: int,
    keep_days: float,
    keep_previous: timedelta = timedelta(0),
) -> set[State]:
    """The states that must stay readable. Pure.

    A state is kept while it is among the newest ``keep_publications`` states, or was replaced
    less than ``keep_days`` ago; of those replaced more than a day ago, one an hour. One that
    another generation replaced is kept for ``keep_previous``.
    """
    newest_first = sorted(rows, key=lambda p: p.number, reverse=True)
    kept: list[State] = []
    hours: set[datetime] = set()
    replaced_at, replaced_by = now, ""
    for row in newest_first:
        age = now - replaced_at
        hour = replaced_at.replace(minute=0, second=0, microsecond=0)
        young = age < timedelta(days=keep_days)
        previous = replaced_by not in ("", row.generation) and age < keep_previous
        if row.state not in kept and (
            len(kept) < keep_publications
            or previous
            or (young and (age < timedelta(days=1) or hour not in hours))
        ):
            kept.append(row.state)
            hours.add(hour)
        replaced_at, replaced_by = row.at, row.generation
    return set(kept)


def readable_states(store: Store, generations: Iterable[str]) -> set[State]:
    """The states that a tag protects."""
    names = store.names()
    return {
        (generation, ref["version"])
        for generation in sorted(set(generations) & names)
        for ref in store.table(generation).tags.list().values()
    }


@contextlib.contextmanager
def protecting(store: Store, *, run: str, at: datetime) -> Iterator[Callable[[State], bool]]:
    """Lends a function that protects the state of a publication from every clean-up.

    It says whether the state is safe until the block ends. The tag of a publication goes before its
    files do: where that tag stands after ours was placed, no clean-up can have missed ours.

    Args:
        store: The store.
        run: Who reads.
        at: Since when.
    """
    name = f"{READ}{at.astimezone(UTC).strftime(READ_TIME)}-{run}"
    touched: set[str] = set()

    def protect(state: State) -> bool:
        touched.add(state[0])
        with contextlib.suppress(RuntimeError, ValueError):
            tag(store, name, state)
            return is_tagged(store, TAG, state)
        return False

    try:
        yield protect
    finally:
        for generation in sorted(touched & store.names()):
            untag(store, generation, name)


def clean_up(
    store: Store,
    *,
    now: datetime,
    keep_publications: int,
    keep_days: float,
    longest_read: timedelta,
    keep_previous: timedelta = timedelta(0),
    thorough: bool = False,
) -> None:
    """Removes tags of states that are no longer kept, then files older than the longest read.

    Between the two it asks the ledger again: what was rolled back to meanwhile is tagged again.

    Chunk tables of which no state is kept, and those that no row names, no hold keeps and nobody
    wrote to for so long, go as well; one that is being filled waits a week for whoever goes on.

    Holding the refresh lock is the caller's business. Stopped anywhere, the next one goes on.
    """
    rows = publications(store)
    kept = kept_states(
        rows,
        now=now,
        keep_publications=keep_publications,
        keep_days=keep_days,
        keep_previous=keep_previous,
    )
    named = {row.generation for row in rows}
    standing = [h for h in holds(store) if h.state in (OPEN, ACCEPTED)]
    needed = _Needed(kept, _replaced_at(rows, now), standing, now, longest_read)
    for generation in sorted(named & store.names()):
        if not _can_be_opened(store, generation):
            store.write(store.db.drop_table, generation)
            continue
        _untag(store, generation, needed)
        _tag_again(store, generation, since=rows[0].number)
        if _is_former(store, generation, now - longest_read):
            store.write(store.db.drop_table, generation)
            continue
        dataset = store.table(generation).to_lance()
        store.write(dataset.cleanup_old_versions, longest_read, error_if_tagged_old_versions=False)
    for generation in sorted(store.names() - named):
        if generation.startswith(PREFIX) and _is_stray(store, generation, needed):
            store.write(store.db.drop_table, generation)
    if not any(hold.kind in NEEDS_SPILL for hold in standing):
        prune_spill(store, keep_days=keep_days, now=now)
    prune_scans(store, keep_days=keep_days, now=now)
    numbers = [row.number for row in rows if row.state in kept]
    prune_audits(store, keep_days=keep_days, now=now, kept=numbers)
    _tend_tables(store, keep_days=keep_days, thorough=thorough)
    forget_killed_fills(store)
    remove_leftovers(store, older_than_seconds=longest_read.total_seconds(), now=now)


def _is_stray(store: Store, generation: str, needed: "_Needed") -> bool:
    """Whether nobody holds a table that no row names, nor has written to it lately.

    An owner that was paused brings a dropped table back with its next write.
    """
    if not _can_be_opened(store, generation):
        return True
    table = store.table(generation)
    committed = cache(partial(_committed_at, table))
    tags = table.tags.list()
    held = any(
        not name.startswith((TAG, FILL))
        and not needed.over(name, (generation, ref["version"]), committed)
        for name, ref in tags.items()
    )
    filled = any(name.startswith(FILL) for name in tags)
    patience = LEFT if filled else needed.longest_read
    return not held and max(committed().values(), default=LONG_AGO) <= needed.now - patience


def _can_be_opened(store: Store, generation: str) -> bool:
    """Not if its creation or its removal was killed half-way."""
    try:
        store.table(generation)
    except ValueError:
        return False
    return True


def _is_former(store: Store, generation: str, before: datetime) -> bool:
    """Whether nothing is kept of a table that a row names, nor did anybody write to it lately.

    Whoever is about to publish a state of it again tagged it first: see ``protecting``.
    """
    last, table = newest(store), store.table(generation)
    serves = last is None or last.generation == generation
    if serves or table.tags.list():
        return False
    return max(_committed_at(table).values(), default=LONG_AGO) <= before


def _replaced_at(rows: Sequence[Publication], now: datetime) -> dict[State, datetime]:
    """When each state stopped being what readers see; now for the one that they see."""
    replaced: dict[State, datetime] = {}
    at = now
    for row in sorted(rows, key=lambda p: p.number, reverse=True):
        replaced.setdefault(row.state, at)
        at = row.at
    return replaced


@dataclass(frozen=True, slots=True)
class _Needed:
    """What says whether a tag is still needed."""

    kept: set[State]
    replaced: Mapping[State, datetime]
    standing: Sequence[HoldRow]
    now: datetime
    longest_read: timedelta

    def over(
        self, name: str, state: State, committed: Callable[[], Mapping[int, datetime]]
    ) -> bool:
        """Whether nobody can need a tag any more; asks when versions were made only if it must."""
        if name.startswith(TAG):
            if state in self.kept:
                return False
            # A run that never published tagged its version soon after its commit.
            gone_at = self.replaced.get(state) or committed().get(state[1], LONG_AGO)
            return self.now - gone_at >= self.longest_read
        if name.startswith(HOLD):
            waits = name.removeprefix(HOLD) in {hold.id for hold in self.standing}
            made_at = self.now if waits else committed().get(state[1], LONG_AGO)
            return not waits and self.now - made_at >= self.longest_read
        if name.startswith(FILL):  # of a table that a row names: whoever filled it was killed
            return True
        since = re.match(rf"{READ}(\d{{8}}T\d{{6}}Z)-", name)
        if since is None:
            return False
        began = datetime.strptime(since[1], READ_TIME).replace(tzinfo=UTC)
        return self.now - began >= self.longest_read + GRACE


def _untag(store: Store, generation: str, needed: _Needed) -> None:
    """Removes the tags that nobody needs."""
    table = store.table(generation)
    committed = cache(partial(_committed_at, table))
    for name, ref in table.tags.list().items():
        if needed.over(name, (generation, ref["version"]), committed):
            untag(store, generation, name)


def _tag_again(store: Store, generation: str, *, since: int) -> None:
    """Tags what the newest row and those appended since name, where a tag has just been removed.

    A clean-up that was killed right before it did so is made good by the next one.
    """
    for row in publications(store, after=since - 1):
        if row.generation == generation and not is_tagged(store, TAG, row.state):
            # Where the version is gone nothing can be protected; verifying tells of it.
            with contextlib.suppress(RuntimeError):
                tag(store, f"{TAG}{row.run}-{row.number}", row.state)


def _committed_at(table: "Table") -> dict[int, datetime]:
    return {v["version"]: v["timestamp"].astimezone() for v in table.list_versions()}


def _tend_tables(store: Store, *, keep_days: float, thorough: bool) -> None:
    for name in sorted({"publications", *SIDE_TABLES} & store.names()):
        if compact(store, name, most=1 if thorough else FRAGMENTS):
            keep = READ_SIDE if name == "vectors" else timedelta(days=keep_days)
            forget_versions(store, name, older_than=keep)

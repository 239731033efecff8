"""Generations that are being filled: one owner at a time, found again after a kill, or given up."""

import contextlib
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import filelock

from pipelines.errors import FillRunning
from pipelines.knowledge.generation import PREFIX, create_generation, generation_name, tag, untag
from pipelines.knowledge.ledger import State, publications
from pipelines.knowledge.store import Store
from pipelines.locks import held, holder_in_words

FILL = "fill-"
"""Begins the tag of a table that is being filled; the fingerprint of its embedder follows."""
LEFT = timedelta(days=7)
"""Nobody wrote for so long: nobody goes on with it."""


@contextlib.contextmanager
def fill_lock(
    store: Store, fingerprint: str, *, run: str, now: datetime, wait_seconds: float = 0.0
) -> Iterator[None]:
    """Holds the lock of the generation of one embedder; the system frees it when its holder dies.

    Raises:
        FillRunning: Somebody else holds it (still, after ``wait_seconds``); names the holder.
    """
    about = _file(store, fingerprint, "holder.json")
    with held(
        _file(store, fingerprint, "lock"),
        about,
        run=run,
        now=now,
        wait_seconds=wait_seconds,
        busy=lambda: FillRunning(
            f"Another run fills the index of this embedder{holder_in_words(about)}.",
            hint="Try again later; to end it and remove what it has: staleproof fill --abort.",
        ),
    ):
        yield


def begin_fill(store: Store, fingerprint: str, *, dimension: int, run: str) -> State:
    """What was filled so far for an embedder, or an empty table; the caller holds its lock.

    The name of the table has the run that made it, which need not be this one.
    """
    _file(store, fingerprint, "abort").unlink(missing_ok=True)
    here = unfinished(store).get(fingerprint, [])
    if here:
        return max(
            ((n, store.table(n).version) for n in here), key=lambda state: _rows(store, state)
        )
    state = create_generation(store, generation_name(run, fingerprint), dimension)
    tag(store, f"{FILL}{fingerprint}", state)
    return state


def end_fill(store: Store, fingerprint: str, generation: str) -> None:
    """The table is a publication's now, and kept as such."""
    untag(store, generation, f"{FILL}{fingerprint}")


def unfinished(store: Store) -> dict[str, list[str]]:
    """By fingerprint, the tables that somebody fills or left half filled."""
    named = {row.generation for row in publications(store)}
    found: dict[str, list[str]] = {}
    for name in sorted(store.names() - named):
        if name.startswith(PREFIX):
            with contextlib.suppress(ValueError):  # its creation was killed half-way
                for one in store.table(name).tags.list():
                    if one.startswith(FILL):
                        found.setdefault(one.removeprefix(FILL), []).append(name)
    return found


def is_aborted(store: Store, fingerprint: str) -> bool:
    """Whether somebody asked that a fill be ended."""
    return _file(store, fingerprint, "abort").exists()


def remove_fill(
    store: Store, fingerprint: str, *, run: str, now: datetime, wait_seconds: float
) -> int:
    """Asks whoever fills for an embedder to stop, and removes what is not published of it.

    Returns:
        How many passages were there.

    Raises:
        FillRunning: It did not stop within ``wait_seconds``; it stops at its next batch.
    """
    asked = _file(store, fingerprint, "abort")
    asked.touch()
    gone = 0
    with fill_lock(store, fingerprint, run=run, now=now, wait_seconds=wait_seconds):
        for name in unfinished(store).get(fingerprint, []):
            gone += store.table(name).count_rows()
            store.write(store.db.drop_table, name)
        asked.unlink(missing_ok=True)
    return gone


def forget_killed_fills(store: Store) -> None:
    """Removes what fills that were killed said of themselves; those that go on keep it."""
    for about in Path(store.uri).glob("fill-*.holder.json"):
        lock = filelock.FileLock(about.with_name(about.name.replace("holder.json", "lock")))
        with contextlib.suppress(filelock.Timeout), lock.acquire(timeout=0):
            about.unlink(missing_ok=True)


def _rows(store: Store, state: State) -> int:
    return int(store.at(*state).count_rows())


def _file(store: Store, fingerprint: str, end: str) -> Path:
    return Path(store.uri) / f"fill-{fingerprint[:16]}.{end}"

"""Opens the store, makes it where there is none, and holds its lock."""

import contextlib
import logging
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import filelock
import pyarrow as pa

from pipelines.errors import RefreshRunning, StoreError, StoreFormat
from pipelines.knowledge import tables
from pipelines.locks import held, holder_in_words
from pipelines.quiet import silence

if TYPE_CHECKING:
    from lancedb import DBConnection
    from lancedb.table import Table

logger = logging.getLogger(__name__)

T = TypeVar("T")
Write = Callable[..., Any]

CACHE_BYTES = 64 * 2**20
"""Of what LanceDB remembers of files: by default it may be gigabytes, and every version of a table
that a large run commits leaves its list of all fragments there."""


def directly(verb: Callable[..., T], *args: Any, **options: Any) -> T:
    """The writer that just writes. Every change of the store goes through one of these."""
    return verb(*args, **options)


@dataclass(frozen=True, slots=True)
class Store:
    """A connection to one store. Handles of tables are opened afresh for each use."""

    uri: str
    db: "DBConnection"
    write: Write

    def table(self, name: str) -> "Table":
        """A fresh handle, at the newest version."""
        return self.db.open_table(name)

    def at(self, name: str, version: int) -> "Table":
        """A fresh handle for reading, pinned to a version."""
        table = self.db.open_table(name)
        table.checkout(version)
        return table

    def names(self) -> set[str]:
        """The names of all tables."""
        found: set[str] = set()
        page = self.db.list_tables()
        found.update(page.tables)
        while page.page_token:
            page = self.db.list_tables(page_token=page.page_token)
            found.update(page.tables)
        return found


def find_store(uri: str, *, write: Write = directly) -> Store | None:
    """The store at ``uri``, or None where there is none yet.

    Raises:
        StoreFormat: It was written in another format.
    """
    folder = _local(uri)
    if folder.exists() and not folder.is_dir():
        raise StoreError(
            f"{uri} is a file, and a store is a folder.",
            hint="Name a folder under [knowledge] store.",
        )
    if not folder.is_dir():
        return None
    silence()
    import lancedb

    session = lancedb.Session(
        index_cache_size_bytes=CACHE_BYTES, metadata_cache_size_bytes=CACHE_BYTES
    )
    store = Store(uri, lancedb.connect(uri, session=session), write)
    if "store" not in store.names():
        return None
    try:
        marked = store.table("store")
    except ValueError:  # a creation that was killed half-way
        return None
    rows = marked.to_arrow().to_pylist()
    formats = {row["format"] for row in rows}
    if formats != {tables.FORMAT}:
        found = ", ".join(map(str, sorted(formats))) or "none"
        raise StoreFormat(
            f"The store {uri} has format {found}; this version reads format {tables.FORMAT}.",
            hint="Use the version of staleproof that wrote it, or name another folder under"
            " [knowledge] store and refresh.",
        )
    return store


def open_store(uri: str, *, now: datetime, write: Write = directly) -> Store:
    """The store at ``uri``, made where there is none, with the tables that it lacks.

    Killed at any instant, the next call goes on: the table that marks a store as whole comes last.

    Raises:
        StoreFormat: It was written in another format.
        StoreError: It cannot be made there.
    """
    store = find_store(uri, write=write)
    if store is not None and tables.SIDE_TABLES.keys() <= store.names():
        return store
    silence()
    import lancedb

    try:
        _local(uri).mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(_lock_path(uri, "create"), timeout=60):
            _create(Store(uri, lancedb.connect(uri), write), now)
    except (OSError, filelock.Timeout) as error:
        raise StoreError(
            f"No store can be made at {uri}: {error}.",
            hint="See the permissions and the free space of [knowledge] store.",
        ) from error
    made = find_store(uri, write=write)
    if made is None:
        raise StoreError(f"The store at {uri} was made and is not there.")
    return made


def _create(store: Store, now: datetime) -> None:
    names = {name for name in store.names() if _is_whole(store, name)}
    for name, schema in {"publications": tables.PUBLICATIONS, **tables.SIDE_TABLES}.items():
        if name not in names:
            store.write(store.db.create_table, name, schema=schema)
        key = tables.KEYS.get(name)
        table = store.table(name)
        if key and not table.schema.field(key).metadata:
            store.write(cast("Any", table).set_unenforced_primary_key, key)
    if "store" in names:  # an earlier version of staleproof made it, before there was such a table
        return
    marked = pa.table({"format": [tables.FORMAT], "created_at": [now]}, schema=tables.STORE)
    store.write(store.db.create_table, "store", marked)


def _is_whole(store: Store, name: str) -> bool:
    """A creation that was killed half-way leaves a folder that is listed and cannot be opened."""
    try:
        store.table(name)
    except ValueError:
        return False
    return True


def _lock_path(uri: str, name: str) -> Path:
    return _local(uri) / f"{name}.lock"


def _local(uri: str) -> Path:
    if "://" in uri:
        raise StoreError(
            f"{uri} is an object store; this version keeps stores in local folders.",
            hint="Name a folder under [knowledge] store.",
        )
    return Path(uri)


@contextlib.contextmanager
def refresh_lock(
    store: Store, *, run: str, now: datetime, wait_seconds: float = 0.0
) -> Iterator[None]:
    """Holds the store's one refresh lock. It saves work; correctness does not rest on it.

    The operating system frees it when its holder dies, however it dies.

    Raises:
        RefreshRunning: Somebody else holds it (still, after ``wait_seconds``); names the holder.
    """
    path = _lock_path(store.uri, "refresh")
    about = path.with_suffix(".holder.json")
    with held(
        path,
        about,
        run=run,
        now=now,
        wait_seconds=wait_seconds,
        busy=lambda: RefreshRunning(
            f"Another refresh of this store is running{holder_in_words(about)}."
            " What is published is not affected.",
            hint="Try again later, or let it wait: staleproof refresh --wait 10m.",
        ),
        waits=lambda: logger.info(
            # A run that has to wait for it says for whom, and since when that holds it.
            "Waits up to %.0f s for the lock of the store: another refresh holds it%s.",
            wait_seconds,
            holder_in_words(about),
            extra={"event": "lock.waits"},
        ),
    ):
        yield


def remove_leftovers(store: Store, *, older_than_seconds: float, now: datetime) -> int:
    """Deletes the temporary files that killed writers left, which no clean-up removes.

    Returns:
        How many files went.
    """
    limit = now.timestamp() - older_than_seconds
    gone = 0
    for path in Path(store.uri).glob("*.lance/**/.tmp*"):
        with contextlib.suppress(FileNotFoundError):
            if path.stat().st_mtime <= limit:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
                gone += 1
    return gone

"""Maintenance: what is kept no longer goes, from store and versions; tables are compacted."""

import logging
import shutil
import time
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from pipelines.config import Config
from pipelines.errors import RegistryError
from pipelines.knowledge import (
    Store,
    clean_up,
    find_store,
    forget_watched,
    model_folder,
    newest,
    publications,
    readable_states,
    refresh_lock,
)
from pipelines.knowledge.fills import LEFT
from pipelines.pages import remove_audit_pages
from pipelines.records import Step, call
from pipelines.registry import registry_lock, retire
from pipelines.registry.folder import checkpoint_folder

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Maintained:
    """What maintenance did."""

    knowledge: str
    publication: int | None
    """What readers see; maintenance never changes it."""
    kept: int
    """States that can be rolled back to."""
    bytes_before: int
    bytes_after: int
    seconds: float
    retired: tuple[str, ...] = ()
    """Tags of versions of models that were removed."""

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        told = asdict(self) | {"retired": list(self.retired)}
        return told | {"seconds": round(self.seconds, 3)}


def maintain(
    config: Config,
    *,
    now: datetime,
    run_id: str,
    step: Step = call,
    wait_seconds: float = 0.0,
) -> Maintained:
    """Cleans up thoroughly under the refresh lock, also where no refresh has published for long.

    Stopped anywhere, the next one goes on.

    Args:
        config: The configuration.
        now: The time.
        run_id: Names this run in the lock.
        step: Runs one stage.
        wait_seconds: How long to wait for a refresh that holds the lock.

    Raises:
        RefreshRunning: Still one holds it; nothing was done.
    """
    started = time.perf_counter()
    store = find_store(config.store_uri)
    if store is None:
        return Maintained(config.knowledge.name, None, 0, 0, 0, time.perf_counter() - started)
    before = _bytes(store)
    with refresh_lock(store, run=run_id, now=now, wait_seconds=wait_seconds):
        knowledge = config.knowledge
        keep: dict[str, Any] = {
            "now": now,
            "keep_publications": knowledge.keep_publications,
            "keep_days": knowledge.keep_days,
        }
        clean = partial(
            clean_up,
            store,
            **keep,
            longest_read=knowledge.longest_read,
            keep_previous=config.keep_previous,
            thorough=True,
        )
        step("clean up", clean)
        step("pages", partial(remove_audit_pages, store, **keep))
    retired = step("versions", _retire, config, store, run_id, now) if config.models else ()
    last = newest(store)
    return Maintained(
        knowledge=knowledge.name,
        publication=last.number if last else None,
        kept=_kept(store),
        bytes_before=before,
        bytes_after=_bytes(store),
        seconds=time.perf_counter() - started,
        retired=retired,
    )


def _retire(config: Config, store: Store, run: str, now: datetime) -> tuple[str, ...]:
    """Versions beyond ``keep_versions`` go, but none that a kept state needs; nor do its weights.

    With them go checkpoints of trainings that nobody went on with.

    Where a run is at work on versions, or their data cannot be reached, the next night comes.
    """
    retired: list[str] = []
    try:
        with registry_lock(config.root, run):
            rows = publications(store)
            readable = readable_states(store, {row.generation for row in rows})
            needed = {pair for row in rows if row.state in readable for pair in row.models.items()}
            for model in config.models:
                copies = _copies(config.root, model.name, now)
                serve = {version for name, version in needed if name == model.name}
                coming = {name for name, is_young in copies.items() if is_young}
                done = retire(config.root, model.name, model.keep_versions, serve | coming)
                retired += done.versions
                gone = [tag.rpartition("@")[2] for tag in done.versions]
                forget_watched(store, model.name, gone)
                for name in copies.keys() - serve - coming:
                    folder = config.root / model_folder(model.name, name)
                    shutil.rmtree(folder, ignore_errors=True)
            _remove_checkpoints(config.root, now)
    except RegistryError as error:
        logger.info("Old versions of models stay: %s", error.message)
    return tuple(retired)


def _copies(root: Path, model: str, now: datetime) -> dict[str, bool]:
    """Versions whose weights were fetched, and whether lately: they may be on their way in."""
    before = (now - LEFT).timestamp()
    folders = (root / model_folder(model, "any")).parent.glob("v*")
    return {folder.name: folder.stat().st_mtime >= before for folder in folders}


def _remove_checkpoints(root: Path, now: datetime) -> None:
    """Of trainings that nobody goes on with; our lock is held, so that none is at work."""
    before = (now - LEFT).timestamp()
    for folder in checkpoint_folder(root).glob("*/*"):
        if folder.stat().st_mtime < before:
            shutil.rmtree(folder, ignore_errors=True)


def _kept(store: Store) -> int:
    rows = publications(store)
    readable = readable_states(store, {row.generation for row in rows})
    return len({row.state for row in rows} & readable)


def _bytes(store: Store) -> int:
    """Of all files; a file that goes meanwhile counts nothing."""
    total = 0
    for file in Path(store.uri).rglob("*"):
        try:
            total += file.stat().st_size if file.is_file() else 0
        except FileNotFoundError:
            continue
    return total

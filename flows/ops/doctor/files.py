"""Looks at what is on this machine's disks: store, lock, suites, model, room, permissions."""

import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from flows.ops.doctor.check import Case, Check, counted, error, ok, warn
from flows.ops.environment import prefect_home, run_folder
from flows.ops.preflight import LEAST_FREE_BYTES
from pipelines.config import Config
from pipelines.errors import ConfigError
from pipelines.knowledge import Publication, find_store, forget_holder, lock_holder, newest

_LITTLE_FREE_BYTES = 2_000_000_000
_LONG = timedelta(days=1)
"""A refresh that goes on for longer is one that hangs, or a very first one."""

_SECRETS = (".env", "infra/.env")


def look_at_store(case: Case) -> Check:
    """Whether it is one of this version, and what readers see can be read."""
    store = find_store(case.config.store_uri)
    last = newest(store) if store else None
    if store is None or last is None:
        return warn(f"nothing is published in {case.config.store_uri}", "staleproof refresh")
    try:
        rows = store.at(last.generation, last.version).count_rows()
    except (OSError, ValueError, RuntimeError) as problem:
        return error(
            f"publication #{last.number} in {case.config.store_uri} cannot be read:"
            f" {type(problem).__name__}",
            "staleproof rollback shows an earlier state; staleproof verify says what is wrong.",
        )
    said = f"{counted(last.documents, 'document')}, {counted(rows, 'passage')}"
    return ok(f"publication #{last.number}, {said}, in {case.config.store_uri}")


def look_at_lock(case: Case) -> Check:
    """Who writes to the store, and whether it still lives."""
    holder = lock_holder(case.config.store_uri)
    if holder is None:
        return ok("free")
    said = f"run {holder.run}, process {holder.pid}, since {holder.since:%Y-%m-%d %H:%M} UTC"
    if not holder.holds:
        return warn(
            f"{said}: it was killed, and the lock is free again",
            "The next refresh goes on from there; --fix removes the note that it left.",
            fixable=True,
        )
    if case.now - holder.since > _LONG:
        return warn(
            f"held for more than a day by {said}",
            f"See what it does. Ending process {holder.pid} loses nothing that is published.",
        )
    return ok(f"held by {said}")


def forget_killed_holder(case: Case) -> str:
    """The note goes that a killed run left."""
    holder = lock_holder(case.config.store_uri)
    if holder is not None:
        forget_holder(case.config.store_uri, holder)
    return "removed the note of a run that was killed"


def look_at_suites(case: Case) -> Check:
    """Whether an audit can go by them."""
    from pipelines.quality import lint_files

    linted = lint_files(case.config).to_dict()
    entries = sum(suite["expectations"] for suite in linted["suites"])
    golden = linted["golden"]
    said = f"{counted(len(linted['suites']), 'suite')} with {counted(entries, 'expectation')}"
    said += f", {counted(golden['questions'], 'golden question')}"
    if not golden["enough"]:
        return warn(
            f"{said}: too few to see that answers get worse",
            f"Write questions and their documents into {golden['folder']}/*.jsonl.",
        )
    return ok(said)


def look_at_embedder(case: Case) -> Check:
    """Whether the model is on this machine, and the one that made the vectors."""
    from pipelines.embedding import fingerprint, locate_model

    wanted = case.config.embedder.model
    store = find_store(case.config.store_uri)
    last = newest(store) if store else None
    served = last.model if last else wanted
    with _offline():
        try:
            folder = locate_model(served, root=case.config.root)
        except ConfigError as problem:
            if "the hub did not give" not in problem.message:
                raise
            return warn(
                f"{served} is not on this machine", "The next refresh downloads it from the hub."
            )
    if last is not None and fingerprint(folder) != last.fingerprint:
        return error(
            f"{served} is not the model that made the vectors of publication #{last.number}",
            "Put its weights back; with others the store has to be made anew.",
        )
    return _found_embedder(served, wanted, last)


def _found_embedder(served: str, wanted: str, last: Publication | None) -> Check:
    if served != wanted:
        return warn(
            f"{served} made the vectors and goes on; [embedder] model says {wanted}",
            f'Set model = "{served}", or name another [knowledge] store for the other model.',
        )
    return ok(f"{served}, {'the one of the store' if last else 'on this machine'}")


@contextmanager
def _offline() -> Iterator[None]:
    """The hub's library reads this when it is imported: looking must not download."""
    before = os.environ.get("HF_HUB_OFFLINE")
    os.environ["HF_HUB_OFFLINE"] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ["HF_HUB_OFFLINE"]
        else:
            os.environ["HF_HUB_OFFLINE"] = before


def look_at_disk(case: Case) -> Check:
    """Whether there is room for the store and for what Prefect keeps."""
    said, least = [], None
    for name, folder in (("store", Path(case.config.store_uri)), ("Prefect", _home(case.config))):
        free = shutil.disk_usage(_existing(folder)).free
        least = free if least is None else min(least, free)
        said.append(f"{name}: {free / 1e9:,.1f} GB free")
    found = ", ".join(said)
    if least is not None and least < LEAST_FREE_BYTES:
        return error(f"the disk is full ({found})", "Make room: nothing can be written.")
    if least is not None and least < _LITTLE_FREE_BYTES:
        return warn(f"little room ({found})", "Make room, or keep less: [knowledge] keep_days.")
    return ok(found)


def _home(config: Config) -> Path:
    said = os.environ.get("PREFECT_HOME")
    return Path(said) if said else prefect_home(config)


def _existing(folder: Path) -> Path:
    return next(path for path in (folder, *folder.parents) if path.exists())


def look_at_permissions(case: Case) -> Check:
    """Whether we may write what we must, and others only see what is theirs."""
    needed = [Path(case.config.store_uri)]
    if case.config.server.is_local:  # else no `up` runs here: a project may be read-only
        needed.append(run_folder(case.config))
    for folder in needed:
        place = _existing(folder)
        if not os.access(place, os.W_OK | os.X_OK):
            return error(
                f"{place} cannot be written by {_user()}",
                f"Give it to {_user()}, or run staleproof as its owner {_owner(place)}.",
            )
    open_to_others = _open_to_others(case.config)
    if not open_to_others:
        return ok("what must be written can be; nothing is open to other users")
    said = ", ".join(f"{path} can be {how}" for path, how in open_to_others.items())
    commands = "; ".join(f"chmod o-rwx {path}" for path in open_to_others)
    wording = f"{said} by every user of this machine"
    if "changed" in open_to_others.values():
        return error(wording, commands, fixable=True)
    return warn(wording, commands, fixable=True)


def close_to_others(case: Case) -> str:
    """What others need not see or change is closed to them."""
    closed = []
    for path, how in _open_to_others(case.config).items():
        mode = stat.S_IMODE(path.stat().st_mode)
        path.chmod(mode & ~(stat.S_IWOTH if how == "changed" else stat.S_IRWXO))
        closed.append(str(path))
    return f"closed to other users: {', '.join(closed)}"


def _open_to_others(config: Config) -> dict[Path, str]:
    """What other users can change, of what decides what runs; or read, of what is not theirs.

    The files of the configuration say who may read which document and which programs run.
    """
    root = config.root
    deciding = [config.path, root / "prefect.yaml", config.expectations]
    private = [Path(config.store_uri), run_folder(config), *(root / name for name in _SECRETS)]
    found = {path: "changed" for path in deciding if _others_may(path, stat.S_IWOTH)}
    found |= {path: "read" for path in private if _others_may(path, stat.S_IROTH | stat.S_IXOTH)}
    return found


def _others_may(path: Path, bits: int) -> bool:
    """Whether the mode lets others do any of this, and the folders above let them come so far."""
    try:
        return bool(path.stat().st_mode & bits) and all(
            above.stat().st_mode & stat.S_IXOTH for above in path.resolve().parents
        )
    except OSError:
        return False


def _user() -> str:
    import getpass

    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return f"user {os.getuid()}"


def _owner(path: Path) -> str:
    try:
        return path.owner()
    except (KeyError, NotImplementedError):
        return str(path.stat().st_uid)

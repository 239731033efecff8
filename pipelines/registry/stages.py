"""Runs the stages of dvc.yaml in a run's work tree, and nothing of them outlives it."""

import contextlib
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pipelines.errors import DataMissing, StageFailed
from pipelines.registry.git import git
from pipelines.registry.objects import (
    LOCK,
    oids_of,
    outs_at,
    outs_in,
    read_lock,
    stages_of,
    text_at,
    training_folder,
)
from pipelines.registry.places import find_places
from pipelines.registry.presence import check_remote, damaged_in_cache
from pipelines.registry.program import DvcFailedError, ignore, never, run_dvc
from pipelines.registry.workspace import Workspace

_FAILED = re.compile(r"failed to reproduce '(?P<stage>[^']+)'")
_SHOWN_LINES = 10


def track(space: Workspace, path: str) -> None:
    """Put a folder of the work tree under DVC: its pointer ``<path>.dvc`` is written.

    Args:
        space: Where.
        path: Seen from the work tree's folder, ``/``-separated.

    Raises:
        StageFailed: DVC could not.
    """
    try:
        run_dvc(space.own, space.folder, "add", "--quiet", path)
    except DvcFailedError as error:
        raise StageFailed(f"DVC could not take {path} in: {error.message}") from error


def reproduce_stages(
    space: Workspace,
    targets: Sequence[str],
    on_line: Callable[[str], None] = ignore,
    *,
    env: Mapping[str, str] | None = None,
    cancelled: Callable[[], bool] = never,
) -> None:
    """Bring targets up to date: what has not changed is not run again.

    ``python`` in a stage's command is this Python. Every process that a stage starts ends when this
    call ends, however it ends, also by kill -9 of this process.

    Args:
        space: Where.
        targets: Stages: ``("evaluate@handbook",)``; what they need is brought up to date as well.
        on_line: Called with each line that DVC and the stages print.
        env: More variables for the stages.
        cancelled: Asked several times a second; true ends everything.

    Raises:
        StageFailed: A stage ended with an error; the message names it, the hint has its last lines.
        RemoteUnavailable: The data remote cannot be reached; nothing was started.
        RunCancelled: ``cancelled`` said so.
    """
    _fetch_former(space, cancelled)
    arguments = ("repro", *targets)
    try:
        run_dvc(space.own, space.folder, *arguments, on_line=on_line, cancelled=cancelled, env=env)
    except DvcFailedError as error:
        raise stage_failed(error) from error


def stage_failed(error: DvcFailedError) -> StageFailed:
    """What a person reads when ``dvc repro`` did not come to its end."""
    said = _FAILED.search("\n".join(error.lines))
    what = f"The stage {said['stage']} failed" if said else "DVC failed"
    reason = (error.errors or ["it said nothing"])[-1]
    return StageFailed(f"{what}: {reason}.", hint="\n".join(error.lines[-_SHOWN_LINES:]))


def changed(space: Workspace) -> bool:
    """Whether data, parameters or results differ from the newest version's; true where there is none.

    What is compared are the pointers of data and what dvc.lock says of the model's stages.
    """
    if space.former is None:
        return True
    return _made_of(space) != _former_made_of(space, space.former.commit)


def _fetch_former(space: Workspace, cancelled: Callable[[], bool]) -> None:
    """Put the results of the former version into the tree, once: what has not changed is there then.

    A damaged object of the cache is removed before, for DVC would take it out as it is. What has
    been erased is made again. ``dvc repro --pull`` would ask the remote for more than that.
    """
    done = space.own / "former-fetched"
    if done.exists():
        return
    places = find_places(space.root)
    check_remote(places)
    if space.former is not None:
        outs = [
            out
            for out in outs_at(space.root, space.former.commit, space.model)
            if not (space.folder / f"{out.path}.dvc").exists()
        ]
        damaged = damaged_in_cache(places, [out.oid for out in outs])
        with contextlib.suppress(DataMissing):
            damaged = damaged_in_cache(places, oids_of(places, outs))
        for oid in damaged:
            places.in_cache(oid).unlink(missing_ok=True)
        stages = stages_of(_lock_of(space), space.model)
        with contextlib.suppress(DvcFailedError):
            run_dvc(space.own, space.folder, "pull", "--force", *stages, cancelled=cancelled)
    done.touch()


def _made_of(space: Workspace) -> tuple[object, object]:
    pointers = {
        file.relative_to(space.folder).as_posix(): file.read_text()
        for file in (space.folder / training_folder(space.model)).rglob("*.dvc")
        if file.is_file()
    }
    return stages_of(_lock_of(space), space.model), set(outs_in(pointers, space.model))


def _lock_of(space: Workspace) -> dict[str, Any]:
    lock = space.folder / LOCK
    return read_lock(lock.read_text()) if lock.exists() else {}


def _former_made_of(space: Workspace, commit: str) -> tuple[object, object]:
    folder = f"{training_folder(space.model)}/"
    listed = git(space.root, "ls-tree", "-r", "-z", "--name-only", commit, "--", folder)
    pointers = {
        path: text_at(space.root, commit, path) or ""
        for path in listed.split("\0")
        if path.endswith(".dvc")
    }
    said = read_lock(text_at(space.root, commit, LOCK) or "")
    return stages_of(said, space.model), set(outs_in(pointers, space.model))

"""Makes a version out of a run's work tree: the data first, then the tag that names it."""

from collections.abc import Callable

from pipelines import quiet
from pipelines.errors import DataMissing, RegistryError, RemoteUnavailable
from pipelines.registry.git import IDENTITY, git
from pipelines.registry.objects import (
    LOCK,
    Out,
    oids_of,
    outs_at,
    read_lock,
    stages_of,
    training_folder,
)
from pipelines.registry.places import Places, find_places
from pipelines.registry.presence import damaged_in_cache, missing_in_remote
from pipelines.registry.program import DvcFailedError, ignore, run_dvc
from pipelines.registry.share import move_branch, share_versions
from pipelines.registry.versions import Version, find_version
from pipelines.registry.workspace import Workspace


def publish_version(
    space: Workspace,
    message: str,
    annotation: str,
    *,
    on_step: Callable[[str], None] = ignore,
) -> Version:
    """Commit what is in the work tree, send its data, see that it arrived, and only then name it.

    The commit's parents are the user's commit and the former version; the branch
    ``staleproof/<model>`` is moved to it. Where the repository has an ``origin``, tag and branch are
    pushed together.

    Args:
        space: Where the stages have run, and verdict and card are written.
        message: Of the commit.
        annotation: Of the tag, JSON: what ``models`` shows without reading the commit.
        on_step: Called before commit, push, verify, tag, branch, origin, end with these words.

    Returns:
        The version.

    Raises:
        RemoteUnavailable: Data could not be sent: no version was made. Or tag and branch could not
            be pushed: the version is there, and the next run pushes it.
        DataMissing: Cache or remote lacks an object of it; no version was made.
    """
    places = find_places(space.root)
    on_step("commit")
    commit = _commit(space, message)
    outs = outs_at(space.root, commit, space.model)
    on_step("push")
    _push(space, places, outs)
    on_step("verify")
    _verify(places, outs)
    on_step("tag")
    version = _register(space, commit, annotation)
    on_step("branch")
    move_branch(space.root, version)
    on_step("origin")
    share_versions(space.root, space.model)
    on_step("end")
    return version


def _commit(space: Workspace, message: str) -> str:
    """The commit of the whole work tree; nothing but the work tree's own HEAD names it."""
    git(space.folder, "add", "--all")
    git(space.folder, "reset", "--quiet", "--", ".dvc/config.local")
    parents = [space.base, *([space.former.commit] if space.former else [])]
    named = [word for parent in dict.fromkeys(parents) for word in ("-p", parent)]
    commit = git(
        space.folder, "commit-tree", git(space.folder, "write-tree"), *named, stdin=message
    )
    git(space.folder, "update-ref", "--no-deref", "HEAD", commit)
    return commit


def _push(space: Workspace, places: Places, outs: list[Out]) -> None:
    damaged = damaged_in_cache(places, oids_of(places, outs))
    if damaged:
        for oid in damaged:
            places.in_cache(oid).unlink(missing_ok=True)
        raise DataMissing(
            f"{len(damaged)} objects of the cache are missing or are not what their hash says.",
            hint="No version was made. What was damaged is removed: run it once more.",
        )
    lock = read_lock((space.folder / LOCK).read_text()) if (space.folder / LOCK).exists() else {}
    pointers = (space.folder / training_folder(space.model)).rglob("*.dvc")
    targets = [
        *stages_of(lock, space.model),
        *(file.relative_to(space.folder).as_posix() for file in pointers if file.is_file()),
    ]
    try:
        run_dvc(space.own, space.folder, "push", *targets)
    except DvcFailedError as error:
        raise RemoteUnavailable(
            f"The data of the new version could not be sent: {error.message}.",
            hint="No version was made; what was trained is in the cache, and the next run finds it.",
        ) from error


def _verify(places: Places, outs: list[Out]) -> None:
    """DVC says "everything is up to date" also where the cache lacks an object (dvc 3.67)."""
    missing = missing_in_remote(places, oids_of(places, outs))
    if missing:
        raise DataMissing(
            f"The remote lacks {len(missing)} objects of the new version after they were sent.",
            hint="No version was made. See the remote's free space and permissions, then run again.",
        )


def _register(space: Workspace, commit: str, annotation: str) -> Version:
    number = space.former.number if space.former else (0, 0, 0)
    name = "v" + ".".join(str(part) for part in (*number[:-1], number[-1] + 1))
    quiet.silence()
    import gto.api
    from gto.exceptions import GTOException

    try:
        gto.api.register(
            space.root,
            space.model,
            commit,
            version=name,
            message=annotation,
            author=IDENTITY[0],
            author_email=IDENTITY[1],
        )
    except GTOException as error:
        raise RegistryError(f"GTO could not register {space.model}@{name}: {error}.") from error
    return find_version(space.root, space.model, name)

"""Takes away what runs leave: work trees, processes; and remembers what data they had made."""

import contextlib
import shutil
from pathlib import Path

import yaml

from pipelines.registry.folder import registry_folder, run_folders
from pipelines.registry.git import GitFailedError, git
from pipelines.registry.objects import LOCK, outs_in, training_folder
from pipelines.registry.program import end_marked

_LOOSE = "loose-objects"


def tree_of(own: Path) -> Path:
    """The work tree of a run, in its folder."""
    return own / "tree"


def remove_run(root: Path, own: Path, model: str) -> None:
    """Remove the folder of a run with its work tree; what data it has made may be nobody's now."""
    tree = tree_of(own)
    _remember_objects(root, tree, model)
    with contextlib.suppress(GitFailedError):
        git(root, "worktree", "remove", "--force", "--force", str(tree))
    shutil.rmtree(own, ignore_errors=True)
    git(root, "worktree", "prune", "--expire=now")


def remove_killed_runs(root: Path) -> None:
    """Remove what runs have left that were killed; our lock is held, so that none is at work."""
    folders = run_folders(root)
    for own in sorted(folders.iterdir()) if folders.is_dir() else ():
        end_marked(own)
        training = tree_of(own) / "data" / "training"
        for model in [one.name for one in training.iterdir()] if training.is_dir() else []:
            _remember_objects(root, tree_of(own), model)
        remove_run(root, own, "")
    common = Path(git(root, "rev-parse", "--path-format=absolute", "--git-common-dir"))
    for ours in ("tags", "heads/staleproof"):
        # A killed git leaves its lock on a tag; only a lock on one of ours is taken away.
        for lock in (common / "refs" / ours).rglob("*.lock"):
            if "@" in lock.name or "#" in lock.name or ours != "tags":
                lock.unlink(missing_ok=True)


def loose_objects(root: Path) -> set[str]:
    """Hashes that some work tree named; a version may name them too."""
    with contextlib.suppress(FileNotFoundError):
        return set((registry_folder(root) / _LOOSE).read_text().split())
    return set()


def forget_loose_objects(root: Path) -> None:
    """They have been looked at."""
    (registry_folder(root) / _LOOSE).unlink(missing_ok=True)


def _remember_objects(root: Path, tree: Path, model: str) -> None:
    lock = tree / LOCK
    files = [lock, *(tree / training_folder(model)).rglob("*.dvc")] if model else []
    texts = {f.relative_to(tree).as_posix(): f.read_text() for f in files if f.is_file()}
    new = {oid for path, text in texts.items() for oid in _named(path, text, model)}
    new -= loose_objects(root)
    if new:
        with (registry_folder(root) / _LOOSE).open("a") as written:
            written.write("".join(f"{oid}\n" for oid in sorted(new)))


def _named(path: str, text: str, model: str) -> set[str]:
    """The objects that a file names; none where DVC was killed while it wrote it."""
    try:
        return {out.oid for out in outs_in({path: text}, model)}
    except (yaml.YAMLError, AttributeError, KeyError, TypeError):
        return set()

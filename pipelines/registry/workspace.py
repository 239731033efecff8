"""A git work tree of its own for one run, at a clean commit; gone at the end, whatever happened."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from pipelines.errors import NotVersioned
from pipelines.registry.folder import run_folder
from pipelines.registry.git import GitFailedError, commit_of, git, has_file
from pipelines.registry.leftovers import remove_killed_runs, remove_run, tree_of
from pipelines.registry.objects import LOCK, is_of, read_lock, stages_of, text_at, training_folder
from pipelines.registry.places import write_local_config
from pipelines.registry.share import meet_origin
from pipelines.registry.versions import Version, newest_version

_INPUTS = ("params.yaml", "dvc.yaml", "pipelines")
"""What of the user's tree decides what is trained."""
_WRITTEN_LAST = ("verdict.json", "card.md")
"""Of a version that is ready: the former's are not taken over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Workspace:
    """Where one run works."""

    root: Path
    """The project's folder, which is not touched."""
    run: str
    model: str
    own: Path
    """The folder of the run; everything in it goes at the end."""
    folder: Path
    """The work tree: write the snapshot below it, run stages in it."""
    base: str
    """The user's commit that it was made from."""
    former: Version | None
    """The newest version of the model: the new one follows it."""
    not_used: tuple[str, ...]
    """Files of the user's with uncommitted changes, which this run does not see."""


@contextlib.contextmanager
def workspace(
    root: Path, run: str, model: str, *, base: str = "HEAD", stages: Sequence[str] = ()
) -> Iterator[Workspace]:
    """A work tree of a commit, with the data of the newest version laid over it.

    Hold ``registry_lock`` meanwhile: what a killed run has left is removed here.

    Args:
        root: The project's folder.
        run: The run's id.
        model: Whose version is to be made.
        base: The commit that code and parameters are taken from.
        stages: Targets that ``dvc.yaml`` must have: ``("train@handbook",)``.

    Raises:
        NotVersioned: No git, no commit, no DVC, or a stage is missing; the hint says what to do.
    """
    commit = check_project(root, base=base, stages=stages)
    remove_killed_runs(root)
    meet_origin(root, model)
    own = run_folder(root, run)
    own.mkdir(parents=True)
    space = Workspace(
        root=root,
        run=run,
        model=model,
        own=own,
        folder=tree_of(own),
        base=commit,
        former=newest_version(root, model),
        not_used=uncommitted(root),
    )
    try:
        git(root, "worktree", "add", "--quiet", "--detach", str(space.folder), commit)
        write_local_config(root, space.folder)
        if space.former:
            _lay_over(space, space.former)
        yield space
    finally:
        remove_run(root, own, model)


def uncommitted(root: Path) -> tuple[str, ...]:
    """The files that decide what is trained and that have changes no commit has."""
    status = git(
        *(root, "--no-optional-locks", "status", "--porcelain", "-z", "--no-renames"),
        *("--untracked-files=all", "--", *_INPUTS),
    )
    return tuple(sorted(line[3:] for line in status.split("\0") if line))


def check_project(root: Path, *, base: str = "HEAD", stages: Sequence[str] = ()) -> str:
    """The commit to start from, once it is seen that it has what a run needs.

    Args:
        root: The project's folder.
        base: The commit that code and parameters are taken from.
        stages: Targets that ``dvc.yaml`` must have: ``("train@handbook",)``.

    Raises:
        NotVersioned: No git, no commit, no DVC, or a stage is missing; the hint says what to do.
    """
    try:
        top = Path(git(root, "rev-parse", "--show-toplevel"))
    except GitFailedError as error:
        raise NotVersioned(
            f"{root} is not in a git repository.",
            hint="Versions of models are kept in git: run git init, and commit the project.",
        ) from error
    if top.resolve() != root.resolve():
        raise NotVersioned(
            f"{root} is a folder inside the git repository {top}.",
            hint="Versions of models need a project that is a repository of its own.",
        )
    try:
        commit = commit_of(root, base)
    except GitFailedError as error:
        raise NotVersioned(
            f"The git repository has no commit {base}.",
            hint='Commit the project first: git add --all && git commit -m "Start".',
        ) from error
    if not has_file(root, commit, ".dvc/config"):
        raise NotVersioned(
            f"The commit {commit[:10]} is not a DVC project.",
            hint="Run dvc init in the project's folder, and commit what it wrote.",
        )
    _check_stages(root, commit, stages)
    return commit


def _check_stages(root: Path, commit: str, targets: Sequence[str]) -> None:
    known = (_yaml_at(root, commit, "dvc.yaml").get("stages") or {}) if targets else {}
    named = _yaml_at(root, commit, "params.yaml").get("models") or {} if targets else {}
    for target in targets:
        stage, _, key = target.partition("@")
        if stage not in known:
            file, lacks = "dvc.yaml", f"stage {stage}"
        elif key and isinstance(known[stage], dict) and _lacks(known[stage], key, named):
            file, lacks = "params.yaml", f"models.{key}"
        else:
            continue
        raise NotVersioned(
            f"{file} of the commit {commit[:10]} has no {lacks}.",
            hint=f"Write it into {file}, and commit that: only committed parameters are used.",
        )


def _lacks(stage: Mapping[str, Any], key: str, named: Mapping[str, Any]) -> bool:
    return stage.get("foreach") == "${models}" and key not in named


def _yaml_at(root: Path, commit: str, path: str) -> dict[str, Any]:
    try:
        read = yaml.safe_load(text_at(root, commit, path) or "")
    except yaml.YAMLError as error:
        raise NotVersioned(f"{path} of the commit {commit[:10]} is no YAML: {error}.") from error
    return read if isinstance(read, dict) else {}


def _lay_over(space: Workspace, former: Version) -> None:
    """Let DVC see what the former version was made of: what has not changed is not run again."""
    folder = training_folder(space.model)
    listed = git(
        space.root, "ls-tree", "-r", "-z", "--name-only", former.commit, "--", f"{folder}/"
    )
    paths = [p for p in listed.split("\0") if p and Path(p).name not in _WRITTEN_LAST]
    if paths:
        git(space.folder, "checkout", "--quiet", former.commit, "--", *paths)
    known = _yaml_at(space.root, space.base, "dvc.yaml").get("stages") or {}
    lock = space.folder / LOCK
    said = read_lock(lock.read_text()).get("stages") or {} if lock.exists() else {}
    others = {name: one for name, one in said.items() if not is_of(name, space.model)}
    text = text_at(space.root, former.commit, LOCK) or ""
    own = {
        name: one
        for name, one in stages_of(read_lock(text), space.model).items()
        # A stage that is not in dvc.yaml any more has no results to keep.
        if name.partition("@")[0] in known
    }
    if stages := others | own:
        lock.write_text(yaml.safe_dump({"schema": "2.0", "stages": stages}, sort_keys=False))

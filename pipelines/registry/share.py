"""Lets others see the versions: the branch of a model, and what the git remote has of it."""

import contextlib
from pathlib import Path

from pipelines.errors import RegistryError, RemoteUnavailable
from pipelines.registry.git import GitFailedError, git, has_remote
from pipelines.registry.versions import Version, newest_version

ORIGIN = "origin"


def branch_of(model: str) -> str:
    """The branch that shows the newest version on a git host."""
    return f"refs/heads/staleproof/{model}"


def move_branch(root: Path, version: Version) -> None:
    """Let the branch of a model point to a version."""
    branch = branch_of(version.model)
    if own_refs(root, version.model).get(branch) != version.commit:
        git(root, "update-ref", "-m", f"staleproof: {version.tag}", branch, version.commit)


def own_refs(root: Path, model: str) -> dict[str, str]:
    """Every tag of a model's versions and stages, and its branch: name to object."""
    patterns = (f"refs/tags/{model}@*", f"refs/tags/{model}#*", branch_of(model))
    printed = git(root, "for-each-ref", "--format=%(objectname) %(refname)", *patterns)
    return {line.split(" ", 1)[1]: line.split(" ", 1)[0] for line in printed.splitlines()}


def share_versions(root: Path, model: str) -> bool:
    """Bring the branch to the newest version, and push what ``origin`` lacks of the model's.

    What a killed run has left undone is done here.

    Returns:
        Whether there was something to push.

    Raises:
        RemoteUnavailable: The repository's ``origin`` does not take it now.
        RegistryError: It has another version under the same name.
    """
    newest = newest_version(root, model)
    if newest is None:
        return False
    move_branch(root, newest)
    if not has_remote(root, ORIGIN):
        return False
    there = _refs_of_origin(root, model)
    own = own_refs(root, model)
    other = [
        ref
        for ref, oid in own.items()
        if ref.startswith("refs/tags/") and there.get(ref, oid) != oid
    ]
    if other:
        name = other[0].removeprefix("refs/tags/")
        raise RegistryError(
            f"The git remote has another {name}: a version was made elsewhere at the same time.",
            hint=f"Remove yours and take theirs: git tag --delete {name} && git fetch --tags.",
        )
    lacks = [ref for ref, oid in own.items() if there.get(ref) != oid]
    if lacks:
        _push(root, *lacks)
    return bool(lacks)


def meet_origin(root: Path, model: str) -> None:
    """Take over the versions that other clones have published, and push what a killed run has not.

    An ``origin`` that is away is no hindrance yet: the run says so when it has something to push.
    """
    if has_remote(root, ORIGIN):
        both = [f"refs/tags/{model}{sign}*:refs/tags/{model}{sign}*" for sign in "@#"]
        with contextlib.suppress(GitFailedError):
            git(root, "fetch", "--quiet", "--no-tags", "--no-write-fetch-head", ORIGIN, *both)
    with contextlib.suppress(RemoteUnavailable):
        share_versions(root, model)


def forget_at_origin(root: Path, tags: list[str]) -> None:
    """Remove tags from ``origin``, where the repository has one.

    Raises:
        RemoteUnavailable: It does not take it now.
    """
    if tags and has_remote(root, ORIGIN):
        _push(root, *(f":refs/tags/{tag}" for tag in tags))


def _refs_of_origin(root: Path, model: str) -> dict[str, str]:
    patterns = (f"refs/tags/{model}@*", f"refs/tags/{model}#*", branch_of(model))
    try:
        printed = git(root, "ls-remote", "--refs", ORIGIN, *patterns)
    except GitFailedError as error:
        raise _away(error) from error
    return {line.split("\t")[1]: line.split("\t")[0] for line in printed.splitlines()}


def _push(root: Path, *refs: str) -> None:
    try:
        git(root, "push", "--quiet", "--atomic", ORIGIN, *refs)
    except GitFailedError as error:
        raise _away(error) from error


def _away(error: GitFailedError) -> RemoteUnavailable:
    last = (error.said or error.message).splitlines()[-1]
    return RemoteUnavailable(
        f"The git remote {ORIGIN} cannot be reached, or refuses: {last}",
        hint="What was made is kept here; the next run pushes it. git push shows the reason.",
    )

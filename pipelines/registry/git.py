"""Runs git in the user's repository: plumbing only, no hooks, never the user's index or work tree."""

import os
import subprocess
from pathlib import Path

from pipelines.errors import NotVersioned, RegistryError

IDENTITY = ("staleproof", "staleproof@localhost")
"""Who makes the commits and tags: name and address."""

_OPTIONS = (
    "--literal-pathspecs",
    *("-c", "core.hooksPath=/dev/null"),
    *("-c", "safe.directory=*"),
    *("-c", f"user.name={IDENTITY[0]}"),
    *("-c", f"user.email={IDENTITY[1]}"),
    # No process may outlive the call.
    *("-c", "gc.auto=0"),
    *("-c", "maintenance.auto=false"),
)
# A hook that runs us has them set; they would point git at another repository.
_FOREIGN = {
    *("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR", "GIT_NAMESPACE"),
    *("GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_SHALLOW_FILE"),
    *("GIT_PREFIX",),
}


class GitFailedError(RegistryError):
    """Git did not do what it was asked."""

    def __init__(self, message: str, *, said: str = "") -> None:
        super().__init__(message)
        self.said = said


def git(folder: Path, *arguments: str, stdin: str | None = None) -> str:
    """What git prints, without the last line's end.

    Raises:
        GitFailedError: It ended with an error; ``said`` is what it wrote about it.
        NotVersioned: There is no git program.
    """
    try:
        done = subprocess.run(
            ["git", *_OPTIONS, *arguments],
            cwd=folder,
            env=clean_environment() | {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"},
            input=stdin,
            stdin=None if stdin is not None else subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="surrogateescape",
            check=False,
        )
    except FileNotFoundError as error:
        raise NotVersioned(
            "The git program cannot be started.",
            hint="Versions of models are kept in git: install it.",
        ) from error
    if done.returncode:
        said = done.stderr.strip()
        raise GitFailedError(f"git {arguments[0]} failed: {said}", said=said)
    return done.stdout.rstrip("\n")


def clean_environment() -> dict[str, str]:
    """The environment, without what would point git at another repository."""
    return {key: value for key, value in os.environ.items() if key not in _FOREIGN}


def commit_of(root: Path, name: str) -> str:
    """The hash of the commit that a branch, tag or hash names.

    Raises:
        GitFailedError: There is none.
    """
    return git(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")


def has_file(root: Path, commit: str, path: str) -> bool:
    """Whether a commit has a file."""
    return bool(git(root, "ls-tree", "--name-only", commit, "--", path))


def has_remote(root: Path, name: str = "origin") -> bool:
    """Whether the repository knows a git remote of that name."""
    return name in git(root, "remote").splitlines()

"""A git work tree of its own for one run, at a clean commit; gone at the end, whatever happened."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipelines.registry.versions import Version


@dataclass(frozen=True, slots=True, kw_only=True)
class Workspace:
    """Where one run works."""

    root: Path
    """The project's folder, which is not touched."""
    run: str
    model: str
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
    raise NotImplementedError
    yield

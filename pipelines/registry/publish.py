"""Makes a version out of a run's work tree: the data first, then the tag that names it."""

from collections.abc import Callable
from pathlib import Path

from pipelines.registry.stages import ignore
from pipelines.registry.versions import Version
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
    ``staleproof/<model>`` is moved to it. Where the repository has an ``origin``, tag and branch are pushed together.

    Args:
        space: Where the stages have run, and verdict and card are written.
        message: Of the commit.
        annotation: Of the tag, JSON: what ``models`` shows without reading the commit.
        on_step: Called before commit, push, verify, tag, branch, origin with these words.

    Returns:
        The version.

    Raises:
        RemoteUnavailable: Data could not be sent: no version was made. Or tag and branch could not be
            pushed: the version is there, and the next run pushes it.
        DataMissing: The remote lacks an object after the push; no version was made.
    """
    raise NotImplementedError


def share_versions(root: Path, model: str) -> bool:
    """Push what of a model's versions, stage tags and branch ``origin`` may lack.

    Returns:
        Whether there was something to push.

    Raises:
        RemoteUnavailable: The repository's ``origin`` does not take it now.
    """
    raise NotImplementedError

"""Runs the stages of dvc.yaml in a run's work tree, and nothing of them outlives it."""

from collections.abc import Callable, Mapping, Sequence

from pipelines.registry.workspace import Workspace


def never() -> bool:
    """Nobody cancels."""
    return False


def ignore(_line: str) -> None:
    """Nobody listens."""


def track(space: Workspace, path: str) -> None:
    """Put a folder of the work tree under DVC: its pointer ``<path>.dvc`` is written.

    Args:
        space: Where.
        path: Seen from the work tree's folder, ``/``-separated.

    Raises:
        StageFailed: DVC could not.
    """
    raise NotImplementedError


def reproduce_stages(
    space: Workspace,
    targets: Sequence[str],
    on_line: Callable[[str], None] = ignore,
    *,
    env: Mapping[str, str] | None = None,
    cancelled: Callable[[], bool] = never,
) -> None:
    """Bring targets up to date: what has not changed is not run again.

    ``python`` in a stage's command is this Python. Every process that a stage starts ends when this call
    ends, however it ends, also by kill -9 of this process.

    Args:
        space: Where.
        targets: Stages: ``("evaluate@handbook",)``; what they need is brought up to date as well.
        on_line: Called with each line that DVC and the stages print.
        env: More variables for the stages.
        cancelled: Asked several times a second; true ends everything.

    Raises:
        StageFailed: A stage ended with an error; the message has its name, the hint its last lines.
        RemoteUnavailable: Data of a former version is needed and cannot be fetched now.
        RunCancelled: ``cancelled`` said so.
    """
    raise NotImplementedError


def changed(space: Workspace) -> bool:
    """Whether data, parameters or results differ from the newest version's; true where there is none.

    What is compared are the pointers of data and what dvc.lock says of the model's stages.
    """
    raise NotImplementedError

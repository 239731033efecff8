"""Makes a version once more, from nothing but its commit and its tracked inputs, and compares."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipelines.registry.stages import ignore, never
from pipelines.registry.versions import Version


@dataclass(frozen=True, slots=True, kw_only=True)
class Reproduced:
    """What came out."""

    version: Version
    metrics_equal: bool
    weights_equal: bool
    """Byte for byte."""
    differences: tuple[str, ...]
    """What differs, and by how much, for a person."""
    erased: bool
    """Inputs are gone for good: it cannot be made again."""


def reproduce_version(
    root: Path,
    version: Version,
    on_line: Callable[[str], None] = ignore,
    *,
    targets: Sequence[str] = ("evaluate@{model}",),
    metrics: str = "data/training/{model}/evaluation/metrics.json",
    cancelled: Callable[[], bool] = never,
) -> Reproduced:
    """Clone the tag into a temporary folder, fetch the inputs, run the stages with ``-f``, compare.

    The store is not needed. Nothing of the project changes.

    Args:
        root: The project's folder.
        version: Which.
        on_line: Called with each line that DVC and the stages print.
        targets: The last stages.
        metrics: The file that is compared.
        cancelled: Asked several times a second; true ends everything.

    Raises:
        RemoteUnavailable: The inputs cannot be fetched now.
        StageFailed: A stage ended with an error.
        RunCancelled: ``cancelled`` said so.
    """
    raise NotImplementedError

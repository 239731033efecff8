"""The kinds of models that can be trained: what each stage does for them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from pipelines.errors import TrainingError
from pipelines.training import embedder, generator
from pipelines.training.places import Place
from pipelines.training.snapshot import Snapshot

if TYPE_CHECKING:
    import pyarrow as pa


class Judged(Protocol):
    """What the gate of any kind says."""

    @property
    def promote(self) -> bool:
        """Whether it lets the version in."""
        ...

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why not."""
        ...

    def to_dict(self) -> dict[str, Any]:
        """For JSON: also ``notes``, ``metric``, ``champion``, ``gain``, ``domains``, ``policy``."""
        ...


@dataclass(frozen=True, slots=True)
class Kind:
    """What is particular to a kind of model; splitting, manifest, intervals and versions are not.

    Parameters and policy are those of the kind: ``Params`` and ``GatePolicy``, say.
    """

    make_dataset: Callable[[Place, Snapshot, Any], None]
    learn: Callable[[Place, Snapshot, Any], None]
    evaluate: Callable[[Place, Snapshot, Any], None]
    measure: Callable[[Place, Snapshot], dict[str, Any]]
    """Speed and size of what was evaluated: ``latency_ms`` and ``size_bytes``, by model."""
    fingerprint: Callable[[Path], str]
    """What identifies the weights of a folder."""
    judge: Callable[["pa.Table", Any, Mapping[str, float]], Judged]
    """The gate: scores, policy, and milliseconds by model."""
    metric: str
    """The column of ``scores.parquet`` that decides."""
    base_folder: Callable[[Snapshot], Path]


KINDS = {
    "embedder": Kind(
        make_dataset=embedder.make_dataset,
        learn=embedder.learn,
        evaluate=embedder.run_evaluation,
        measure=embedder.measure,
        fingerprint=embedder.fingerprint,
        judge=embedder.judge,
        metric=embedder.METRIC,
        base_folder=embedder.base_folder,
    ),
    "generator": Kind(
        make_dataset=generator.make_dataset,
        learn=generator.learn,
        evaluate=generator.run_evaluation,
        measure=generator.measure,
        fingerprint=generator.fingerprint,
        judge=generator.judge,
        metric=generator.METRIC,
        base_folder=generator.base_folder,
    ),
}


def kind_of(snapshot: Snapshot) -> Kind:
    """What the stages do for the model of a snapshot.

    Raises:
        TrainingError: This version trains no such models.
    """
    try:
        return KINDS[snapshot.facts.kind]
    except KeyError as error:
        raise TrainingError(
            f"{snapshot.facts.model} is a model of kind {snapshot.facts.kind}; "
            f"known are {', '.join(KINDS)}.",
            hint="Use the version of staleproof that wrote the snapshot.",
        ) from error

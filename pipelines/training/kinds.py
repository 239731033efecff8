"""The kinds of models that can be trained: what each stage does for them."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pipelines.errors import TrainingError
from pipelines.training import embedder
from pipelines.training.dataset import Negatives
from pipelines.training.evaluate import Latency, Rank
from pipelines.training.params import Params
from pipelines.training.places import Place
from pipelines.training.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Kind:
    """What is particular to a kind of model; splitting, manifest, intervals and gate are not."""

    negatives: Negatives
    learn: Callable[[Place, Snapshot, Params], None]
    rank: Rank
    latency: Latency
    base_folder: Callable[[Snapshot], Path]


KINDS = {
    "embedder": Kind(
        negatives=embedder.mine_negatives,
        learn=embedder.learn,
        rank=embedder.rank,
        latency=embedder.latency,
        base_folder=embedder.base_folder,
    )
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

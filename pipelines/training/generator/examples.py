"""First stage of a generator: what it learns to answer, and what it is asked."""

from pipelines.training.params import GeneratorParams
from pipelines.training.places import Place
from pipelines.training.snapshot import Snapshot


def make_dataset(place: Place, snapshot: Snapshot, params: GeneratorParams) -> None:
    """Write ``dataset/``: examples, questions, general answers of the base, manifest and counts."""
    raise NotImplementedError

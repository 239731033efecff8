"""Second stage of a generator: trains an adapter on the examples."""

from pipelines.training.params import GeneratorParams
from pipelines.training.places import Place
from pipelines.training.snapshot import Snapshot


def learn(place: Place, snapshot: Snapshot, params: GeneratorParams) -> None:
    """Train an adapter of the base; write ``weights/``, losses and figures."""
    raise NotImplementedError

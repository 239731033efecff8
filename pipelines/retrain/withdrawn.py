"""Before a version is named: whether all that it learned from may still be learned from."""

from datetime import datetime

from pipelines.config import Config, ModelConfig
from pipelines.errors import TrainingError
from pipelines.knowledge import open_takedowns
from pipelines.retrain.allowed import allowed_documents
from pipelines.retrain.snapshot import Taken, newest_publication

_NAMED = 5


def refuse_withdrawn(config: Config, model: ModelConfig, taken: Taken, *, now: datetime) -> None:
    """Refuses a model that learned from what was withdrawn while it trained; hours may have passed.

    A document that its source has deleted meanwhile was not withdrawn: what was learned from it was
    permitted.

    Raises:
        TrainingError: Something of it may not be learned from any more; it names some.
    """
    store, last = newest_publication(config)
    allowed = allowed_documents(config, store, last, domains=model.domains, now=now)
    forbidden = allowed.left_out.keys() | open_takedowns(store).keys()
    gone = sorted(taken.allowed.documents.keys() & forbidden)
    if gone:
        more = f" and {len(gone) - _NAMED} more" if len(gone) > _NAMED else ""
        raise TrainingError(
            f"While {model.name} was trained, documents that it learned from were withdrawn from it:"
            f" {', '.join(gone[:_NAMED])}{more}. No version was made of it.",
            hint=f"Run staleproof retrain {model.name} again.",
        )

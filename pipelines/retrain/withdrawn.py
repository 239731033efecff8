"""Before a version is named: whether all that it learned from may still be learned from."""

from datetime import datetime

from pipelines.config import Config, ModelConfig
from pipelines.errors import TrainingError
from pipelines.retrain.allowed import part, today_of, withdrawn
from pipelines.retrain.snapshot import Taken, newest_publication

_NAMED = 5


def refuse_withdrawn(config: Config, model: ModelConfig, taken: Taken, *, now: datetime) -> None:
    """Refuses a model that learned from what was withdrawn while it trained; hours may have passed.

    A document that its source has deleted meanwhile was not withdrawn: what was learned from it was
    permitted. One that moved is followed to where it is.

    Raises:
        TrainingError: Something of it may not be learned from any more; it names some.
    """
    store, last = newest_publication(config)
    today = today_of(config, store, last, now=now)
    left_out = part(today, model.domains).left_out
    gone = sorted(
        uri
        for uri, document in taken.allowed.documents.items()
        if uri in left_out or withdrawn(uri, document.content_hash, today) is not None
    )
    if gone:
        more = f" and {len(gone) - _NAMED} more" if len(gone) > _NAMED else ""
        raise TrainingError(
            f"While {model.name} was trained, documents that it learned from were withdrawn from it:"
            f" {', '.join(gone[:_NAMED])}{more}. No version was made of it.",
            hint=f"Run staleproof retrain {model.name} again.",
        )

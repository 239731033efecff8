"""What people gave a model to learn from and to be judged by, as parts of a snapshot."""

import logging
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipelines.config import Config, GeneratorModel, ModelConfig
from pipelines.knowledge import Publication, Store, rows_of
from pipelines.retrain.allowed import Allowed
from pipelines.retrain.questions import read_asked
from pipelines.retrain.voice import Known, read_voice
from pipelines.training.texts import embedded

if TYPE_CHECKING:
    import pyarrow as pa

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PublishedNow:
    """What was read of a publication."""

    publication: Publication
    allowed: Allowed
    ids: Mapping[str, str]
    """Uri -> id."""
    rows: "pa.Table"
    """Passages that may be learned from."""


def given_parts(
    config: Config, model: ModelConfig, store: Store, read: PublishedNow
) -> tuple[dict[str, int], dict[str, Any]]:
    """What of it may be used today.

    Returns:
        How much was left out, by reason, and fields of ``Parts``.

    Raises:
        ConfigError: A file is missing or broken.
    """
    forbidden = _forbidden(store, read.publication, read.allowed.left_out)
    permitted: list[str] = read.rows["text"].to_pylist()
    if isinstance(model, GeneratorModel):
        known = _known(read)
        voice = read_voice(config, model, known=known, forbidden=forbidden, permitted=permitted)
        if voice.without_evidence:
            logger.warning(
                "%d answers of %s name no document: what they say is learned by heart, and stays "
                "when it has become false.",
                voice.without_evidence,
                model.name,
                extra={"event": "retrain.without_evidence"},
            )
        parts = {"voice": voice.examples, "general_texts": voice.general, "house": voice.house}
        return dict(voice.left_out), parts
    asked = read_asked(config, model, store, ids=read.ids, forbidden=forbidden, permitted=permitted)
    parts = {"questions": asked.questions, "own_pairs": asked.own_pairs, "general": asked.general}
    return dict(asked.left_out), parts


def _known(read: PublishedNow) -> dict[str, Known]:
    """Documents that answers of the house may name, by uri."""
    texts: dict[str, list[str]] = defaultdict(list)
    names = ("uri", "prefix", "text")
    for uri, prefix, text in zip(*(read.rows[n].to_pylist() for n in names), strict=True):
        texts[uri].append(embedded(prefix, text))
    return {
        uri: Known(read.ids[uri], one.policy.domain, tuple(texts[uri]))
        for uri, one in read.allowed.documents.items()
    }


def _forbidden(store: Store, last: Publication, left_out: Collection[str]) -> list[str]:
    """The passages of published documents that may not be learned from."""
    rows = rows_of(store, last.state, sorted(left_out), columns=["text"])
    texts: list[str] = rows["text"].to_pylist()
    return texts

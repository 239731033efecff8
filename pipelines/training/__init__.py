"""Documents to a model: data set, training, evaluation and the gate; opens no store."""

from pipelines.training.code import own_sources
from pipelines.training.records import (
    Champion,
    Facts,
    GeneralPair,
    GeneralText,
    House,
    ManifestLine,
    OwnPair,
    Question,
    VoiceExample,
    Weights,
    documents_schema,
    passages_schema,
)
from pipelines.training.snapshot import Snapshot, read_snapshot
from pipelines.training.write import Parts, write_snapshot

__all__ = [
    "Champion",
    "Facts",
    "GeneralPair",
    "GeneralText",
    "House",
    "ManifestLine",
    "OwnPair",
    "Parts",
    "Question",
    "Snapshot",
    "VoiceExample",
    "Weights",
    "documents_schema",
    "own_sources",
    "passages_schema",
    "read_snapshot",
    "write_snapshot",
]

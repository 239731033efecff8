"""Fill: embeds what is published with another embedder, and switches readers to it by one row."""

from pipelines.fill.answers import load_next
from pipelines.fill.records import (
    SERVES,
    Answered,
    Asked,
    Filled,
    FillEstimate,
    Ports,
    Wanted,
)
from pipelines.fill.run import abort_fill, estimate_fill, fill_generation
from pipelines.fill.wanted import configured_embedder

__all__ = [
    "SERVES",
    "Answered",
    "Asked",
    "FillEstimate",
    "Filled",
    "Ports",
    "Wanted",
    "abort_fill",
    "configured_embedder",
    "estimate_fill",
    "fill_generation",
    "load_next",
]

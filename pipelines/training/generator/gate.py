"""Decides whether a new version of a generator may be promoted, from stored scores alone."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pipelines.config import GeneratorGate

if TYPE_CHECKING:
    import pyarrow as pa


def judge(scores: "pa.Table", policy: GeneratorGate, latency: Mapping[str, float]) -> Any:
    """Compare a challenger with what serves."""
    raise NotImplementedError

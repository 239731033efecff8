"""Where a watch meets what a test wants to replace: the models and the registry."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pipelines import registry
from pipelines.embedding import load_encoder
from pipelines.records import LoadEncoder
from pipelines.registry import Version


@dataclass(frozen=True, slots=True)
class Ports:
    """The models and the registry."""

    load_encoder: LoadEncoder = load_encoder
    find_version: Callable[[Path, str, str], Version] = registry.find_version
    checkout_path: Callable[[Path, Version, str, Path], Path] = registry.checkout_path

"""Base and champion that a training is compared with: fingerprints, and the folders that come along."""

import logging
from pathlib import Path
from typing import Any

from pipelines.config import Config, GeneratorModel, ModelConfig
from pipelines.embedding import fingerprint, locate_model
from pipelines.embedding.weights import BUILT_IN
from pipelines.knowledge import Publication
from pipelines.registry import checkout_model, checkout_path, find_version
from pipelines.retrain.stored import read_verdict
from pipelines.training import Champion, Weights, generator
from pipelines.training.generator.base import PACKAGED, locate_base

logger = logging.getLogger(__name__)

MANIFEST = "data/training/{model}/dataset/manifest.jsonl"


def compared_weights(
    config: Config, model: ModelConfig, last: Publication, scratch: Path
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Base and champion by name and fingerprint, and the folders of those that do not come along.

    Args:
        config: The configuration.
        model: What learns.
        last: The newest publication, which says what serves.
        scratch: An empty folder for what is fetched.

    Returns:
        Fields of ``Facts``, and fields of ``Parts``.

    Raises:
        ConfigError: A model cannot be found.
        RemoteUnavailable: Files of the champion cannot be fetched now.
        DataMissing: They are gone, or damaged.
    """
    if isinstance(model, GeneratorModel):
        return _generator_weights(config, model, last.models.get(model.name), scratch)
    base = locate_model(model.base, root=config.root)
    base_print = fingerprint(base)
    facts: dict[str, Any] = {
        "base": Weights(model.base, base_print),
        "champion": Champion(None, base_print),
    }
    built_in = model.base in (BUILT_IN, f"sentence-transformers/{BUILT_IN}")
    folders: dict[str, Any] = {"base_folder": None if built_in else base}
    if last.fingerprint == base_print:
        return facts, folders
    serving = last.models.get(model.name)
    facts["champion"] = Champion(serving, last.fingerprint)
    if serving is not None:
        return facts, folders | _champion(config, model, serving, scratch)
    # The store has another embedder than this model starts from: that is what it must beat.
    manifest = scratch / "manifest.jsonl"
    manifest.touch()
    champion = locate_model(last.model, root=config.root)
    return facts, folders | {"champion_folder": champion, "champion_manifest": manifest}


def _generator_weights(
    config: Config, model: GeneratorModel, serving: str | None, scratch: Path
) -> tuple[dict[str, Any], dict[str, Any]]:
    base = locate_base(model.base, root=config.root, revision=model.revision)
    base_print = generator.fingerprint(base)
    facts: dict[str, Any] = {
        "base": Weights(model.base, base_print, model.revision),
        "champion": Champion(None, base_print),
    }
    folders: dict[str, Any] = {"base_folder": None if model.base == PACKAGED else base}
    if serving is None or not _is_of_base(config, model, serving, base_print):
        return facts, folders
    folders |= _champion(config, model, serving, scratch)
    adapter = generator.fingerprint(folders["champion_folder"])
    return facts | {"champion": Champion(serving, adapter)}, folders


def _is_of_base(config: Config, model: GeneratorModel, serving: str, base_print: str) -> bool:
    """Whether the version that serves is an adapter of this base: of another one it says nothing."""
    said = read_verdict(config.root, find_version(config.root, model.name, serving))
    if said is None or said["made_of"]["base"] == base_print:
        return True
    logger.warning(
        "%s %s is an adapter of another base: a new version is compared with its own base alone.",
        model.name,
        serving,
        extra={"event": "retrain.other_base"},
    )
    return False


def _champion(config: Config, model: ModelConfig, serving: str, scratch: Path) -> dict[str, Path]:
    """Weights and manifest of the version that serves, fetched."""
    version = find_version(config.root, model.name, serving)
    manifest = scratch / "manifest.jsonl"
    checkout_path(config.root, version, MANIFEST.format(model=model.name), manifest)
    champion = checkout_model(config.root, version, scratch / "champion")
    return {"champion_folder": champion, "champion_manifest": manifest}

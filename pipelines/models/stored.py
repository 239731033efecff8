"""What stands in git about a version: its verdict, card and parameters."""

import functools
import json
from pathlib import Path
from typing import Any

import yaml

from pipelines.config import Config
from pipelines.errors import UnknownName
from pipelines.registry import Version, find_version, read_text, versions

FOLDER = "data/training/{model}"


def known_version(config: Config, name: str, version: str | None) -> Version:
    """A version by its name; also of a model that the configuration no longer has.

    Args:
        config: The configuration.
        name: Of the model.
        version: Of it; the newest by default.

    Raises:
        UnknownName: There is no such model, or no such version of it.
        NotVersioned: The project is not in git.
    """
    known = versions(config.root, name)
    if not known:
        config.model(name)
        raise UnknownName(
            f"There is no version of {name} yet.", hint=f"To train one: staleproof retrain {name}"
        )
    return known[0] if version is None else find_version(config.root, name, version)


def verdict_of(root: Path, version: Version) -> dict[str, Any]:
    """What the gate said of a version and what it was made of; empty where nothing is stored."""
    try:
        said = json.loads(_verdict_text(root, version))
    except (UnknownName, ValueError):
        return {}
    return said if isinstance(said, dict) else {}


@functools.lru_cache(maxsize=1_000)
def _verdict_text(root: Path, version: Version) -> str:
    """Asked for each version whenever a page is shown; a commit does not change."""
    return read_text(root, version, f"{_folder(version)}/verdict.json")


def card_of(root: Path, version: Version) -> str:
    """The model card, as Markdown; empty where it has none."""
    try:
        return read_text(root, version, f"{_folder(version)}/card.md")
    except UnknownName:
        return ""


def params_of(root: Path, version: Version) -> dict[str, Any]:
    """The parameters that a version was trained with."""
    said = yaml.safe_load(read_text(root, version, "params.yaml")) or {}
    return dict((said.get("models") or {}).get(version.model) or {})


def _folder(version: Version) -> str:
    return FOLDER.format(model=version.model)

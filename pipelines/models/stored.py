"""What stands in git about a version: its verdict, card and parameters."""

import json
from pathlib import Path
from typing import Any

import yaml

from pipelines.errors import UnknownName
from pipelines.registry import Version, read_text

FOLDER = "data/training/{model}"


def verdict_of(root: Path, version: Version) -> dict[str, Any]:
    """What the gate said of a version and what it was made of; empty where nothing is stored."""
    try:
        said = json.loads(read_text(root, version, f"{_folder(version)}/verdict.json"))
    except (UnknownName, ValueError):
        return {}
    return said if isinstance(said, dict) else {}


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

"""Which sources the stages run: a checkout of staleproof its own, any other project the installed ones."""

import hashlib
import json
import tomllib
from importlib.metadata import version
from pathlib import Path


def own_sources(project: Path) -> Path | None:
    """The folder that holds ``pipelines`` where a project is staleproof itself; None for any other.

    So a commit of a checkout names its code as well, and what is not committed is not used.
    """
    try:
        said = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    named = said.get("project", {}).get("name") == "staleproof"
    return project if named and (project / "pipelines" / "training").is_dir() else None


def code_hash(project: Path) -> str:
    """SHA-256 of the code that trains: the sources of this room, and the version of staleproof."""
    sources = own_sources(project)
    room = Path(__file__).parent if sources is None else sources / "pipelines" / "training"
    texts = (file.read_text(encoding="utf-8") for file in sorted(room.rglob("*.py")))
    return hashlib.sha256(json.dumps([version("staleproof"), *texts]).encode()).hexdigest()

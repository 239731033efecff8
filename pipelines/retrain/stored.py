"""What a run leaves in git beside its version: ``verdict.json``, which later runs and people read."""

import hashlib
import json
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from pipelines.errors import UnknownName
from pipelines.registry import Version, read_text, versions
from pipelines.retrain.policy import Run

VERDICT = "data/training/{model}/verdict.json"
CARD = "data/training/{model}/card.md"
FORMAT = 1

_OF_CHAMPION = ("champion/", "champion-manifest.jsonl", "snapshot.json")
"""Of a snapshot, what does not decide what is learned."""


def material(snapshot: Path) -> str:
    """SHA-256 of what a snapshot gives to learn from: all but the champion and who wrote it when."""
    total = hashlib.sha256()
    for file in sorted(snapshot.rglob("*")):
        name = file.relative_to(snapshot).as_posix()
        if file.is_file() and not name.startswith(_OF_CHAMPION):
            with file.open("rb") as stream:
                total.update(f"{name}\n".encode())
                total.update(hashlib.file_digest(stream, "sha256").digest())
    return total.hexdigest()


def recipe(tree: Path, model: str) -> str:
    """SHA-256 of a model's parameters and of the stages, as a work tree has them."""
    params = yaml.safe_load((tree / "params.yaml").read_text(encoding="utf-8")) or {}
    stages = yaml.safe_load((tree / "dvc.yaml").read_text(encoding="utf-8")) or {}
    said = [(params.get("models") or {}).get(model), stages.get("stages")]
    return hashlib.sha256(json.dumps(said, sort_keys=True, default=str).encode()).hexdigest()


def write_verdict(tree: Path, model: str, verdict: dict[str, Any]) -> None:
    """Write ``verdict.json`` below a work tree."""
    text = json.dumps({"format": FORMAT, **verdict}, indent=2, sort_keys=True, ensure_ascii=False)
    (tree / VERDICT.format(model=model)).write_text(text + "\n", encoding="utf-8")


def read_verdict(root: Path, version: Version) -> dict[str, Any] | None:
    """The stored verdict of a version, or None where it has none that this version reads."""
    try:
        said = json.loads(read_text(root, version, VERDICT.format(model=version.model)))
    except (UnknownName, ValueError):
        return None
    return said if isinstance(said, dict) and said.get("format") == FORMAT else None


def former_runs(root: Path, model: str) -> list[Run]:
    """The runs that made the versions of a model, newest first."""
    found = []
    for version in versions(root, model):
        said = read_verdict(root, version)
        if said is not None:
            found.append(
                Run(
                    version=version.version,
                    at=datetime.fromisoformat(said["at"]),
                    seconds=float(said["seconds"]["total"]),
                    promote=bool(said["promote"]),
                    by_itself=bool(said["by_itself"]),
                )
            )
    return found

"""What two versions differ in: parameters, the documents that they learned from, and numbers."""

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipelines.config import Config
from pipelines.models.stored import FOLDER, known_version, params_of, verdict_of
from pipelines.registry import Version, checkout_path

Learned = Mapping[str, tuple[str, str]]
"""Document id -> (uri, content hash)."""


def diff_models(config: Config, name: str, first: str, second: str) -> dict[str, Any]:
    """What changed from one version to another.

    Args:
        config: The configuration.
        name: Of the model.
        first: The version to start from.
        second: The other one.

    Raises:
        UnknownName: There is none of that name.
        NotVersioned: The project is not in git.
        RemoteUnavailable: What they learned from cannot be fetched now.
        DataMissing: It is gone for good.
    """
    one, other = (known_version(config, name, version) for version in (first, second))
    said = {v.version: verdict_of(config.root, v) for v in (one, other)}
    with tempfile.TemporaryDirectory(prefix="staleproof-") as scratch:
        before, after = (
            _learned(config.root, version, Path(scratch) / number)
            for number, version in (("first", one), ("second", other))
        )
    return {
        "model": name,
        "from": one.version,
        "to": other.version,
        "parameters": changes(params_of(config.root, one), params_of(config.root, other)),
        "made_of": changes(
            *(v.get("made_of", {}) for v in (said[one.version], said[other.version]))
        ),
        "documents": documents(before, after),
        "publications": [v.get("publication") for v in said.values()],
        "metrics": {version: v.get("metrics", {}) for version, v in said.items()},
        "gate": {version: v.get("promote") for version, v in said.items()},
    }


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, list[Any]]:
    """What has another value: key -> before and after; None where it was not there."""
    return {
        key: [before.get(key), after.get(key)]
        for key in sorted(before.keys() | after.keys())
        if before.get(key) != after.get(key)
    }


def documents(before: Learned, after: Learned) -> dict[str, Any]:
    """Uris of documents that came, went, changed or moved, and how many are as they were."""
    both = before.keys() & after.keys()
    moved = {before[d][0]: after[d][0] for d in both if before[d][0] != after[d][0]}
    changed = sorted(after[d][0] for d in both if before[d][1] != after[d][1])
    return {
        "added": sorted(after[d][0] for d in after.keys() - both),
        "removed": sorted(before[d][0] for d in before.keys() - both),
        "changed": changed,
        "moved": dict(sorted(moved.items())),
        "unchanged": len(both) - len(changed),
    }


def _learned(root: Path, version: Version, into: Path) -> Learned:
    path = f"{FOLDER.format(model=version.model)}/dataset/manifest.jsonl"
    lines = checkout_path(root, version, path, into).read_text(encoding="utf-8").split("\n")
    found = (json.loads(line) for line in lines if line)
    return {one["document"]: (one["uri"], one["content_hash"]) for one in found if one["document"]}

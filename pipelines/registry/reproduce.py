"""Makes a version once more, from nothing but its commit and its tracked inputs, and compares."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.errors import DataMissing, RemoteUnavailable
from pipelines.registry.checkout import weights_path
from pipelines.registry.folder import own_folder, registry_folder
from pipelines.registry.git import git
from pipelines.registry.objects import (
    LOCK,
    oids_of,
    outs_at,
    outs_in,
    text_at,
    training_folder,
)
from pipelines.registry.places import Places, find_places, write_local_config
from pipelines.registry.presence import missing_in_remote
from pipelines.registry.program import DvcFailedError, end_marked, ignore, never, run_dvc
from pipelines.registry.stages import stage_failed
from pipelines.registry.versions import Version


@dataclass(frozen=True, slots=True, kw_only=True)
class Reproduced:
    """What came out."""

    version: Version
    metrics_equal: bool
    weights_equal: bool
    """Byte for byte."""
    differences: tuple[str, ...]
    """What differs, and by how much, for a person."""
    erased: bool
    """Inputs are gone for good: it cannot be made again."""


def reproduce_version(
    root: Path,
    version: Version,
    on_line: Callable[[str], None] = ignore,
    *,
    targets: Sequence[str] = ("evaluate@{model}",),
    metrics: str = "data/training/{model}/evaluation/metrics.json",
    cancelled: Callable[[], bool] = never,
) -> Reproduced:
    """Clone the tag into a temporary folder, fetch the inputs, run the stages with ``-f``, compare.

    The store is not needed. Nothing of the project changes.

    Args:
        root: The project's folder.
        version: Which.
        on_line: Called with each line that DVC and the stages print.
        targets: The last stages.
        metrics: The file that is compared.
        cancelled: Asked several times a second; true ends everything.

    Raises:
        RemoteUnavailable: The inputs cannot be fetched now.
        StageFailed: A stage ended with an error.
        RunCancelled: ``cancelled`` said so.
    """
    places = find_places(root)
    lost = _lost_inputs(root, places, version)
    if lost:
        return Reproduced(
            version=version,
            metrics_equal=False,
            weights_equal=False,
            differences=(f"not reproducible: erased ({lost})",),
            erased=True,
        )
    named = [target.format(model=version.model) for target in targets]
    with own_folder(registry_folder(root) / "clones", version.version) as own:
        clone = own / "clone"
        git(root, "clone", "--quiet", "--shared", "--no-checkout", str(root), str(clone))
        git(clone, "checkout", "--quiet", "--detach", version.commit)
        write_local_config(root, clone, own_cache=True)
        try:
            _pull(own, clone, version)
            _run(own, clone, named, on_line, cancelled)
        finally:
            end_marked(own)
        return _compared(root, clone, version, metrics.format(model=version.model))


def _inputs(root: Path, version: Version) -> list[str]:
    """The pointers of what comes from outside."""
    folder = f"{training_folder(version.model)}/"
    listed = git(root, "ls-tree", "-r", "-z", "--name-only", version.commit, "--", folder)
    return [path for path in listed.split("\0") if path.endswith(".dvc")]


def _lost_inputs(root: Path, places: Places, version: Version) -> str:
    """What the remote lacks of them, for a person; nothing where it has all."""
    texts = {path: text_at(root, version.commit, path) or "" for path in _inputs(root, version)}
    try:
        missing = missing_in_remote(places, oids_of(places, outs_in(texts, version.model)))
    except DataMissing as error:
        return error.message
    return f"the remote lacks {len(missing)} objects of its inputs" if missing else ""


def _pull(own: Path, clone: Path, version: Version) -> None:
    inputs = _inputs(clone, version)
    if not inputs:
        return
    try:
        run_dvc(own, clone, "pull", *inputs)
    except DvcFailedError as error:
        raise RemoteUnavailable(
            f"The inputs of {version.tag} cannot be fetched: {error.message}."
        ) from error


def _run(
    own: Path,
    clone: Path,
    targets: Sequence[str],
    on_line: Callable[[str], None],
    cancelled: Callable[[], bool],
) -> None:
    try:
        run_dvc(own, clone, "repro", "--force", *targets, on_line=on_line, cancelled=cancelled)
    except DvcFailedError as error:
        raise stage_failed(error) from error


def _compared(root: Path, clone: Path, version: Version, metrics: str) -> Reproduced:
    in_dvc = {out.path: out.oid for out in outs_at(root, version.commit, version.model)}
    lock = clone / LOCK
    again = {out.path: out.oid for out in outs_in({LOCK: lock.read_text()}, version.model)}
    weights = weights_path(version.model)
    different = [path for path, oid in in_dvc.items() if path in again and again[path] != oid]
    was = json.loads(text_at(root, version.commit, metrics) or "{}")
    now = json.loads((clone / metrics).read_text()) if (clone / metrics).exists() else {}
    apart = _apart(_flat(was), _flat(now))
    return Reproduced(
        version=version,
        metrics_equal=was == now,
        weights_equal=weights in again and again[weights] == in_dvc.get(weights),
        differences=(*(f"{path} differs" for path in different), *apart),
        erased=False,
    )


def _apart(was: dict[str, Any], now: dict[str, Any]) -> list[str]:
    return [
        f"{name}: {was.get(name)} -> {now.get(name)}"
        for name in sorted(was.keys() | now.keys())
        if was.get(name) != now.get(name)
    ]


def _flat(value: Any, name: str = "") -> dict[str, Any]:
    """Nested metrics by their dotted names."""
    if not isinstance(value, dict):
        return {name: value}
    return {
        key: one
        for inner, below in value.items()
        for key, one in _flat(below, f"{name}.{inner}" if name else str(inner)).items()
    }

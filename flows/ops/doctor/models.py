"""Looks at what makes models and keeps them: weights that serve, project, remote, stage tags."""

import os
from pathlib import Path

from flows.ops.doctor.check import Case, Check, counted, error, ok, skipped, warn
from pipelines.config import Config
from pipelines.embedding import fingerprint
from pipelines.errors import ConfigError, NotVersioned
from pipelines.knowledge import (
    Publication,
    Store,
    find_store,
    model_folder,
    newest,
    newest_verdict,
)
from pipelines.promote import mend_stages
from pipelines.registry import check_project, remote_folder
from pipelines.retrain import STAGES


def look_at_models(case: Case) -> Check:
    """Whether versions can be made, and what serves is there, right, and said to serve."""
    config = case.config
    if not config.models:
        return skipped("no [[models]] in the configuration")
    store = find_store(config.store_uri)
    last = newest(store) if store else None
    return (
        _lost_weights(config, last)
        or _lost_adapters(config, last)
        or _not_versioned(config, last)
        or _no_remote(config)
        or _other_stage(config)
        or _stale(store, last)
        or ok(_said(config, last))
    )


def put_stages_right(case: Case) -> str:
    """The stage tags follow the ledger."""
    mended = mend_stages(case.config)
    failed = [f"{one.model}: {one.error}" for one in mended if one.error]
    if failed:
        return f"not mended: {'; '.join(failed)}"
    names = ", ".join(f"{one.model} {one.serves}" for one in mended)
    return f"the stage tags name what serves: {names}"


def _lost_weights(config: Config, last: Publication | None) -> Check | None:
    """Those of the version whose vectors are served, where the ledger says that they are."""
    if last is None or not last.embedder:
        return None
    [(name, version)] = last.embedder.items()
    mend = f"staleproof promote {name} {version} brings them back; nothing is embedded again."
    folder = config.root / last.model
    if not folder.is_dir():
        return error(
            f"the weights of {name} {version}, which serves, are not in {last.model}", mend
        )
    try:
        if fingerprint(folder) == last.fingerprint:
            return None
    except ConfigError:
        pass  # damaged: as bad as other ones
    return error(
        f"the weights in {last.model} are not those of {name} {version}, which made the vectors"
        f" of publication #{last.number}",
        mend,
    )


def _lost_adapters(config: Config, last: Publication | None) -> Check | None:
    """Those of generators that serve."""
    for name, version in sorted(last.others.items()) if last else ():
        place = model_folder(name, version)
        if not (config.root / place).is_dir():
            return error(
                f"the weights of {name} {version}, which serves, are not in {place}",
                f"staleproof promote {name} {version} brings them back.",
            )
    return None


def _not_versioned(config: Config, last: Publication | None) -> Check | None:
    """A project that only searches need not be in git: it cannot train, and that is all."""
    targets = [f"{stage}@{model.name}" for model in config.models for stage in STAGES]
    try:
        check_project(config.root, stages=targets)
    except NotVersioned as problem:
        if last is not None and last.models:
            return error(problem.message, problem.hint)
        return warn(f"no model can be trained: {problem.message}", problem.hint)
    return None


def _no_remote(config: Config) -> Check | None:
    try:
        folder = remote_folder(config.root)
    except NotVersioned as problem:
        return error(problem.message, problem.hint)
    if folder is None:  # another machine's: a run asks it, before anything is trained
        return None
    place = next(path for path in (folder, *folder.parents) if path.exists())
    if place.is_dir() and os.access(place, os.W_OK | os.X_OK):
        return None
    return error(
        f"the data of versions cannot be written to {_shown(folder, config)}",
        f"Make {_shown(place, config)} a folder that can be written, or name another remote:"
        " dvc remote modify.",
    )


def _shown(folder: Path, config: Config) -> str:
    inside = folder.is_relative_to(config.root)
    return str(folder.relative_to(config.root) if inside else folder)


def _other_stage(config: Config) -> Check | None:
    differing = mend_stages(config, dry=True)
    if not differing:
        return None
    said = ", ".join(
        f"{one.model} {one.serves} serves, its stage tag names {one.said or 'no version'}"
        for one in differing
    )
    return warn(said, "The next promotion or --fix puts the tag right.", fixable=True)


def _stale(store: Store | None, last: Publication | None) -> Check | None:
    """A version that serves and should not any more; a look found it so."""
    for name, version in sorted(last.models.items()) if last else ():
        verdict = newest_verdict(store, name, version)
        if verdict is not None and verdict.verdict == "stale":
            said = f"{name} {version} serves and is stale: {'; '.join(verdict.reasons)}"
            return warn(
                said,
                f"Look with staleproof watch {name} --explain, then staleproof retrain {name}.",
            )
    return None


def _said(config: Config, last: Publication | None) -> str:
    serving = last.models if last else {}
    names = ", ".join(f"{name} {version}" for name, version in sorted(serving.items()))
    return f"{counted(len(config.models), 'model')}; {names or 'no version'} serves"

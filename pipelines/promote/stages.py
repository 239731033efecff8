"""The stage tags follow the ledger: what a run could not do is mended by the next."""

from dataclasses import dataclass

from pipelines.config import Config
from pipelines.errors import NotVersioned, StaleproofError
from pipelines.knowledge import find_store, newest
from pipelines.promote.records import Registry


@dataclass(frozen=True, slots=True)
class Stage:
    """A model whose stage tag says something else than the ledger."""

    model: str
    serves: str
    """The version that the ledger names."""
    said: str | None
    """The version whose stage it was."""
    error: str | None = None
    """Why it still is; None where it was mended."""


def mend_stages(
    config: Config, *, dry: bool = False, registry: Registry | None = None
) -> tuple[Stage, ...]:
    """Puts the version that serves into the stage ``champion``, for each model.

    Where a base serves no version is in the way of it: the stage stays where it was.

    Args:
        config: The configuration.
        dry: Only say what differs.
        registry: Where versions and stages are.

    Returns:
        What differed; empty where nothing serves, and in a project without versions.
    """
    registry = registry or Registry()
    store = find_store(config.store_uri)
    last = newest(store) if store else None
    found = []
    for model, version in sorted(last.models.items()) if last else ():
        try:
            tagged = registry.champion(config.root, model)
            if tagged is not None and tagged.version == version:
                continue
            said = None if tagged is None else tagged.version
        except NotVersioned:
            continue
        error = None
        if not dry:
            try:
                wanted = registry.find_version(config.root, model, version)
                registry.assign_champion(config.root, wanted)
            except StaleproofError as problem:
                error = problem.message
        found.append(Stage(model, version, said, error))
    return tuple(found)

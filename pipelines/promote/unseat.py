"""Takes back a promotion of a generator: one row that names the version before, or none."""

import time
from collections.abc import Sequence

from pipelines.config import Config, ModelConfig
from pipelines.errors import UnknownName
from pipelines.knowledge import (
    Publication,
    Signed,
    Store,
    insert_until_won,
    model_folder,
    publications,
)
from pipelines.promote.records import Demoted, Registry
from pipelines.promote.rows import beside_row


def demote_generator(
    config: Config,
    model: ModelConfig,
    store: Store,
    *,
    signed: Signed,
    registry: Registry | None = None,
) -> Demoted:
    """Makes the version that served before this one serve again; else the base.

    Twice goes two back, never forth. The weights are there before the row names them.

    Args:
        config: The configuration.
        model: The generator.
        store: The store.
        signed: Who does it, when, in which run.
        registry: Where weights are.

    Raises:
        UnknownName: None of its versions serves.
        RegistryError: The weights of the former version cannot be had.
    """
    started, registry = time.perf_counter(), registry or Registry()
    told: list[tuple[str, Publication | None]] = []

    def row(last: Publication) -> Publication:
        version = _serving(last, model)
        former = _former(publications(store), model.name, version)
        told[:] = [(version, former)]
        models = {name: one for name, one in last.models.items() if name != model.name}
        back = "the base"
        if former is not None:
            back = former.models[model.name]
            _fetch(config, model.name, back, registry)
            models[model.name] = back
        reason = f"demotes {model.name}@{version}: back to {back}"
        return beside_row(last, signed, models=models, reason=reason, noted={})

    new = insert_until_won(store, row)
    if new is None:
        raise UnknownName("Nothing is published yet.", hint="Run staleproof refresh.")
    version, former = told[0]
    return Demoted(
        model=model.name,
        version=version,
        serves=model.base if former is None else former.models[model.name],
        publication=new.number,
        restores=None if former is None else former.number,
        withheld=0,
        behind={"added": 0, "changed": 0, "deleted": 0},
        seconds=time.perf_counter() - started,
        kind="generator",
    )


def _serving(last: Publication, model: ModelConfig) -> str:
    if model.name not in last.models:
        raise UnknownName(
            f"No version of {model.name} serves: {model.base} does.", hint="See staleproof models."
        )
    return last.models[model.name]


def _former(rows: Sequence[Publication], model: str, version: str) -> Publication | None:
    """The row before a version came up; None where no other one served then.

    Args:
        rows: All, newest first.
        model: Name of the model.
        version: That serves now.
    """
    first = min(row.number for row in rows if row.models.get(model) == version)
    earlier = next((row for row in rows if row.number < first), None)
    return earlier if earlier is not None and model in earlier.models else None


def _fetch(config: Config, model: str, version: str, registry: Registry) -> None:
    folder = config.root / model_folder(model, version)
    if not folder.is_dir():
        found = registry.find_version(config.root, model, version)
        registry.checkout_model(config.root, found, folder)

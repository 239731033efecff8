"""Which versions of which models there are, and what is known of each."""

from collections.abc import Collection, Mapping
from typing import Any

from pipelines.config import Config
from pipelines.knowledge import Store, find_store, newest, newest_verdict, verdicts
from pipelines.models.samples import samples
from pipelines.models.stored import card_of, known_version, params_of, verdict_of
from pipelines.registry import Version, versions

CHAMPION = "champion"


def list_models(config: Config) -> dict[str, Any]:
    """All versions of all models, newest first, as the interface gives them.

    The ledger says which one serves. A model without a version is listed with its base.

    Raises:
        NotVersioned: The project is not in git.
    """
    store = find_store(config.store_uri)
    serving = _serving(store)
    found = versions(config.root)
    lines = [_line(config, store, serving, version) for version in found]
    named = {version.model for version in found}
    bare = [_bare(model.name) for model in config.models if model.name not in named]
    return {"models": [*lines, *bare]}


def show_model(
    config: Config, name: str, version: str | None = None, *, labels: Collection[str] = ()
) -> dict[str, Any]:
    """One version: what stands in the list, its verdict in full, parameters and card.

    Of a generator also a few of its answers, which are texts: for whoever asked, and no page.

    Args:
        config: The configuration.
        name: Of the model.
        version: Of it; the one that serves by default, else the newest.
        labels: What the reader holds besides ``public``: whose answers are shown.

    Raises:
        UnknownName: There is none.
        NotVersioned: The project is not in git.
    """
    store = find_store(config.store_uri)
    serving = _serving(store)
    found = known_version(config, name, version or serving.get(name))
    said = verdict_of(config.root, found)
    answers = samples(config, found, labels) if said.get("kind") == "generator" else None
    return {
        **_line(config, store, serving, found),
        "commit": found.commit,
        "base_commit": found.base,
        "parameters": params_of(config.root, found),
        "judgement": said,
        "samples": None if answers is None else answers.to_dict(),
        "looks": [
            {"at": look.at.isoformat(), "verdict": look.verdict, "reasons": list(look.reasons)}
            for look in verdicts(store, name)
            if look.version == found.version
        ],
        "card": card_of(config.root, found),
    }


def _serving(store: Store | None) -> Mapping[str, str]:
    last = newest(store) if store else None
    return last.models if last else {}


def _line(
    config: Config, store: Store | None, serving: Mapping[str, str], version: Version
) -> dict[str, Any]:
    said = verdict_of(config.root, version)
    look = newest_verdict(store, version.model, version.version)
    made_of = said.get("made_of", {})
    gate = None if "promote" not in said else "promote" if said["promote"] else "refused"
    return {
        "model": version.model,
        "version": version.version,
        "stage": CHAMPION if serving.get(version.model) == version.version else None,
        "verdict": look.verdict if look else None,
        "gate": gate,
        "metrics": said.get("metrics", {}),
        "data_set": str(made_of.get("material", ""))[:12] or None,
        "documents": said.get("documents"),
        "publication": said.get("publication"),
        "created_at": version.created_at.isoformat(),
    }


def _bare(name: str) -> dict[str, Any]:
    keys = (
        "version", "stage", "verdict", "gate", "data_set", "documents", "publication", "created_at",
    )  # fmt: skip
    return {"model": name, **dict.fromkeys(keys), "metrics": {}}

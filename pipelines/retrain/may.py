"""Reads what the policy of runs that nobody asked for is about: ledger, verdicts, former runs."""

from datetime import datetime

from pipelines.config import Config
from pipelines.knowledge import find_store, newest, newest_verdict
from pipelines.retrain.policy import Decision, may_start
from pipelines.retrain.stored import former_runs


def may_retrain(config: Config, name: str, *, now: datetime) -> Decision:
    """Whether a retraining of a model may start by itself now.

    Raises:
        UnknownName: The configuration has no such model.
        NotVersioned: The project is not in git.
    """
    model = config.model(name)
    store = find_store(config.store_uri)
    last = newest(store) if store else None
    served = last.models.get(name) if last else None
    return may_start(
        model,
        served=served,
        verdict=newest_verdict(store, name, served) if served else None,
        runs=former_runs(config.root, name),
        now=now,
    )

"""What policies would have said: kept looks, or history where there are none, gone through again."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import groupby

from pipelines.config import AnyWatch, Config, GeneratorWatch, ModelConfig
from pipelines.drift import Verdict, begin, look
from pipelines.drift.channels import limit_of
from pipelines.drift.levels import price
from pipelines.drift.records import Observation
from pipelines.knowledge import (
    LookRow,
    Publication,
    Store,
    looks,
    publications,
    published_store,
    readable_states,
)
from pipelines.watch.memory import Forgotten
from pipelines.watch.observe import observe
from pipelines.watch.ports import Ports
from pipelines.watch.records import Replay, ReplayRow
from pipelines.watch.run import hours_cost
from pipelines.watch.subject import Encoders, Subject

_AVOIDED = {
    "embedder": "Loss avoided: what later new documents fell short of min_worth, in MRR@10, summed; it"
    " is known where they were asked about.",
    "generator": "Loss avoided: shares of later changed documents that were answered as before, beyond"
    " max_override, summed; it is known where they were asked about.",
}


def replay(
    config: Config,
    name: str,
    policies: Mapping[str, AnyWatch],
    *,
    now: datetime,
    ports: Ports | None = None,
) -> Replay:
    """Goes through what was seen of a model under policies side by side. Writes nothing.

    Where the model was never looked at, looks are made up from the states that are still kept and
    the questions of their time; no model is loaded for that, so that nothing is known of golden
    questions and of worth, nor of what a generator would answer.

    Args:
        config: The configuration.
        name: Of the model.
        policies: By the names that the rows give them.
        now: The time.
        ports: The models and the registry.

    Raises:
        UnknownName: The configuration has no such model.
        PublicationNotFound: Nothing is published yet.
        RegistryError: What a version learned from cannot be had.
    """
    model = config.model(name)
    store, last = published_store(config)
    kept = looks(store, name)
    seen = kept or _made_up(config, model, (store, last), now, ports or Ports())
    cost = hours_cost(config, model)
    rows = [
        row
        for policy_name, policy in policies.items()
        for row in _under(policy_name, policy, seen, model, cost)
    ]
    return Replay(model=name, rows=tuple(rows), kept=len(kept), said=_said(model.kind, kept, seen))


def _said(kind: str, kept: Sequence[LookRow], seen: Sequence[LookRow]) -> str:
    if kept:
        return f"{len(kept)} looks that were kept. {_AVOIDED[kind]}"
    if seen:
        without = "golden questions and worth" if kind == "embedder" else "what it would answer"
        return (
            f"It was never looked at: {len(seen)} looks are made up from what is still kept, without"
            f" {without}."
        )
    return "No version of it has served: there is nothing to go through."


def _under(
    name: str,
    policy: AnyWatch,
    seen: Sequence[LookRow],
    model: ModelConfig,
    cost: float | None,
) -> list[ReplayRow]:
    rows: list[ReplayRow] = []
    for version, some in groupby(sorted(seen, key=lambda row: row.version), lambda r: r.version):
        state, asked = begin(model.name, version), False
        of_version = [Observation.from_dict(row.observation) for row in some]
        for number, observation in enumerate(of_version):
            state, verdict = look(state, observation, policy, cost=cost)
            # Stale lasts until another version serves: one retraining is asked for.
            retrain = verdict.level == "stale" and not asked
            asked = asked or retrain
            rows.append(
                ReplayRow(
                    policy=name,
                    at=observation.at.isoformat(),
                    look=observation.look,
                    version=version,
                    level=verdict.level,
                    evidence=_evidence(verdict),
                    exposure=verdict.exposure,
                    retrain=retrain,
                    cost=price(policy, cost) if retrain else None,
                    avoided=_short(of_version[number + 1 :], policy) if retrain else 0.0,
                )
            )
    return sorted(rows, key=lambda row: row.at)


def _evidence(verdict: Verdict) -> dict[str, float]:
    return {one.name: one.evidence / one.threshold for one in verdict.signals}


def _short(later: Sequence[Observation], policy: AnyWatch) -> float:
    channel = "override" if isinstance(policy, GeneratorWatch) else "worth"
    limit = limit_of(channel, policy)
    return sum(max(0.0, limit - score) for one in later for score in one.scores.get(channel, ()))


def _made_up(
    config: Config,
    model: ModelConfig,
    published: tuple[Store, Publication],
    now: datetime,
    ports: Ports,
) -> list[LookRow]:
    """A look at each state of the version that serves that is still kept, and one today."""
    store, last = published
    version = last.models.get(model.name)
    if version is None:
        return []
    served = [row for row in publications(store) if row.models.get(model.name) == version]
    readable = readable_states(store, {row.generation for row in served})
    states = [row for row in reversed(served) if row.state in readable]
    memory, past = Forgotten(), tuple[LookRow, ...]()
    for row, at in (*((row, row.at) for row in states), (last, now)):
        subject = Subject(
            config=config,
            model=model,
            version=version,
            store=store,
            last=row,
            past=past,
            run=f"replay-{len(past) + 1}",
            now=at,
            encoders=Encoders(config, store, row, at, ports),
            ports=ports,
            memory=memory,
        )
        looked = observe(subject, models=False)
        if looked.is_kept:
            past = (*past, subject.row(looked.observation))
    return list(past)

"""The order of a watch: see what happened, fold it in, keep the look, tell what has changed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from pipelines.config import Config, ModelConfig
from pipelines.drift import State, begin, look
from pipelines.drift.records import Observation, Verdict
from pipelines.errors import StaleproofError, WatchRunning
from pipelines.knowledge import (
    LookRow,
    Publication,
    Store,
    VerdictRow,
    keep_look,
    looks,
    newest,
    open_store,
    published_store,
    record_verdict,
    verdicts,
    watch_lock,
)
from pipelines.records import Happened, Progress, Step, call, ignore
from pipelines.retrain.stored import former_runs
from pipelines.watch.inputs import remember
from pipelines.watch.memory import Stored
from pipelines.watch.observe import observe
from pipelines.watch.ports import Ports
from pipelines.watch.records import Report, Watched
from pipelines.watch.subject import Encoders, Subject

Listener = Callable[[Progress | Happened], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Context:
    """One watch."""

    config: Config
    store: Store
    last: Publication
    encoders: Encoders
    run: str
    now: datetime
    on_event: Listener
    ports: Ports

    def subject(self, model: ModelConfig, version: str, past: tuple[LookRow, ...]) -> Subject:
        """What is looked at of one model."""
        return Subject(
            config=self.config,
            model=model,
            version=version,
            store=self.store,
            last=self.last,
            past=past,
            run=self.run,
            now=self.now,
            encoders=self.encoders,
            ports=self.ports,
            memory=Stored(self.store, model.name, version),
        )


def watch_models(
    config: Config,
    names: Sequence[str] = (),
    *,
    now: datetime,
    run_id: str,
    step: Step = call,
    on_event: Listener = ignore,
    ports: Ports | None = None,
) -> Report:
    """Looks at the models that serve, and says of each whether it is fresh, to be watched or stale.

    A look in which nothing has happened is not kept and changes nothing. One that was stopped is
    gone through again, and counts once. What one model cannot be asked does not keep the others
    waiting: the report has its error, which is raised only where none could be looked at.

    Args:
        config: The configuration.
        names: Of the models; none means all.
        now: The time.
        run_id: Names the look; the same one again says the same again.
        step: Runs one stage.
        on_event: Hears of progress, and of each model that has become another: a version's level
            changed, or it was looked at for the first time.
        ports: The models and the registry.

    Raises:
        UnknownName: The configuration has no such model.
        PublicationNotFound: Nothing is published yet.
        WatchRunning: Another watch of this store is at work.
        EmbedderChanged: The embedder gives other vectors than those in the store.
        RegistryError: What a version learned from cannot be had.
    """
    models = [config.model(name) for name in names] or list(config.models)
    _, found = published_store(config)
    store = open_store(config.store_uri, now=now)  # one that was made before has fewer tables
    with watch_lock(store, run=run_id, now=now):
        last = newest(store) or found
        ports = ports or Ports()
        context = _Context(
            config=config,
            store=store,
            last=last,
            encoders=Encoders(config, store, last, now, ports),
            run=run_id,
            now=now,
            on_event=on_event,
            ports=ports,
        )
        watched: list[Watched] = []
        errors: list[StaleproofError] = []
        for number, model in enumerate(models):
            on_event(Progress("watch", number, len(models)))
            try:
                watched.append(step(f"look at {model.name}", _watched, context, model))
            except StaleproofError as error:
                errors.append(error)
        on_event(Progress("watch", len(models), len(models)))
    if errors and not watched:
        raise errors[0]
    return Report(look=run_id, models=tuple(watched), error=next(iter(errors), None))


def _watched(context: _Context, model: ModelConfig) -> Watched:
    version = context.last.models.get(model.name)
    if version is None:
        said = "no version of it serves: there is nothing to look at"
        return Watched(model=model.name, version=None, verdict=None, said=said)
    past = tuple(looks(context.store, model.name, version))
    # A look that was stopped after it was kept has still to be told.
    told = _tell(context, past[-1]) if past else False
    already = next((row for row in past if row.look == context.run), None)
    if already is not None:  # this run may have been stopped before it showed what it saw
        happened = Observation.from_dict(already.observation)
        found = _unchanged(model, version, past, "it was looked at already", told)
        return replace(found, happened=happened)
    subject = context.subject(model, version, past)
    looked = observe(subject)
    if not looked.is_kept:
        if looked.whole:
            remember(subject, past[-1].id, looked.inputs)
        return _unchanged(model, version, past, looked.said, told)
    row, verdict = _kept(subject, looked.observation)
    if looked.whole:
        remember(subject, row.id, looked.inputs)
    changed = _tell(context, row)
    return Watched(
        model=model.name,
        version=version,
        verdict=verdict,
        said=looked.said,
        changed=changed or told,
        happened=looked.observation,
        history=(*past, row),
    )


def _unchanged(
    model: ModelConfig, version: str, past: tuple[LookRow, ...], said: str, told: bool
) -> Watched:
    return Watched(
        model=model.name,
        version=version,
        verdict=Verdict.from_dict(past[-1].verdict) if past else None,
        said=said,
        changed=told,
        history=past,
    )


def _kept(subject: Subject, seen: Observation) -> tuple[LookRow, Verdict]:
    """Folds a look in and writes it down: from here on it has happened."""
    past, model = subject.past, subject.model
    state = State.from_json(past[-1].state) if past else begin(model.name, subject.version)
    state, verdict = look(state, seen, subject.policy, cost=hours_cost(subject.config, model))
    row = subject.row(seen, state=state.to_json(), verdict=verdict.to_dict())
    if not keep_look(subject.store, row):
        raise WatchRunning(
            f"Somebody else has just looked at {model.name}.",
            hint="Nothing was done; try again later.",
        )
    return row, verdict


def hours_cost(config: Config, model: ModelConfig) -> float | None:
    """Of the hours of one retraining, by the newest run; None where no price is known."""
    if not config.prices.train_hour:
        return None
    runs = former_runs(config.root, model.name)
    return runs[0].seconds / 3600 * config.prices.train_hour if runs else None


def _tell(context: _Context, row: LookRow) -> bool:
    """Writes down and tells what a look says, if it is another thing than was said before."""
    level = row.verdict["level"]
    said = [one for one in verdicts(context.store, row.model) if one.version == row.version]
    if said and said[0].verdict == level:
        return False
    attempt = 1 + sum(one.verdict == level for one in said)
    told = VerdictRow(
        id=f"{row.model}/{row.version}/{level}/{attempt}",
        model=row.model,
        version=row.version,
        at=row.at,
        verdict=level,
        reasons=tuple(row.verdict["reasons"]),
        look=row.look,
        attempt=attempt,
    )
    record_verdict(context.store, told)
    payload = {
        "knowledge": context.config.knowledge.name,
        "id": told.id,
        "version": told.version,
        "verdict": told.verdict,
        "attempt": told.attempt,
        "reasons": list(told.reasons),
    }
    context.on_event(Happened(f"model.{level}", f"model.{row.model}", payload))
    return True

"""What changed since a version learned it: does it answer as before, though the passage says otherwise."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from pipelines.config import GeneratorWatch
from pipelines.drift.records import MOST_NATS, Bet, Held
from pipelines.knowledge import model_folder
from pipelines.registry.checkout import weights_path
from pipelines.retrain.snapshot import FOLDER
from pipelines.training import Snapshot
from pipelines.training.generator.base import PACKAGED
from pipelines.training.generator.prompts import messages, uncited
from pipelines.training.generator.scores import holds
from pipelines.training.records import digest
from pipelines.watch.changed_facts import (
    changed_documents,
    changed_facts,
    evaluation_of,
    note_nothing,
    some_documents,
)
from pipelines.watch.facts import Fact, both
from pipelines.watch.learned import snapshot_of
from pipelines.watch.ports import Generator
from pipelines.watch.subject import Subject

OVERRIDE: Bet = "override"
MEMORY: Bet = "memory"


@dataclass(frozen=True, slots=True)
class Answered:
    """What a look saw of documents whose facts have changed."""

    scores: dict[Bet, tuple[float, ...]] = field(default_factory=dict)
    """One of each document, as ``Observation`` has it."""
    held: tuple[Held, ...] = ()
    left: int = 0
    """Documents that the next look will ask about."""
    waits: str = ""
    """Why nothing could be asked now."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a version did with one fact."""

    as_before: bool
    ours: float | None
    """Nats a token by which the version prefers the former value; None where no other is known."""
    theirs: float | None
    """The same of its base."""


def look_at_facts(subject: Subject, policy: GeneratorWatch) -> Answered:
    """Asks a version about facts that changed in documents that it learned from, each fact once.

    The version is loaded only if there is something to ask. How it answers with the passage of
    today in the prompt is its override; how much it expects the former value, more than its base
    does, where it has no passage, is its memory. Both are of one document: its facts depend on each
    other, and what did not change says nothing.

    Raises:
        ConfigError: The base cannot be found or had.
        TrainingError: It is another one by now.
        UnknownName: The version has no data.
        RemoteUnavailable: They cannot be fetched now.
        DataMissing: They are gone, or damaged.
    """
    changed = changed_documents(subject)
    if not changed:
        return Answered()
    with snapshot_of(
        subject.config.root, subject.model.name, subject.version, subject.ports
    ) as snapshot:
        facts = changed_facts(subject, policy, snapshot, changed)
        if policy.override:  # else facts that are gone may be asked about one day
            note_nothing(subject, {uri: changed[uri] for uri in changed.keys() - facts.keys()})
        chosen, left = some_documents(facts, policy.max_facts)
        if not chosen:
            return Answered()
        generator = _generator(subject, snapshot)
        asked = _asked(generator, [fact for some in chosen.values() for fact in some])
    published = subject.today.published
    held = {
        uri: _held(
            changed[uri],
            published[changed[uri]].policy.domain,
            [asked[fact.key] for fact in some],
        )
        for uri, some in chosen.items()
    }
    scores = _kept(subject, policy, held, facts, asked)
    return Answered(scores, tuple(held.values()), left)


def _generator(subject: Subject, snapshot: Snapshot) -> Generator:
    root, model, ports = subject.config.root, subject.model.name, subject.ports
    found = ports.find_version(root, model, subject.version)
    adapter = ports.checkout_path(
        root, found, weights_path(model), root / model_folder(model, subject.version)
    )
    if snapshot.facts.base.model != PACKAGED:
        base = f"{FOLDER.format(model=model)}/base"
        ports.checkout_path(root, found, base, snapshot.folder / "base")
    return ports.load_generator(snapshot, adapter)


def _asked(generator: Generator, facts: Sequence[Fact]) -> dict[str, _Asked]:
    """What the version did with each fact, by key."""
    prompts = [messages(fact.question, [fact.passage]) for fact in facts]
    said = map(uncited, generator.answers(prompts))
    as_before = {
        fact.key: holds(text, fact.former) and not (fact.fresh and holds(text, fact.fresh))
        for fact, text in zip(facts, said, strict=True)
    }
    ours, theirs = (_preferences(generator, facts, tuned=tuned) for tuned in (True, False))
    return {key: _Asked(old, ours.get(key), theirs.get(key)) for key, old in as_before.items()}


def _preferences(generator: Generator, facts: Sequence[Fact], *, tuned: bool) -> dict[str, float]:
    """By how many nats a token each former value is likelier than that of today, without passages."""
    pairs = {
        fact.key: (messages(fact.question, []), answers)
        for fact in facts
        if (answers := both(fact)) is not None
    }
    items = [(prompt, one.text, one.span) for prompt, answers in pairs.values() for one in answers]
    losses = generator.losses(items, tuned=tuned) if items else []
    return {
        key: today - former
        for key, former, today in zip(pairs, losses[::2], losses[1::2], strict=True)
    }


def _kept(
    subject: Subject,
    policy: GeneratorWatch,
    held: Mapping[str, Held],
    facts: Mapping[str, Sequence[Fact]],
    asked: Mapping[str, _Asked],
) -> dict[Bet, tuple[float, ...]]:
    """Writes down one score a document and channel, with the facts that it rests on.

    Args:
        subject: What is looked at.
        policy: Says which channels count.
        held: By uri that was learned from, what came of those that were asked about.
        facts: All of them that changed, by the same uri.
        asked: What came of each fact.
    """
    scores: dict[Bet, list[float]] = {OVERRIDE: [], MEMORY: []}
    for uri in sorted(held, key=lambda uri: digest(subject.run, uri)):
        one, keys = held[uri], " ".join(sorted(fact.key for fact in facts[uri]))
        share = one.as_before / one.facts
        made = [evaluation_of(subject, OVERRIDE, (uri, one.uri), keys, (share, 0.0))]
        scores[OVERRIDE].append(-share + 0.0)
        if one.memory is not None:
            pair = _means(asked[fact.key] for fact in facts[uri] if fact.key in asked)
            made.append(evaluation_of(subject, MEMORY, (uri, one.uri), keys, pair or (0.0, 0.0)))
            scores[MEMORY].append(-min(1.0, max(0.0, one.memory) / MOST_NATS) + 0.0)
        subject.memory.keep_evaluations(made)
    return {name: tuple(some) for name, some in scores.items() if some and policy.shares[name] > 0}


def _held(place: str, domain: str, found: Sequence[_Asked]) -> Held:
    """What came of the facts of one document."""
    pair = _means(found)
    return Held(
        uri=place,
        domain=domain,
        facts=len(found),
        as_before=sum(one.as_before for one in found),
        memory=None if pair is None else pair[0] - pair[1],
    )


def _means(found: Iterable[_Asked]) -> tuple[float, float] | None:
    """Of the preferences of the version and of its base; None where no value of today is known."""
    known = [(a.ours, a.theirs) for a in found if a.ours is not None and a.theirs is not None]
    if not known:
        return None
    ours, theirs = zip(*known, strict=True)
    return math.fsum(ours) / len(known), math.fsum(theirs) / len(known)

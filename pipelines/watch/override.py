"""What changed since a version learned it: does it answer as before, though the passage says otherwise."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from pipelines.config import GeneratorWatch
from pipelines.drift.records import Bet, Held
from pipelines.knowledge import Evaluation, model_folder, rows_of
from pipelines.registry.checkout import weights_path
from pipelines.retrain.snapshot import FOLDER
from pipelines.training import Snapshot
from pipelines.training.generator.base import PACKAGED
from pipelines.training.generator.evidence import Library, text_of
from pipelines.training.generator.prompts import messages
from pipelines.training.generator.scores import holds
from pipelines.training.records import digest
from pipelines.watch.exposure import standing_of
from pipelines.watch.facts import Answer, Fact, now, told
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
    changed = _changed(subject)
    if not changed:
        return Answered()
    with snapshot_of(
        subject.config.root, subject.model.name, subject.version, subject.ports
    ) as snapshot:
        facts = _facts(subject, policy, snapshot, changed)
        chosen, left = _chosen(facts, policy.max_facts)
        if not chosen:
            return Answered()
        generator = _generator(subject, snapshot)
        asked = _asked(generator, [fact for some in chosen.values() for fact in some])
    return _kept(subject, policy, chosen, changed, asked, left)


def _changed(subject: Subject) -> dict[str, str]:
    """Where documents are today that were learned from, may still be, and say something else."""
    manifest = subject.learned
    standing = standing_of(subject, manifest)
    learned = {line.uri: line.content_hash for line in manifest.lines if line.uri}
    return {
        uri: place
        for uri, place in standing.at.items()
        if standing.content[place] != learned[uri] and uri not in standing.forbidden
    }


def _facts(
    subject: Subject, policy: GeneratorWatch, snapshot: Snapshot, changed: Mapping[str, str]
) -> dict[str, list[Fact]]:
    """By uri that was learned from, the facts of it that are others today and were never asked."""
    known = {
        key
        for one in subject.memory.evaluated()
        if one.channel in (OVERRIDE, MEMORY) and subject.counts(one)
        for key in one.evidence.split()
    }
    library = Library(snapshot, 0.0)
    ids = {row["document"] for row in library.documents.values() if row["uri"] in changed}
    today = _today(subject, changed.values())
    found: dict[str, list[Fact]] = defaultdict(list)
    for example in snapshot.voice:
        if not example.fact or not ids & set(example.documents):
            continue
        for row in library.evidence(example) or ():
            text = text_of(row)
            if row["document"] not in ids or not holds(text, example.fact):
                continue
            moved = now(example.fact, text, today[changed[row["uri"]]])
            if moved is not None:
                fact = Fact(
                    example=example.id,
                    question=example.question,
                    answer=example.answer,
                    former=example.fact,
                    fresh=moved[0],
                    passage=moved[1],
                )
                asks = fact.key not in known and (policy.override or _both(fact))
                found[row["uri"]] += [fact] if asks else []
            break  # a fact that stands in two documents is asked of the first
    return {uri: some for uri, some in found.items() if some}


def _today(subject: Subject, places: Iterable[str]) -> dict[str, list[str]]:
    """The passages of some documents as they are published, as prompts show them."""
    columns = ["uri", "position", "prefix", "text"]
    rows = rows_of(subject.store, subject.last.state, sorted(set(places)), columns=columns)
    found: dict[str, list[str]] = defaultdict(list)
    for row in rows.to_pylist():
        found[row["uri"]].append(text_of(row))
    return found


def _chosen(facts: Mapping[str, list[Fact]], most: int) -> tuple[dict[str, list[Fact]], int]:
    """Whole documents by hash, of ``most`` facts together; and how many documents are left."""
    chosen: dict[str, list[Fact]] = {}
    room = most
    for uri in sorted(facts, key=digest):
        some = sorted(facts[uri], key=lambda fact: fact.key)[:most]
        if len(some) > room:
            break
        chosen[uri] = some
        room -= len(some)
    return chosen, len(facts) - len(chosen)


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
    said = generator.answers([messages(fact.question, [fact.passage]) for fact in facts])
    as_before = {
        fact.key: holds(text, fact.former) and not (fact.fresh and holds(text, fact.fresh))
        for fact, text in zip(facts, said, strict=True)
    }
    ours, theirs = (_preferences(generator, facts, tuned=tuned) for tuned in (True, False))
    return {key: _Asked(old, ours.get(key), theirs.get(key)) for key, old in as_before.items()}


def _preferences(generator: Generator, facts: Sequence[Fact], *, tuned: bool) -> dict[str, float]:
    """By how many nats a token each former value is likelier than that of today, without passages."""
    pairs = {
        fact.key: (messages(fact.question, []), both)
        for fact in facts
        if (both := _both(fact)) is not None
    }
    items = [(prompt, one.text, one.span) for prompt, both in pairs.values() for one in both]
    losses = generator.losses(items, tuned=tuned) if items else []
    return {
        key: today - former
        for key, former, today in zip(pairs, losses[::2], losses[1::2], strict=True)
    }


def _both(fact: Fact) -> tuple[Answer, Answer] | None:
    """The answer with either value; None where that of today is not known."""
    return told(fact.answer, fact.former, fact.fresh) if fact.fresh else None


def _kept(
    subject: Subject,
    policy: GeneratorWatch,
    chosen: Mapping[str, Sequence[Fact]],
    places: Mapping[str, str],
    asked: Mapping[str, _Asked],
    left: int,
) -> Answered:
    """One score a document and channel, written down with the facts that it rests on."""
    scores: dict[Bet, list[float]] = {OVERRIDE: [], MEMORY: []}
    held = []
    for uri in sorted(chosen, key=lambda uri: digest(subject.run, uri)):
        facts = chosen[uri]
        found = [asked[fact.key] for fact in facts]
        as_before = sum(one.as_before for one in found)
        share = as_before / len(found)
        known = [(a.ours, a.theirs) for a in found if a.ours is not None and a.theirs is not None]
        ours, theirs = np.mean(known, axis=0).tolist() if known else (0.0, 0.0)
        made = [_evaluation(subject, OVERRIDE, uri, places[uri], facts, (share, 0.0))]
        scores[OVERRIDE].append(-share + 0.0)
        if known:
            made.append(_evaluation(subject, MEMORY, uri, places[uri], facts, (ours, theirs)))
            scores[MEMORY].append(-min(1.0, max(0.0, ours - theirs)) + 0.0)
        subject.memory.keep_evaluations(made)
        held.append(
            Held(
                uri=places[uri],
                domain=made[0].domain,
                facts=len(found),
                as_before=as_before,
                memory=ours - theirs if known else None,
            )
        )
    counted = {name: some for name, some in scores.items() if some and policy.shares[name] > 0}
    return Answered({name: tuple(some) for name, some in counted.items()}, tuple(held), left)


def _evaluation(
    subject: Subject,
    channel: Bet,
    uri: str,
    place: str,
    facts: Sequence[Fact],
    scores: tuple[float, float],
) -> Evaluation:
    return Evaluation(
        model=subject.model.name,
        version=subject.version,
        channel=channel,
        item=uri,
        evidence=" ".join(sorted(fact.key for fact in facts)),
        uri=place,
        domain=subject.today.published[place].policy.domain,
        ours=scores[0],
        theirs=scores[1],
        look=subject.run,
        at=subject.now,
    )

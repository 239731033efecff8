"""Which facts that a version learned are others today, and were never asked about."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from pipelines.config import GeneratorWatch
from pipelines.knowledge import Evaluation, rows_of
from pipelines.training import Snapshot, VoiceExample
from pipelines.training.generator.evidence import Library, Row, text_of
from pipelines.training.generator.scores import holds
from pipelines.training.records import BESIDE, digest
from pipelines.watch.exposure import standing_of
from pipelines.watch.facts import Fact, both, now
from pipelines.watch.subject import Subject
from pipelines.watch.worth import UNASKED

CHANNELS = ("override", "memory")


def changed_documents(subject: Subject) -> dict[str, str]:
    """Where documents are today that were learned from, may still be, and say something else.

    But for those of which it is known that nothing is to be asked.
    """
    manifest = subject.learned
    known = subject.memory.evaluated(UNASKED)
    nothing = {(one.item, one.evidence) for one in known}
    standing = standing_of(subject, manifest)
    learned = {
        line.uri: line.content_hash for line in manifest.lines if line.uri and line.kind != BESIDE
    }
    return {
        uri: place
        for uri, place in standing.at.items()
        if standing.content[place] != learned[uri]
        and uri not in standing.forbidden
        and (uri, standing.content[place]) not in nothing
    }


def note_nothing(subject: Subject, documents: Mapping[str, str]) -> None:
    """Writes down that nothing is to be asked about documents as they are: no look fetches texts again.

    Args:
        subject: What is looked at.
        documents: Uri that was learned from -> where the document is today.
    """
    published = subject.today.published
    made = [
        evaluation_of(subject, UNASKED, (uri, place), published[place].content_hash, (0.0, 0.0))
        for uri, place in sorted(documents.items())
    ]
    subject.memory.keep_evaluations(made)


def changed_facts(
    subject: Subject, policy: GeneratorWatch, snapshot: Snapshot, changed: Mapping[str, str]
) -> dict[str, list[Fact]]:
    """By uri that was learned from, the facts of it that are others today and were never asked."""
    known = {
        key
        for one in subject.memory.evaluated()
        if one.channel in CHANNELS and subject.counts(one)
        for key in one.evidence.split()
    }
    library = Library(snapshot, 0.0)
    ids = {row["document"] for row in library.documents.values() if row["uri"] in changed}
    today = _today(subject, changed.values())
    found: dict[str, list[Fact]] = defaultdict(list)
    for example in snapshot.voice:
        row = _home(example, library) if ids & set(example.documents) else None
        if row is None or row["document"] not in ids:
            continue
        then = {text_of(other) for other in library.passages[row["document"]]} - {text_of(row)}
        # What stood beside it and stands there still did not come in its place.
        texts = [text for text in today[changed[row["uri"]]] if text not in then]
        moved = now(example.fact, text_of(row), texts)
        fact = None if moved is None else _fact(example, *moved)
        if fact is not None and fact.key not in known and (policy.override or both(fact)):
            found[row["uri"]].append(fact)
    return dict(found)


def _home(example: VoiceExample, library: Library) -> Row | None:
    """The passage that an example has its fact from; None where it has none."""
    rows = (library.evidence(example) or ()) if example.fact else ()
    return next((row for row in rows if holds(text_of(row), example.fact)), None)


def _fact(example: VoiceExample, fresh: str, passage: str) -> Fact:
    return Fact(
        example=example.id,
        question=example.question,
        answer=example.answer,
        former=example.fact,
        fresh=fresh,
        passage=passage,
    )


def _today(subject: Subject, places: Iterable[str]) -> dict[str, list[str]]:
    """The passages of some documents as they are published, as prompts show them."""
    columns = ["uri", "position", "prefix", "text"]
    rows = rows_of(subject.store, subject.last.state, sorted(set(places)), columns=columns)
    found: dict[str, list[str]] = defaultdict(list)
    for row in rows.to_pylist():
        found[row["uri"]].append(text_of(row))
    return found


def some_documents(facts: Mapping[str, list[Fact]], most: int) -> tuple[dict[str, list[Fact]], int]:
    """Documents by hash, of ``most`` facts together; and how many documents are left.

    Of a document with more than that the others are never asked: it counts once.
    """
    chosen: dict[str, list[Fact]] = {}
    room = most
    for uri in sorted(facts, key=digest):
        some = sorted(facts[uri], key=lambda fact: fact.key)[:most]
        if len(some) > room:
            break
        chosen[uri] = some
        room -= len(some)
    return chosen, len(facts) - len(chosen)


def evaluation_of(
    subject: Subject,
    channel: str,
    document: tuple[str, str],
    evidence: str,
    scores: tuple[float, float],
) -> Evaluation:
    """Of a document by the uri that was learned from and that of today."""
    learned, place = document
    return Evaluation(
        model=subject.model.name,
        version=subject.version,
        channel=channel,
        item=learned,
        evidence=evidence,
        uri=place,
        domain=subject.today.published[place].policy.domain,
        ours=scores[0],
        theirs=scores[1],
        look=subject.run,
        at=subject.now,
    )

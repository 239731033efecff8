"""Golden questions, asked again where what they find has changed: now against the first time."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from pipelines.knowledge import Evaluation
from pipelines.quality.canaries import Canary, question_vectors, read_canaries
from pipelines.watch.nearest import Found, nearest
from pipelines.watch.subject import Subject, hashed

CHANNEL = "golden"


@dataclass(frozen=True, slots=True)
class Golden:
    """What a look saw of the golden questions."""

    scores: tuple[float, ...] = ()
    """Now minus the first time, of each that found something else than ever before."""
    first: int = 0
    """Asked for the first time: what they find is what later looks compare with."""
    lost: int = 0
    """Their document is not published: they were not asked."""


def look_at_golden(subject: Subject) -> Golden:
    """Asks the golden questions whose answers may have changed, by the embedder that serves.

    Raises:
        ConfigError: A golden question is broken.
    """
    canaries = read_canaries(subject.config.golden)
    known = subject.memory.evaluated(CHANNEL)
    places = {canary.id: _place(subject, canary.uri) for canary in canaries}
    asked = [canary for canary in canaries if places[canary.id] is not None]
    lost = len(canaries) - len(asked)
    if not asked or (_same_published(subject) and {_item(one) for one in asked} <= _items(known)):
        return Golden(lost=lost)
    vectors = question_vectors(
        subject.store,
        subject.last.fingerprint,
        asked,
        subject.encoders.serving,
        now=subject.now,
    )
    found = nearest(
        subject.store, subject.last.state, vectors, withheld=frozenset(subject.last.withheld)
    )
    made = [
        _evaluation(subject, canary, str(places[canary.id]), one)
        for canary, one in zip(asked, found, strict=True)
    ]
    return _compared(subject, made, known, lost)


def _compared(
    subject: Subject, made: Sequence[Evaluation], known: Sequence[Evaluation], lost: int
) -> Golden:
    first: dict[str, Evaluation] = {}
    for one in known:  # the first time stands, whatever became of the look that made it
        first.setdefault(one.item, one)
    counted = {one.of for one in known if subject.counts(one)}
    counted |= {one.of for one in first.values()}
    new = sorted(
        (one for one in made if one.of not in counted), key=lambda one: hashed(subject.run, one.of)
    )
    kept = [_against(one, first.get(one.item, one)) for one in new]
    subject.memory.keep_evaluations(kept)
    scores = tuple(one.ours - one.theirs for one in kept if one.item in first)
    return Golden(scores, len(kept) - len(scores), lost)


def _against(made: Evaluation, first: Evaluation) -> Evaluation:
    return replace(made, theirs=first.ours)


def _evaluation(subject: Subject, canary: Canary, uri: str, found: Found) -> Evaluation:
    return Evaluation(
        model=subject.model.name,
        version=subject.version,
        channel=CHANNEL,
        item=_item(canary),
        evidence=hashed(*found.texts),
        uri=uri,
        domain=subject.today.published[uri].policy.domain,
        ours=found.reciprocal_rank(uri),
        theirs=0.0,
        look=subject.run,
        at=subject.now,
    )


def _item(canary: Canary) -> str:
    """A question in other words, or of another document, is another one."""
    return hashed(canary.id, canary.question, canary.uri)


def _items(known: Sequence[Evaluation]) -> set[str]:
    return {one.item for one in known}


def _same_published(subject: Subject) -> bool:
    return bool(subject.past) and subject.past[-1].publication == subject.last.number


def _place(subject: Subject, uri: str) -> str | None:
    """Where its document is published today; None where it is not, or nobody may see it."""
    today, passed = subject.today, set[str]()
    at: str | None = uri
    while at is not None and at not in passed:
        if at in today.published:
            return None if at in subject.last.withheld else at
        passed.add(at)
        known = today.remembered(at)
        at = known.moved_to if known else None
    return None

"""Golden questions, asked again where most of what they find is new: now against the first time.

A page that is edited every day is among the first ten of many questions. If each of its edits made
their answers new, one rank that was lost once would be counted every day until it were evidence.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from pipelines.knowledge import Evaluation
from pipelines.quality.canaries import Canary, question_vectors, read_canaries
from pipelines.retrain.allowed import place_today
from pipelines.training.records import digest
from pipelines.watch.nearest import Found, nearest
from pipelines.watch.subject import Subject

CHANNEL = "golden"
_NEW = 0.5
"""Part of the passages found that must be others than when the question last counted."""
_DIGITS = 12
"""Of a passage's hash, to know it again among ten."""


@dataclass(frozen=True, slots=True)
class Golden:
    """What a look saw of the golden questions."""

    scores: tuple[float, ...] = ()
    """Now minus the first time, of each that finds mostly other passages than when it last counted."""
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
    last: dict[str, Evaluation] = {}
    for one in known:  # the first time stands, whatever became of the look that made it
        if first.setdefault(one.item, one) is one or subject.counts(one):
            last[one.item] = one
    new = sorted(
        (one for one in made if one.item not in last or _is_news(one, last[one.item])),
        key=lambda one: digest(subject.run, one.of),
    )
    kept = [_against(one, first.get(one.item, one)) for one in new]
    subject.memory.keep_evaluations(kept)
    scores = tuple(one.ours - one.theirs for one in kept if one.item in first)
    return Golden(scores, len(kept) - len(scores), lost)


def _is_news(made: Evaluation, before: Evaluation) -> bool:
    found, former = set(made.evidence.split()), set(before.evidence.split())
    return bool(found) and len(found - former) >= _NEW * len(found)


def _against(made: Evaluation, first: Evaluation) -> Evaluation:
    return replace(made, theirs=first.ours)


def _evaluation(subject: Subject, canary: Canary, uri: str, found: Found) -> Evaluation:
    return Evaluation(
        model=subject.model.name,
        version=subject.version,
        channel=CHANNEL,
        item=_item(canary),
        evidence=" ".join(text[:_DIGITS] for text in found.texts),
        uri=uri,
        domain=subject.today.published[uri].policy.domain,
        ours=found.reciprocal_rank(uri),
        theirs=0.0,
        look=subject.run,
        at=subject.now,
    )


def _item(canary: Canary) -> str:
    """A question in other words, or of another document, is another one."""
    return digest(canary.id, canary.question, canary.uri)


def _items(known: Sequence[Evaluation]) -> set[str]:
    return {one.item for one in known}


def _same_published(subject: Subject) -> bool:
    return bool(subject.past) and subject.past[-1].publication == subject.last.number


def _place(subject: Subject, uri: str) -> str | None:
    """Where its document is published today; None where it is not, or nobody may see it."""
    at = place_today(uri, subject.today)
    return None if at in subject.last.withheld else at

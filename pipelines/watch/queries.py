"""Questions since the look before, as bins: what is asked about, and how new it is."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
import numpy.typing as npt

from pipelines.drift import Novelty, Topics, fit_novelty, fit_topics
from pipelines.drift.records import Binned, Moved
from pipelines.knowledge import AskedQuery, Reference, asked_between
from pipelines.records import Vectors
from pipelines.training.records import digest
from pipelines.watch.moved import moved
from pipelines.watch.reference import BAG, FIT, halves, kept_references, part_of, take
from pipelines.watch.subject import GRACE, Subject

CHANNEL, CENTRES = "queries", "topics"


@dataclass(frozen=True, slots=True)
class Questions:
    """What a look saw of the questions."""

    asked: int = 0
    """Since the look before, repeated ones too."""
    bags: dict[str, tuple[int, ...]] = field(default_factory=dict)
    bins: dict[str, tuple[int, ...]] = field(default_factory=dict)
    moved: tuple[Moved, ...] = ()
    waits: str = ""
    """What is missing before any can be compared."""


@dataclass(frozen=True, slots=True)
class _Bins:
    topics: Topics
    novelty: Novelty

    def of(self, vectors: Vectors) -> dict[Binned, npt.NDArray[np.int64]]:
        return {"topic": self.topics.bins(vectors), "novelty": self.novelty.bins(vectors)}

    def counted(self, vectors: Vectors) -> dict[str, tuple[int, ...]]:
        sizes: dict[Binned, int] = {"topic": self.topics.count, "novelty": self.novelty.count}
        return {
            name: tuple(np.bincount(found, minlength=sizes[name]).tolist())
            for name, found in self.of(vectors).items()
        }


def look_at_questions(subject: Subject) -> Questions:
    """Bins the questions that came since the look before; the first ones are what is compared with.

    A question counts once a day, however often it is asked: repeated ones are not independent.
    """
    since = _since(subject)
    before = since.replace(hour=0, minute=0, second=0, microsecond=0)
    found = asked_between(
        subject.store, subject.last.fingerprint, since=before, until=subject.until
    )
    lately = subject.past[-1].at if subject.past else None
    asked = sum(lately is None or one.at >= _cursor(lately) for one in found if one.at >= since)
    different = [one for one in once_a_day(found) if one.at >= since]
    taken = kept_references(subject, CHANNEL)
    if taken:
        centres = [one.vector for one in kept_references(subject, CENTRES)]
        bins = _Bins(Topics(np.stack(centres)), fit_novelty(part_of(taken, FIT)))
        return _binned(subject, asked, bins, {}, different)
    first, later = first_days(different, subject.policy.calibration)
    if not first:
        waits = f"{len(different)} of {subject.policy.calibration} questions to compare with"
        return Questions(asked, waits=waits)
    bins, bags = _calibrated(subject, first)
    return _binned(subject, asked, bins, bags, later)


def _since(subject: Subject) -> datetime:
    """From when on questions are new; before there is anything to compare with, all are."""
    if any(one.bags.get("topic") for one in subject.seen):
        return _cursor(subject.past[-1].at)
    return subject.began.at


def _cursor(at: datetime) -> datetime:
    """Until when the questions were taken by a look of that time."""
    return at - GRACE


def once_a_day(asked: Sequence[AskedQuery]) -> list[AskedQuery]:
    """Each question's first time on each day."""
    first: dict[tuple[str, bytes], AskedQuery] = {}
    for one in asked:
        first.setdefault((one.at.date().isoformat(), one.vector.tobytes()), one)
    return list(first.values())


def first_days(
    asked: Sequence[AskedQuery], count: int
) -> tuple[list[AskedQuery], list[AskedQuery]]:
    """So many of the first days together have enough, drawn by hash; and those of later days.

    Whole days, for the morning's questions are not those of the evening. None where all days
    together have too few.
    """
    days = Counter(one.at.date() for one in asked)
    total, last = 0, None
    for day in sorted(days):
        total, last = total + days[day], day
        if total >= count:
            break
    if last is None or total < count:
        return [], []
    early = [one for one in asked if one.at.date() <= last]
    return drawn(early, count), [one for one in asked if one.at.date() > last]


def drawn(asked: Sequence[AskedQuery], most: int) -> list[AskedQuery]:
    """At most so many, by hash, in the order in which they came."""
    chosen = {one.id for one in sorted(asked, key=lambda one: digest(one.id))[:most]}
    return [one for one in asked if one.id in chosen]


def _calibrated(
    subject: Subject, first: Sequence[AskedQuery]
) -> tuple[_Bins, dict[str, tuple[int, ...]]]:
    """Fits the bins on one half of the first questions, and counts the other half."""
    parts = halves(subject, CHANNEL, 0, len(first))
    taken: list[Reference] = take(subject, CHANNEL, [one.vector for one in first], parts)
    fit = part_of(taken, FIT)
    topics = fit_topics(fit, seed=subject.seed(CHANNEL))
    take(subject, CENTRES, list(topics.centres), [FIT] * topics.count)
    bins = _Bins(topics, fit_novelty(fit))
    return bins, bins.counted(part_of(taken, BAG))


def _binned(
    subject: Subject,
    asked: int,
    bins: _Bins,
    bags: dict[str, tuple[int, ...]],
    different: Sequence[AskedQuery],
) -> Questions:
    new = drawn(different, subject.policy.max_items)
    if not new:
        return Questions(asked, bags)
    found = bins.of(np.stack([one.vector for one in new]))
    told: list[Moved] = []
    for name, numbers in found.items():
        uris = [one.first for one in new]
        told += moved(subject, name, bags.get(name), numbers.tolist(), uris)
    return Questions(
        asked,
        bags,
        {name: tuple(numbers.tolist()) for name, numbers in found.items()},
        tuple(told),
    )

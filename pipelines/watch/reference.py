"""What later items are compared with: taken once by a look, counted once that look is kept."""

from collections.abc import Iterable, Sequence

import numpy as np

from pipelines.knowledge import Reference
from pipelines.records import Vectors
from pipelines.training.records import digest
from pipelines.watch.subject import Subject

FIT, BAG = "fit", "bag"
"""Half of the first items make the bins, the other half are the first that are counted."""


def kept_references(subject: Subject, channel: str) -> list[Reference]:
    """Those of one channel that count, by position; a look that crashed took none."""
    return [one for one in subject.memory.references(channel) if subject.counts(one)]


def take(
    subject: Subject, channel: str, vectors: Iterable[Vectors], parts: Sequence[str], start: int = 0
) -> list[Reference]:
    """Writes down some more, from a position on, in the order given."""
    taken = [
        Reference(
            model=subject.model.name,
            version=subject.version,
            channel=channel,
            part=part,
            position=start + number,
            vector=np.asarray(vector, dtype=np.float32),
            look=subject.run,
            at=subject.now,
        )
        for number, (vector, part) in enumerate(zip(vectors, parts, strict=True))
    ]
    subject.memory.keep_references(taken)
    return taken


def halves(subject: Subject, channel: str, start: int, count: int) -> list[str]:
    """The part of each position: of every two one is fitted on, drawn by the version."""
    drawn = []
    for position in range(start, start + count):
        heads = digest(subject.model.name, subject.version, channel, str(position // 2)) < "8"
        drawn.append(FIT if (position % 2 == 0) == heads else BAG)
    return drawn


def part_of(taken: Iterable[Reference], part: str) -> Vectors:
    """The vectors of one part, ``(n, d)``."""
    return np.stack([one.vector for one in taken if one.part == part])

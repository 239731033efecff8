"""Which bins hold another share of the items than they used to, for explanations only."""

from collections import Counter
from collections.abc import Sequence

from pipelines.drift.records import Binned, Moved
from pipelines.watch.subject import Subject

RECENT = 500
"""Items that say how it is now: those of this look, and of looks before until there are so many."""
FEW = 50
"""Of fewer nothing is said."""
NAMED, DOCUMENTS = 3, 5
LEAST = 0.02
"""Share of the items that a bin must have gained to be named."""


def moved(
    subject: Subject,
    channel: Binned,
    bag: Sequence[int] | None,
    bins: Sequence[int],
    uris: Sequence[str | None],
) -> list[Moved]:
    """The bins of a channel that gained most, and where the items of this look in them lead to.

    Args:
        subject: Its looks before say how it was.
        channel: Whose bins.
        bag: The first items by bin, where this look took them.
        bins: Of the items of this look.
        uris: A document for each of these items, where one is known.
    """
    first = bag or next((one.bags[channel] for one in subject.seen if one.bags.get(channel)), ())
    recent = list(bins)
    for one in reversed(subject.seen):
        if len(recent) >= RECENT:
            break
        recent += one.bins.get(channel, ())
    if len(recent) < FEW or not sum(first):
        return []
    now = Counter(recent)
    gained = {
        number: (count / sum(first), now[number] / len(recent))
        for number, count in enumerate(first)
        if now[number] / len(recent) - count / sum(first) >= LEAST
    }
    named = sorted(gained, key=lambda number: gained[number][0] - gained[number][1])[:NAMED]
    return [
        Moved(
            channel=channel,
            bin=number,
            then=gained[number][0],
            now=gained[number][1],
            documents=_documents(number, bins, uris),
        )
        for number in named
    ]


def _documents(number: int, bins: Sequence[int], uris: Sequence[str | None]) -> tuple[str, ...]:
    led = Counter(
        uri for found, uri in zip(bins, uris, strict=True) if found == number and uri is not None
    )
    return tuple(uri for uri, _ in sorted(led.items(), key=lambda one: (-one[1], one[0])))[
        :DOCUMENTS
    ]

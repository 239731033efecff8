"""The ``health`` table: the word of health that was last told of each subject."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from pipelines.knowledge.side import delete_rows, put_rows, rows
from pipelines.knowledge.store import Store
from pipelines.knowledge.tables import not_among


@dataclass(frozen=True, slots=True)
class HealthRow:
    """What others were told of a knowledge base or a source."""

    subject: str
    """``knowledge.<name>`` or ``source.<knowledge>.<source>``."""
    word: str
    """unknown, healthy, warning or degraded."""
    since: datetime
    """The look that first found it so."""
    at: datetime
    """When it was written down: after it was told."""


def told_health(store: Store | None) -> dict[str, HealthRow]:
    """What was last told, by subject."""
    found = [] if store is None else rows(store, "health")
    return {
        row["subject"]: HealthRow(
            row["subject"], row["word"], row["since"].astimezone(UTC), row["at"].astimezone(UTC)
        )
        for row in found
    }


def remember_told(store: Store, told: Iterable[HealthRow]) -> None:
    """Writes down what was told."""
    put = [{"subject": r.subject, "word": r.word, "since": r.since, "at": r.at} for r in told]
    put_rows(store, "health", put)


def forget_told(store: Store, *, but: Iterable[str]) -> None:
    """Forgets subjects that are no longer there."""
    delete_rows(store, "health", not_among("subject", but))

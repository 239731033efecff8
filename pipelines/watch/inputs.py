"""What exposure, golden questions and worth hang on: the same as at the look before, and none is new.

Reading all documents and all examples takes seconds; to see that nothing has moved takes none.
"""

import contextlib

from pipelines.quality.canaries import read_canaries
from pipelines.training.records import digest
from pipelines.watch.subject import Subject

FILE = "looked"
_TABLES = ("documents", "takedowns", "quarantine")


def inputs(subject: Subject) -> str:
    """A hash of all of them, as they are now: to be taken before any of them is read.

    The day is among them: it decides what has expired, and questions of 30 days say what is asked for.
    """
    store, last = subject.store, subject.last
    canaries = [
        f"{one.id}\0{one.question}\0{one.uri}" for one in read_canaries(subject.config.golden)
    ]
    return digest(
        store.uri,
        last.run,
        str(last.number),
        subject.now.date().isoformat(),
        subject.config.model_dump_json(),
        *(f"{name}:{store.table(name).version}" for name in _TABLES),
        *canaries,
    )


def is_as_before(subject: Subject, found: str) -> bool:
    """Whether nothing of it has moved since a look that saw all there was; ``found``: what is now."""
    if not subject.past:
        return False
    file = subject.learned.folder / FILE
    try:
        return file.read_text() == digest(subject.past[-1].id, found)
    except OSError:
        return False


def remember(subject: Subject, look: str, found: str) -> None:
    """Notes that a look saw all there was; lost, the next look reads everything again.

    Args:
        subject: What was looked at.
        look: The newest look that was kept, this one or one before.
        found: What it hangs on, as it was before this look read any of it.
    """
    with contextlib.suppress(OSError):
        (subject.learned.folder / FILE).write_text(digest(look, found))

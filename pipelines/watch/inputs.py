"""What exposure, golden questions and worth hang on: the same as at the look before, and none is new.

Reading all documents and all examples takes seconds; to see that nothing has moved takes none.
"""

from pipelines.quality.canaries import read_canaries
from pipelines.watch.subject import Subject, hashed

FILE = "looked"
_TABLES = ("documents", "takedowns", "quarantine")


def inputs(subject: Subject, look: str) -> str:
    """A hash of all of them.

    The day is among them: it decides what has expired, and questions of 30 days say what is asked for.

    Args:
        subject: What is looked at.
        look: The newest look that was kept.
    """
    store, last = subject.store, subject.last
    canaries = [f"{one.id}\0{one.question}" for one in read_canaries(subject.config.golden)]
    return hashed(
        store.uri,
        look,
        last.run,
        str(last.number),
        subject.now.date().isoformat(),
        subject.config.model_dump_json(),
        *(f"{name}:{store.table(name).version}" for name in _TABLES),
        *canaries,
    )


def is_as_before(subject: Subject) -> bool:
    """Whether nothing of it has moved since a look that saw all there was."""
    if not subject.past:
        return False
    file = subject.learned.folder / FILE
    try:
        return file.read_text() == inputs(subject, subject.past[-1].id)
    except OSError:
        return False


def remember(subject: Subject, look: str) -> None:
    """Notes that a look saw all there was; lost, the next look reads everything again.

    Args:
        subject: What was looked at.
        look: The newest look that was kept, this one or one before.
    """
    (subject.learned.folder / FILE).write_text(inputs(subject, look))

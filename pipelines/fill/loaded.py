"""Has the next embedder loaded by those who serve, before readers are switched to it."""

import time

from pipelines.errors import FillFailed
from pipelines.fill.answers import answer_elsewhere
from pipelines.fill.records import Asked, Work
from pipelines.knowledge import Next, Reader, readers

POLL_SECONDS = 0.1


def have_it_loaded(work: Work, coming: Next) -> tuple[str, tuple[str, ...]]:
    """Waits, for a bounded time, until the processes that serve have loaded what is announced.

    Where none does, a fresh process loads it, as one that starts after the switch would.

    Returns:
        Which process loaded it, and what a person should know.

    Raises:
        FillFailed: It cannot be loaded, or does not give the vectors that are stored.
    """
    heard, late = _wait(work, coming)
    failed = [reader for reader in heard if reader.error]
    if failed:
        raise FillFailed(
            f"The process {failed[0].pid}, which serves, cannot load {work.wanted.model}:"
            f" {failed[0].error} Readers saw nothing of this fill."
        )
    attention = tuple(
        f"The process {reader.pid}, which serves, did not load {work.wanted.model} within"
        f" {work.ports.patience_seconds:.0f} s: it loads it when it is next asked."
        for reader in late
    )
    if heard:
        return ", ".join(f"process {reader.pid}" for reader in heard), attention
    answer = work.ports.answer or answer_elsewhere
    answer(
        Asked(
            config=work.config.path,
            model=coming.model,
            fingerprint=coming.fingerprint,
            generation=coming.generation,
            version=coming.version,
        )
    )
    return "a fresh process", attention


def _wait(work: Work, coming: Next) -> tuple[list[Reader], list[Reader]]:
    """Those that answered, and those that did not in time."""
    deadline = time.monotonic() + work.ports.patience_seconds
    while True:
        here = readers(work.store.uri)
        late = [reader for reader in here if reader.heard != coming.id]
        if not late or time.monotonic() >= deadline:
            return [reader for reader in here if reader.heard == coming.id], late
        time.sleep(POLL_SECONDS)

"""Draws how far a run has come, on stderr."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from flows.cli.doors import console_for
from pipelines.records import Happened
from pipelines.records import Progress as HowFar

Listener = Callable[[HowFar | Happened], None]

_WORDS = {"scan": "scan sources", "embed": "embed documents"}


@contextmanager
def shown_progress() -> Iterator[Listener]:
    """A listener that draws a bar for each phase; it leaves nothing behind, and no terminal no bar."""
    console = console_for(stderr=True)
    columns = (
        TextColumn("{task.description:<16}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bars:
        tasks = {phase: bars.add_task(words, total=None) for phase, words in _WORDS.items()}

        def listen(event: HowFar | Happened) -> None:
            if not isinstance(event, HowFar):
                return
            if event.phase not in tasks:
                tasks[event.phase] = bars.add_task(event.phase, total=None)
            words = " ".join((_WORDS.get(event.phase, event.phase), event.note)).rstrip()
            bars.update(
                tasks[event.phase], completed=event.done, total=event.total, description=words
            )

        yield listen

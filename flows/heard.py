"""What a flow hears from the engine: progress moves its bar, what happened becomes an event."""

from collections.abc import Callable

from flows.artifacts import ProgressBar
from flows.events import emit
from pipelines.records import Happened, Progress


def heard(bar: ProgressBar, *, knowledge: str) -> Callable[[Progress | Happened], None]:
    """The listener of one run."""

    def on_event(event: Progress | Happened) -> None:
        if isinstance(event, Progress):
            bar.move(event)
        else:
            emit(event, knowledge=knowledge)

    return on_event

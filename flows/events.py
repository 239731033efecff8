"""What is emitted: Prefect events that others may wait for."""

from typing import Any

from pipelines.errors import StaleproofError
from pipelines.records import Happened

PREFIX = "staleproof."


def emit(happened: Happened, *, knowledge: str) -> None:
    """Emits one event; the flow run that it happened in is related to it by Prefect.

    Args:
        happened: What happened. Its payload holds names and counts, never a document's text.
        knowledge: The knowledge base concerned.
    """
    from prefect.events import emit_event

    emit_event(**as_event(happened, knowledge=knowledge))


def as_event(happened: Happened, *, knowledge: str) -> dict[str, Any]:
    """What Prefect is given of something that happened."""
    whole = f"{PREFIX}knowledge.{knowledge}"
    resource = f"{PREFIX}{happened.resource}"
    related = {"prefect.resource.id": whole, "prefect.resource.role": "knowledge"}
    return {
        "event": f"{PREFIX}{happened.event}",
        "resource": {
            "prefect.resource.id": resource,
            "prefect.resource.name": happened.resource.rpartition(".")[2],
        },
        # Also where it is the resource itself: the alarm for silence is for each related one.
        "related": [related],
        "payload": happened.payload,
    }


def failed(error: Exception, *, knowledge: str, run: str) -> Happened:
    """A refresh that did not do what it should. Says the kind of an error that is not ours only."""
    said = {"run": run, "type": type(error).__name__}
    if isinstance(error, StaleproofError):
        said |= {"message": error.message, "hint": error.hint}
    return Happened("refresh.failed", f"knowledge.{knowledge}", said)


def unreachable(source: str, error: str | None, *, knowledge: str, run: str) -> Happened:
    """A source whose listing broke off in the last attempt of a run."""
    said = {"run": run, "type": "ListingBrokenOff", "message": error}
    return Happened("refresh.failed", f"source.{knowledge}.{source}", said)

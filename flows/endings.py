"""How a run ends: its state and what that says, and the name that the runs page shows."""

import logging
import re
from collections.abc import Sequence
from typing import Any

from prefect.client.schemas.objects import State
from prefect.states import Cancelled, Completed, Failed

from flows.faults import fault, where
from flows.holds import to_decide, to_look
from flows.server import logged_to_server
from pipelines.config import Config
from pipelines.errors import ConfigError, ListingBrokenOff, StaleproofError, StoreError
from pipelines.knowledge import find_store, newest
from pipelines.planning import Hold
from pipelines.refresh import Report, summary

logger = logging.getLogger(__name__)


class SomeUnreachable(ListingBrokenOff):
    """Listings broke off; what the other sources have is published."""

    def __init__(self, report: Report) -> None:
        """Names each source and why."""
        broken = [f"{s.name} ({s.error})" for s in report.sources if not s.complete]
        super().__init__(
            f"Not listed to the end: {', '.join(broken)}. Nothing was deleted for it,"
            f" the other sources are refreshed. {readers_see(report.publication)}",
            hint="See that the source can be reached, then refresh again.",
        )
        self.report = report


def outcome(*reports: Report) -> str:
    """``+12 ~3 -1``, or why nothing was published; of several looks of a run, what they did."""
    did = [summary(r.documents) if r.published else r.reason or "nothing changed" for r in reports]
    done = [one for one, report in zip(did, reports, strict=True) if report.published]
    return ", then ".join(done or did[-1:])


def ending(error: Exception) -> str:
    """How a run ended that did not do what it should, in the few words of a run's name."""
    if isinstance(error, SomeUnreachable):
        broken = [s.name for s in error.report.sources if not s.complete]
        more = f" and {len(broken) - 1} more" if len(broken) > 1 else ""
        return f"could not reach {broken[0]}{more}"
    if not isinstance(error, StaleproofError):
        return f"broke off, {fault(error)}"
    words = re.sub(r"(?<!^)(?=[A-Z])", " ", type(error).__name__).lower()
    return words if error.retryable else f"failed, {words}"


def readers_see(publication: int | None) -> str:
    """A sentence about the state that is left."""
    return f"Readers see #{publication}." if publication else "Nothing is published yet."


def readers_see_now(config: Config) -> str:
    """The same, of the store as it is."""
    try:
        store = find_store(config.store_uri)
        current = newest(store) if store else None
    except StaleproofError:  # that is what the run failed with
        return "What is published is as it was."
    return readers_see(current.number if current else None)


def done(*reports: Report) -> State[Any]:
    """The state of a run that did what it could without a person.

    Args:
        reports: Of its looks. What waits is what the last one says; the data is the report of the
            last one that published something.
    """
    report = reports[-1]
    said = f"{outcome(*reports)}. {readers_see(report.publication)}"
    if report.pinned:
        said += f" To go on: staleproof unpin{_or_here(report.knowledge)}."
    elif report.holds:
        said += f" {_waits(report.holds, report.knowledge)}"
    name = "Pinned" if report.pinned else "Held" if report.holds else None
    told = next((r for r in reversed(reports) if r.published), report)
    return Completed(name=name or "Completed", message=said, data=told.to_dict())


def _or_here(knowledge: str) -> str:
    """Where a person without a terminal does the same."""
    return f", or the links of the artifact knowledge-{knowledge}"


def _waits(holds: Sequence[Hold], knowledge: str) -> str:
    """What waits for a person, what failed its audit first, and the next commands."""
    first, *others = sorted(holds, key=lambda hold: hold.kind != "audit")
    whose = f"Source {first.source}" if first.source else "This run"
    look = to_look(first.kind, first.id)
    said = f"{whose} is held ({first.kind}): {first.why}."
    said += f" To look: {look}." if look else ""
    said += f" To decide: {', or '.join(to_decide(first.id))}{_or_here(knowledge)}."
    return said + (f" {len(others):,} more: staleproof holds." if others else "")


def not_begun(error: ConfigError) -> State[Any]:
    """The state of a run whose configuration cannot be used."""
    return Failed(message=f"{error} Nothing was read or written.", data=error)


def not_done(config: Config, error: Exception) -> State[Any]:
    """The state of a run that did not do what it should, whose data is the error.

    It says what went wrong where, what readers see now, and what to do. Where the fault is not one
    of ours, the log of the run says the place.
    """
    if isinstance(error, SomeUnreachable):
        return Failed(name="Unreachable", message=str(error), data=error)
    if not isinstance(error, StaleproofError):
        with logged_to_server():
            logger.error("Broke off.\n%s", where(error), extra={"event": "run.broke_off"})
        said = (
            f"Broke off with {fault(error)}: a fault of this machine or of staleproof, and the log"
            f" of this run says where. {readers_see_now(config)} Nothing is lost: the next refresh"
            " goes on. If it breaks off again: staleproof verify."
        )
        return Failed(message=said, data=error)
    said = f"{error.message} {readers_see_now(config)} {error.hint}".strip()
    if error.retryable and isinstance(error, StoreError):
        return Cancelled(name="Busy", message=said, data=error)
    return Failed(name="Unreachable" if error.retryable else "Failed", message=said, data=error)

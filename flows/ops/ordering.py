"""How long the server's automations wait for an event that another one follows: seconds, not minutes.

Prefect lets each change of a run's state wait until automations have seen the one before, for 15
minutes. Some never come: its scheduler sends none for the runs that it makes, and a server that was
started again has seen nothing. Without this, nobody would be told of a run that fails within five
minutes after it was scheduled, as the first ones after a deployment are, before a quarter of an hour
has passed; nor would one that crashed be run again.
"""

from datetime import UTC, datetime, timedelta

from prefect.server.events.ordering import memory
from prefect.server.events.schemas.events import ReceivedEvent

PATIENCE = timedelta(seconds=10)
"""Events that are merely late come within a second or two."""


class CausalOrdering(memory.CausalOrdering):
    """Prefect's own, less patient. The server finds it by this name."""

    async def wait_for_leader(self, event: ReceivedEvent) -> None:
        """Lets an event pass that has waited long enough."""
        if _age(event) < PATIENCE:
            await super().wait_for_leader(event)

    async def get_lost_followers(self) -> list[ReceivedEvent]:
        """Those that have waited long enough; the server asks every few seconds."""
        async with self._lock:
            waiting = [self._events[one] for one in self._waitlist if one in self._events]
        lost = [event for event in waiting if _age(event) >= PATIENCE]
        for event in lost:
            await self.forget_follower(event)
        return sorted(lost, key=lambda event: event.occurred)


def _age(event: ReceivedEvent) -> timedelta:
    return datetime.now(UTC) - event.received

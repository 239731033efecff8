"""What waits for a person, and what the person says."""

from pipelines.config import Config
from pipelines.errors import UnknownName
from pipelines.knowledge import (
    ACCEPTED,
    CLOSED,
    DROPPED,
    OPEN,
    HoldRow,
    Signed,
    decide_hold,
    find_hold,
    find_store,
    holds,
)


def open_holds(config: Config) -> list[HoldRow]:
    """What waits for a person, oldest first: undecided, or accepted and not yet applied."""
    store = find_store(config.store_uri)
    return [h for h in holds(store) if h.state in (OPEN, ACCEPTED)]


def decide(config: Config, hold_id: str, *, accept: bool, reason: str, signed: Signed) -> HoldRow:
    """Records what a person decided about a hold. Accepting takes a refresh to be carried out.

    Raises:
        UnknownName: There is no such hold, or it does not stand any more; says what took its place.
    """
    store = find_store(config.store_uri)
    hold = find_hold(store, hold_id)
    if store is None or hold.state == CLOSED:
        next_ = f"It is now {hold.followed_by}." if hold.followed_by else "It does not stand."
        raise UnknownName(
            f"Hold {hold_id} is closed: what it named has changed or was dealt with. {next_}",
            hint="See staleproof holds.",
        )
    state = ACCEPTED if accept else DROPPED
    decide_hold(store, hold.id, state, actor=signed.actor, reason=reason, now=signed.at)
    return find_hold(store, hold.id)

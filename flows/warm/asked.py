"""What of the inbox somebody has to act upon, and what nobody will."""

import logging
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from pipelines.config import Config
from pipelines.inbox import Inbox, Wish, inbox_of
from pipelines.knowledge import find_store, lock_holder, open_pauses

logger = logging.getLogger(__name__)

ABANDONED = timedelta(minutes=5)
"""Who refreshes by schedule or by hand puts a wish and looks itself. After this it is gone."""

CROWDED_OUT = "crowded out"
"""Begins the name of who asks for a run that was cancelled because another one went on."""

_REASONS = 3


def pressing(waiting: Mapping[str, Wish], now: datetime) -> dict[str, Wish]:
    """The wishes that nobody acts upon by himself: of webhooks, and what was left behind."""
    return {
        name: wish
        for name, wish in waiting.items()
        if wish.deliveries or wish.actor.startswith(CROWDED_OUT) or now - wish.since >= ABANDONED
    }


def can_be_done(config: Config, wishes: Mapping[str, Wish], now: datetime) -> dict[str, Wish]:
    """Those of known sources that are not paused; the others are settled by no run.

    A refresh that names a source looks at it also while it is paused, so it must not be named. It
    is looked at when it has been resumed.
    """
    known = {source.name for source in config.sources}
    paused = open_pauses(find_store(config.store_uri))
    over = {n: wish for n, wish in wishes.items() if n not in known or n in paused}
    if over:
        inbox_of(config.store_uri).settle(over, run="none", taken_at=now, now=now)
        for name in over:
            why = "paused" if name in known else "not in the configuration"
            logger.info("Asked for source %s, which is %s: nothing is done.", name, why)
    return {name: wish for name, wish in wishes.items() if name not in over}


def is_held(config: Config) -> bool:
    """Whether a refresh holds the store now: another one would end without doing anything."""
    holder = lock_holder(config.store_uri)
    return holder is not None and holder.holds


def not_looked_at(inbox: Inbox, asked: Mapping[str, Wish]) -> set[str]:
    """Of what a run was asked for, the sources that no run has looked at since."""
    settled = inbox.settled()
    return {
        name
        for name, wish in asked.items()
        if name not in settled or settled[name].sequence < wish.sequence
    }


def reason_of(wishes: Iterable[Wish]) -> str:
    """Who asked, as a run is told."""
    # A run that did not end left its own name, which says who asked before.
    names = sorted({wish.actor.removeprefix("prefect: ") for wish in wishes})
    more = f" and {len(names) - _REASONS} more" if len(names) > _REASONS else ""
    return ", ".join(names[:_REASONS]) + more

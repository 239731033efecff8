"""Takes a source out of refreshes, and puts it back."""

from dataclasses import dataclass
from typing import Any

from pipelines.config import Config
from pipelines.inbox import inbox_of
from pipelines.knowledge import (
    Pause,
    Signed,
    end_pause,
    find_store,
    open_pauses,
    open_store,
    record_pause,
)


@dataclass(frozen=True, slots=True)
class Paused:
    """What pausing or resuming did."""

    source: str
    pause: Pause | None
    """The pause that stands, or that was ended; None where there was none to end."""
    paused: bool
    """Whether the source is paused now."""
    changed: bool
    """False where it was so already."""

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        pause = self.pause
        return {
            "source": self.source,
            "paused": self.paused,
            "changed": self.changed,
            "since": pause.at.isoformat() if pause else None,
            "by": pause.actor if pause else None,
            "reason": pause.reason if pause else None,
        }


def pause_source(config: Config, name: str, *, signed: Signed, reason: str = "") -> Paused:
    """Refreshes leave a source out from now on, unless it is named, until it is resumed.

    What is published of it stays, and what configuration and take-downs withdraw goes all the same.
    One that is paused already stays as it is, with its first reason.

    Raises:
        UnknownName: The configuration has no such source.
    """
    config.source(name)
    store = open_store(config.store_uri, now=signed.at)
    standing = open_pauses(store).get(name)
    if standing is not None:
        return Paused(name, standing, paused=True, changed=False)
    pause = Pause(name, signed.at, signed.actor, reason.strip())
    record_pause(store, pause)
    return Paused(name, pause, paused=True, changed=True)


def resume_source(config: Config, name: str, *, signed: Signed) -> Paused:
    """The next refresh takes a source in again; how many documents are usual is counted anew.

    Where webhooks ask for the source, this asks for that refresh.

    Raises:
        UnknownName: Neither the configuration nor a pause has such a source.
    """
    store = find_store(config.store_uri)
    standing = open_pauses(store).get(name)
    if store is None or standing is None:
        config.source(name)
        return Paused(name, None, paused=False, changed=False)
    end_pause(store, name, actor=signed.actor, now=signed.at)
    if any(name in endpoint.sources for endpoint in config.webhook.endpoints):
        # What was delivered meanwhile was let go, and its sender does not say it again.
        inbox_of(config.store_uri).ask([name], actor=signed.actor, now=signed.at)
    return Paused(name, standing, paused=False, changed=True)

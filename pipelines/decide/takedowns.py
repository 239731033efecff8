"""Takes a document away from every reader, and gives it back."""

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pipelines.config import Config, nearest
from pipelines.errors import ConfigError, PublicationNotFound, UnknownName
from pipelines.knowledge import (
    Signed,
    Store,
    known_documents,
    lift,
    newest,
    open_takedowns,
    published_documents,
    published_store,
    take_down,
    withdraw,
)
from pipelines.planning import rules_on


@dataclass(frozen=True, slots=True)
class Withheld:
    """What taking down or lifting did."""

    uri: str
    takedown: str
    publication: int
    withheld: int
    seen: bool
    """Whether readers with the right labels see the document now."""

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return dataclasses.asdict(self)


def withhold(config: Config, uri: str, *, reason: str, signed: Signed) -> Withheld:
    """Nobody sees a document from now on: this uri, and every uri with the same bytes.

    Raises:
        UnknownName: Neither the store nor a source has ever shown it.
        ConfigError: No reason was given.
    """
    if not reason.strip():
        raise ConfigError("A take-down needs a reason.", hint='Add --reason "...".')
    store, last = published_store(config)
    known = known_documents(store)
    here = published_documents(store, last.state)
    versions = {(uri, here[uri].content_hash)} if uri in here else set()
    versions |= {(uri, known[uri].content_hash)} if uri in known else set()
    if not versions:
        raise _unknown_document(uri, {*here, *known})
    name = take_down(store, versions, actor=signed.actor, reason=reason, now=signed.at)
    withdraw(store, rules=rules_on(config, signed.at.date()), known=known, signed=signed)
    return _told(store, uri, name)


def lift_takedown(config: Config, uri: str, *, reason: str, signed: Signed) -> Withheld:
    """Ends the take-downs of a document; it is seen again now, or after the pin.

    Raises:
        UnknownName: It is not taken down.
        ConfigError: No reason was given.
    """
    if not reason.strip():
        raise ConfigError("Lifting a take-down needs a reason.", hint='Add --reason "...".')
    store, last = published_store(config)
    covering = {name: t for name, t in open_takedowns(store).items() if uri in t.uris}
    if not covering:
        raise UnknownName(f"{uri} is not taken down.", hint="See staleproof status.")
    here = published_documents(store, last.state)
    for name, taken in covering.items():
        # Where the take-down covers other documents that are still there, only this one is let go.
        others = any(other in here for other in taken.uris - {uri})
        lift(
            store, name, uri=uri if others else None,
            actor=signed.actor, reason=reason, now=signed.at,
        )  # fmt: skip
    withdraw(
        store,
        rules=rules_on(config, signed.at.date()),
        known=known_documents(store),
        signed=signed,
        shrink=True,
    )
    return _told(store, uri, next(iter(covering)))


def _unknown_document(uri: str, known: Iterable[str]) -> UnknownName:
    near = nearest(uri, known)
    hint = f"Did you mean {near}?" if near else "A uri is the source's name, a slash and the path."
    return UnknownName(f"There is no document {uri!r}.", hint=hint)


def _told(store: Store, uri: str, takedown: str) -> Withheld:
    last = newest(store)
    if last is None:
        raise PublicationNotFound("Nothing is published yet.")
    seen = uri not in last.withheld and uri in published_documents(store, last.state)
    return Withheld(uri, takedown, last.number, len(last.withheld), seen)

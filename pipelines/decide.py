"""What a person decides: roll back, unpin, withhold, accept or drop a hold, quarantine."""

import dataclasses
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

from pipelines.config import Config, nearest
from pipelines.errors import ConfigError, PublicationNotFound, UnknownName
from pipelines.knowledge import (
    ACCEPTED,
    CLOSED,
    DROPPED,
    OPEN,
    HoldRow,
    Publication,
    QuarantineRow,
    Signed,
    State,
    Store,
    Write,
    all_taken_down,
    decide_hold,
    directly,
    find_hold,
    find_publication,
    find_store,
    holds,
    insert_until_won,
    known_documents,
    lift,
    newest,
    open_takedowns,
    protecting,
    publications,
    published_documents,
    quarantine,
    readable_states,
    still_unknown,
    tag,
    take_down,
    try_again,
    withdraw,
    withheld_of,
)
from pipelines.planning import SourceRules, labels_today, source_rules
from pipelines.quality import suites_hash
from pipelines.records import may_see


@dataclass(frozen=True, slots=True)
class RolledBack:
    """What a rollback did."""

    publication: int
    restores: int
    withheld: int
    returned: int
    """Documents that readers see again though their source no longer has them."""
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return dataclasses.asdict(self) | {
            "pinned": True,
            "chunks": {"embedded": 0},
            "seconds": round(self.seconds, 3),
        }


def _opened(config: Config, *, write: Write = directly) -> tuple[Store, Publication]:
    store = find_store(config.store_uri, write=write)
    last = newest(store) if store else None
    if store is None or last is None:
        raise PublicationNotFound(
            f"Nothing is published in {config.knowledge.store} yet.", hint="Run staleproof refresh."
        )
    return store, last


def _rules(config: Config) -> dict[str, SourceRules]:
    return {s.name: source_rules(s) for s in config.sources}


def roll_back(
    config: Config,
    *,
    signed: Signed,
    to: int | None = None,
    with_models: bool = False,
    write: Write = directly,
) -> RolledBack:
    """Publishes an earlier state again, and pins it. Embeds nothing, reads no source, no lock.

    Without a number it goes from the served state to the newest earlier row with another state:
    twice goes two back, never forth. What may not be seen today stays unseen.

    Raises:
        PublicationNotFound: There is nothing earlier, or its files are gone.
    """
    started = time.perf_counter()
    store, _ = _opened(config, write=write)
    rules, known = _rules(config), known_documents(store)
    taken_down = all_taken_down(open_takedowns(store).values())
    told: dict[str, int] = {}

    def row(protect: Callable[[State], bool], last: Publication) -> Publication:
        target = _earlier(store, last) if to is None else _kept(store, find_publication(store, to))
        if not protect(target.state):
            raise _gone(store, target)
        served, back = (published_documents(store, p.state) for p in (last, target))
        withheld = withheld_of(
            back, newest=served, rules=rules, known=known, taken_down=taken_down
        ) | still_unknown(frozenset(last.withheld), back, known)
        told.update(target=target.number, returned=len(set(back) - set(served) - withheld))
        return dataclasses.replace(
            target,
            kind="rollback",
            at=signed.at,
            run=signed.run,
            actor=signed.actor,
            reason=f"back to #{target.number}",
            models=target.models if with_models else last.models,
            withheld=tuple(sorted(withheld)),
            pinned=True,
            restores=target.number,
            restored=tuple(sorted(target.data_as_of)),
            tokens_embedded=0,
            counts={"returned": told["returned"]},
            deletions={},
            lag={},
        )

    with protecting(store, run=signed.run, at=signed.at) as protect:
        new = insert_until_won(store, partial(row, protect))
        if new is None:
            raise PublicationNotFound("Nothing is published yet.", hint="Run staleproof refresh.")
        # The clean-up that has just removed the target's tag may not know of this row yet.
        tag(store, f"pub-{signed.run}", new.state)
    return RolledBack(
        new.number, told["target"], len(new.withheld), told["returned"],
        time.perf_counter() - started,
    )  # fmt: skip


def _earlier(store: Store, last: Publication) -> Publication:
    rows = publications(store)
    first = min(p.number for p in rows if p.state == last.state)
    for row in rows:
        if row.number < first and row.state != last.state:
            return _kept(store, row)
    raise PublicationNotFound(
        f"There is nothing earlier than #{first} to roll back to.", hint="See staleproof history."
    )


def _kept(store: Store, row: Publication) -> Publication:
    if row.state not in readable_states(store, [row.generation]):
        raise _gone(store, row)
    return row


def _gone(store: Store, row: Publication) -> PublicationNotFound:
    kept = readable_states(store, {p.generation for p in publications(store)})
    names = ", ".join(f"#{p.number}" for p in publications(store) if p.state in kept)
    return PublicationNotFound(
        f"The files of #{row.number} are gone.", hint=f"Still kept: {names or 'none'}."
    )


def unpin(config: Config, *, signed: Signed) -> Publication | None:
    """Lets refreshes publish again; None where nothing was pinned."""
    store, _ = _opened(config)

    def row(last: Publication) -> Publication | None:
        if not last.pinned:
            return None
        return dataclasses.replace(
            last,
            kind="unpin",
            at=signed.at,
            run=signed.run,
            actor=signed.actor,
            reason="refreshes publish again",
            pinned=False,
            tokens_embedded=0,
            counts={},
            deletions={},
            lag={},
        )

    return insert_until_won(store, row)


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
    store, last = _opened(config)
    known = known_documents(store)
    here = published_documents(store, last.state)
    versions = {(uri, here[uri].content_hash)} if uri in here else set()
    versions |= {(uri, known[uri].content_hash)} if uri in known else set()
    if not versions:
        raise _unknown_document(uri, {*here, *known})
    name = take_down(store, versions, actor=signed.actor, reason=reason, now=signed.at)
    withdraw(store, rules=_rules(config), known=known, signed=signed)
    return _told(store, uri, name)


def lift_takedown(config: Config, uri: str, *, reason: str, signed: Signed) -> Withheld:
    """Ends the take-downs of a document; it is seen again now, or after the pin.

    Raises:
        UnknownName: It is not taken down.
        ConfigError: No reason was given.
    """
    if not reason.strip():
        raise ConfigError("Lifting a take-down needs a reason.", hint='Add --reason "...".')
    store, last = _opened(config)
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
    withdraw(store, rules=_rules(config), known=known_documents(store), signed=signed, shrink=True)
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


def quarantined(config: Config) -> list[QuarantineRow]:
    """Document versions that fail now, oldest first."""
    return quarantine(find_store(config.store_uri), suites_hash(config.limits))


@dataclass(frozen=True, slots=True)
class Shown:
    """One document in quarantine, with an excerpt where the reader may see one."""

    row: QuarantineRow
    excerpt: str | None


def show_quarantined(config: Config, uri: str, *, labels: Iterable[str]) -> Shown:
    """Why a document is in quarantine; an excerpt only for those who may read the document.

    Raises:
        UnknownName: It is not in quarantine.
    """
    found = {q.uri: q for q in quarantined(config)}
    if uri not in found:
        near = nearest(uri, found)
        raise UnknownName(
            f"{uri} is not in quarantine.",
            hint=f"Did you mean {near}?" if near else "See staleproof quarantine list.",
        )
    row = found[uri]
    readable = not row.failure.withhold and bool(row.excerpt) and _may_read(config, row, labels)
    return Shown(row, row.excerpt if readable else None)


def _may_read(config: Config, row: QuarantineRow, labels: Iterable[str]) -> bool:
    """Whether a reader may see the document today; never what is withheld or taken down."""
    store, last = _opened(config)
    if row.uri in last.withheld or all_taken_down(open_takedowns(store).values()).covers(
        row.uri, row.content_hash
    ):
        return False
    known = known_documents(store)
    here = published_documents(store, last.state)
    today = labels_today(
        row.uri,
        sources=_rules(config),
        newest=here.get,
        remembered=lambda uri: known[uri].remembered if uri in known else None,
    )
    return may_see(labels, today)


def retry_quarantined(config: Config, uris: Iterable[str]) -> list[str]:
    """Lets the next refresh try documents again; of none named: all.

    Raises:
        UnknownName: One of them is not in quarantine.
    """
    store = find_store(config.store_uri)
    standing = [q.uri for q in quarantined(config)]
    wanted = list(uris) or standing
    unknown = [uri for uri in wanted if uri not in standing]
    if unknown:
        raise UnknownName(
            f"{unknown[0]} is not in quarantine.", hint="See staleproof quarantine list."
        )
    if store is not None:
        try_again(store, wanted)
    return wanted


def refuse_release(config: Config, uri: str) -> ConfigError:
    """Why a document cannot be released: none of today's failures leaves a text to publish."""
    shown = show_quarantined(config, uri, labels=())
    return ConfigError(
        f"{uri} cannot be released: {shown.row.failure.expectation}"
        f" ({shown.row.failure.observed}) leaves nothing that could be published.",
        hint=f"Mend it at its source, or try it again: staleproof quarantine retry {uri}.",
    )

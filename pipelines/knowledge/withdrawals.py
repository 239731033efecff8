"""Computes what a state must not show today, and publishes growth of it at once."""

import dataclasses
from collections.abc import Mapping
from datetime import datetime

from pipelines.knowledge.generation import published_documents
from pipelines.knowledge.ledger import WITHHELD, Publication, State, insert_until_won
from pipelines.knowledge.memory import Known
from pipelines.knowledge.store import Store
from pipelines.knowledge.takedowns import all_taken_down, open_takedowns, take_down
from pipelines.planning import Found, Published, Rules, TakenDown, withheld_uris


def withheld_of(
    named: Mapping[str, Published],
    *,
    newest: Mapping[str, Published],
    rules: Rules,
    known: Mapping[str, Known],
    taken_down: TakenDown,
) -> frozenset[str]:
    """What the named state shows beyond today's labels, plus open take-downs, whole.

    Args:
        named: The documents that readers are to see.
        newest: The documents of the newest state; what it lacks is judged by ``known`` alone.
        rules: What the configuration grants today.
        known: What is known of the newest versions that the sources showed.
        taken_down: Open take-downs.
    """
    return withheld_uris(
        named.values(),
        sources=rules,
        newest=newest,
        remembered=lambda uri: known[uri].remembered if uri in known else None,
        taken_down=taken_down,
    )


@dataclasses.dataclass(frozen=True, slots=True)
class Signed:
    """Who does something, when, and in which run."""

    run: str
    actor: str
    at: datetime


def withdraw(
    store: Store,
    *,
    rules: Rules,
    known: Mapping[str, Known],
    signed: Signed,
    shrink: bool = False,
    documents: dict[State, dict[str, Published]] | None = None,
) -> Publication | None:
    """Publishes a row that withholds what the newest one shows beyond today's labels.

    Args:
        store: The store.
        rules: What the configuration grants today.
        known: What is known of the newest versions that the sources showed.
        signed: Who withdraws.
        shrink: Also shows again what may be seen again; never under a pin.
        documents: States that were read before, to spare reading them again.

    Returns:
        The row, or None where nothing changes.
    """
    cache = {} if documents is None else documents

    def row(last: Publication) -> Publication | None:
        # Read after the row: what somebody takes down from now on gets a row of its own after ours.
        taken_down = all_taken_down(open_takedowns(store).values())
        if last.state not in cache:
            cache[last.state] = published_documents(store, last.state)
        here = cache[last.state]
        needed = withheld_of(here, newest=here, rules=rules, known=known, taken_down=taken_down)
        before = frozenset(last.withheld)
        if shrink and not last.pinned:
            needed |= still_unknown(before, here, known)
        else:
            needed |= before
        return None if needed == before else _withholding(last, needed, signed)

    return insert_until_won(store, row)


def still_unknown(
    withheld: frozenset[str], here: Mapping[str, Published], known: Mapping[str, Known]
) -> frozenset[str]:
    """What stays withheld because nothing is known of its newest version."""
    return frozenset(uri for uri in withheld if uri in here and uri not in known)


def _withholding(last: Publication, needed: frozenset[str], signed: Signed) -> Publication:
    before = frozenset(last.withheld)
    more, less = len(needed - before), len(before - needed)
    told = [f"withholds {more} more"] * bool(more) + [f"shows {less} again"] * bool(less)
    return dataclasses.replace(
        last,
        kind=WITHHELD,
        at=signed.at,
        run=signed.run,
        actor=signed.actor,
        reason=", ".join(told),
        withheld=tuple(sorted(needed)),
        tokens_embedded=0,
        counts={"withheld": len(needed)},
        deletions={},
        lag={},
        deletion_lag={},
    )


def follow_takedowns(
    store: Store,
    found: Mapping[str, Found],
    *,
    moved: Mapping[str, str],
    signed: Signed,
) -> None:
    """A take-down follows its documents: to new bytes under its uri, to new uris of its bytes.

    Args:
        store: The store.
        found: What the listings have.
        moved: New uri -> former uri.
        signed: In whose run.
    """
    for name, takedown in open_takedowns(store).items():
        more = [
            (f.uri, f.content_hash)
            for f in found.values()
            if (takedown.covers(f.uri, f.content_hash) or moved.get(f.uri) in takedown.uris)
            and (f.uri not in takedown.uris or f.content_hash not in takedown.hashes)
        ]
        if more:
            take_down(
                store, more, takedown_id=name, actor=signed.actor,
                reason="follows its document", now=signed.at,
            )  # fmt: skip

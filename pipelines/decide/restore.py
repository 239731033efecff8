"""An earlier state again, by one row: protected from clean-up, and cut to what may be seen today."""

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from pipelines.config import Config
from pipelines.errors import PublicationNotFound
from pipelines.knowledge import (
    Publication,
    Signed,
    State,
    Store,
    all_taken_down,
    insert_until_won,
    known_documents,
    open_takedowns,
    protecting,
    published_documents,
    still_unknown,
    tag,
    withheld_of,
)
from pipelines.planning import Published, rules_on


@dataclass(frozen=True, slots=True)
class Restored:
    """The row that readers see, the one whose state comes back, and the documents of both."""

    last: Publication
    target: Publication
    served: Mapping[str, Published]
    back: Mapping[str, Published]
    withheld: frozenset[str]
    """Of what comes back, what nobody may see today."""


def restore(
    config: Config,
    store: Store,
    *,
    signed: Signed,
    choose: Callable[[Publication], Publication],
    gone: Callable[[Publication], PublicationNotFound],
    row: Callable[[Restored], Mapping[str, Any]],
) -> tuple[Publication, Restored]:
    """Publishes the state of an earlier row. Embeds nothing, reads no source, takes no lock.

    Args:
        config: The configuration, whose rules count as they are today.
        store: The store.
        signed: Who does it, when, in which run.
        choose: The row that readers see -> the one whose state is to come back.
        gone: What to raise where its files are gone.
        row: Columns of the new row that are neither the target's nor of every restoring row.

    Raises:
        PublicationNotFound: There is nothing to go back to, or its files are gone.
    """
    rules = rules_on(config, signed.at.date())
    told: list[Restored] = []

    def make(protect: Callable[[State], bool], last: Publication) -> Publication:
        # Read after the row: what somebody takes down from now on gets a row of its own after ours.
        known, taken_down = known_documents(store), all_taken_down(open_takedowns(store).values())
        target = choose(last)
        if not protect(target.state):
            raise gone(target)
        served, back = (published_documents(store, p.state) for p in (last, target))
        withheld = withheld_of(
            back, newest=served, rules=rules, known=known, taken_down=taken_down
        ) | still_unknown(frozenset(last.withheld), back, known)
        told[:] = [Restored(last, target, served, back, withheld)]
        common: dict[str, Any] = {
            "at": signed.at,
            "run": signed.run,
            "actor": signed.actor,
            "withheld": tuple(sorted(withheld)),
            "restores": target.number,
            "restored": tuple(sorted(target.data_as_of)),
            "tokens_embedded": 0,
            "deletions": {},
            "lag": {},
            "deletion_lag": {},
        }
        return dataclasses.replace(target, **common, **row(told[0]))

    with protecting(store, run=signed.run, at=signed.at) as protect:
        new = insert_until_won(store, partial(make, protect))
        if new is None:
            raise PublicationNotFound("Nothing is published yet.", hint="Run staleproof refresh.")
        # The clean-up that has just removed the target's tag may not know of this row yet.
        tag(store, f"pub-{signed.run}", new.state)
    return new, told[0]

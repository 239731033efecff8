"""Publishes an earlier state again, and lets refreshes go on after it."""

import dataclasses
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from pipelines.config import Config
from pipelines.decide.opened import opened
from pipelines.errors import PublicationNotFound
from pipelines.knowledge import (
    Publication,
    Signed,
    State,
    Store,
    Write,
    all_taken_down,
    directly,
    find_publication,
    insert_until_won,
    known_documents,
    open_takedowns,
    protecting,
    publications,
    published_documents,
    readable_states,
    still_unknown,
    tag,
    withheld_of,
)
from pipelines.planning import rules_on


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
    store, _ = opened(config, write=write)
    rules = rules_on(config, signed.at.date())
    told: dict[str, int] = {}

    def row(protect: Callable[[State], bool], last: Publication) -> Publication:
        # Read after the row: what somebody takes down from now on gets a row of its own after ours.
        known, taken_down = known_documents(store), all_taken_down(open_takedowns(store).values())
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
            # The vectors and the model that made them belong together.
            models=(target if with_models else last).others | target.embedder,
            withheld=tuple(sorted(withheld)),
            pinned=True,
            restores=target.number,
            restored=tuple(sorted(target.data_as_of)),
            tokens_embedded=0,
            counts={"returned": told["returned"]},
            deletions={},
            lag={},
            deletion_lag={},
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
    store, _ = opened(config)

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
            deletion_lag={},
        )

    return insert_until_won(store, row)

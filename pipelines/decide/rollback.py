"""Publishes an earlier state again, and lets refreshes go on after it."""

import dataclasses
import time
from dataclasses import dataclass
from functools import partial
from typing import Any

from pipelines.config import Config
from pipelines.decide.restore import Restored, restore
from pipelines.errors import PublicationNotFound
from pipelines.knowledge import (
    Publication,
    Signed,
    Store,
    Write,
    directly,
    find_publication,
    insert_until_won,
    publications,
    published_store,
    readable_states,
)


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
    store, _ = published_store(config, write=write)

    def choose(last: Publication) -> Publication:
        return _earlier(store, last) if to is None else _kept(store, find_publication(store, to))

    def row(seen: Restored) -> dict[str, Any]:
        return {
            "kind": "rollback",
            "reason": f"back to #{seen.target.number}",
            # The vectors and the model that made them belong together.
            "models": (seen.target if with_models else seen.last).others | seen.target.embedder,
            "pinned": True,
            "counts": {"returned": _returned(seen)},
        }

    new, seen = restore(
        config, store, signed=signed, choose=choose, gone=partial(_gone, store), row=row
    )
    return RolledBack(
        new.number, seen.target.number, len(new.withheld), _returned(seen),
        time.perf_counter() - started,
    )  # fmt: skip


def _returned(seen: Restored) -> int:
    return len(set(seen.back) - set(seen.served) - seen.withheld)


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
    store, _ = published_store(config)

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

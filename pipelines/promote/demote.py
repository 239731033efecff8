"""Goes back to the former embedder and its index, by one row."""

import dataclasses
import time
from collections.abc import Callable, Mapping
from functools import partial

from pipelines.config import Config
from pipelines.decide import opened
from pipelines.errors import PublicationNotFound, UnknownName
from pipelines.knowledge import (
    Publication,
    Signed,
    State,
    Store,
    Write,
    all_taken_down,
    directly,
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
from pipelines.planning import Published, rules_on
from pipelines.promote.records import Demoted

DEMOTION = "demotion"
"""The kind of rows that go back to the former generation."""


def demote_model(config: Config, model: str, *, signed: Signed, write: Write = directly) -> Demoted:
    """Makes the embedder before this one serve again, on its own index. Embeds nothing, at once.

    What may not be seen today stays unseen. It pins nothing: the next refresh adds what was
    published since.

    Args:
        config: The configuration.
        model: The one that serves and is to go.
        signed: Who does it, when, in which run.
        write: The store's write verbs.

    Raises:
        UnknownName: There is no such model, or none of its versions serves.
        PublicationNotFound: The former index is gone.
    """
    started = time.perf_counter()
    config.model(model)
    store, _ = opened(config, write=write)
    rules = rules_on(config, signed.at.date())
    told: dict[str, tuple[Publication, Publication]] = {}
    behind: dict[str, int] = {}

    def row(protect: Callable[[State], bool], last: Publication) -> Publication:
        if model not in last.embedder:
            raise UnknownName(
                f"No version of {model} serves: {last.model} does.", hint="See staleproof models."
            )
        target = _former(store, last)
        if not protect(target.state):
            raise _gone(target)
        known = known_documents(store)
        served, back = (published_documents(store, p.state) for p in (last, target))
        withheld = withheld_of(
            back,
            newest=served,
            rules=rules,
            known=known,
            taken_down=all_taken_down(open_takedowns(store).values()),
        ) | still_unknown(frozenset(last.withheld), back, known)
        told["row"] = last, target
        behind.update(_behind(back, served))
        return _row(last, target, withheld, behind, signed, model)

    with protecting(store, run=signed.run, at=signed.at) as protect:
        new = insert_until_won(store, partial(row, protect))
        if new is None:
            raise PublicationNotFound("Nothing is published yet.", hint="Run staleproof refresh.")
        # The clean-up that has just removed the target's tag may not know of this row yet.
        tag(store, f"pub-{signed.run}", new.state)
    last, target = told["row"]
    return Demoted(
        model=model,
        version=last.embedder[model],
        serves=target.embedder.get(model, target.model),
        publication=new.number,
        restores=target.number,
        withheld=len(new.withheld),
        behind=behind,
        seconds=time.perf_counter() - started,
    )


def _former(store: Store, last: Publication) -> Publication:
    """The newest row of the generation that was served before this one came up.

    Twice goes two back, never forth.
    """
    rows = publications(store)
    first = min(row.number for row in rows if row.generation == last.generation)
    earlier = [r for r in rows if r.number < first and r.fingerprint != last.fingerprint]
    if not earlier:
        raise PublicationNotFound(
            "No other embedder served before this one.", hint="See staleproof history."
        )
    former = [row for row in rows if row.generation == earlier[0].generation]
    kept = readable_states(store, [former[0].generation])
    for row in former:
        if row.state in kept:
            return row
    raise _gone(former[0])


def _gone(former: Publication) -> PublicationNotFound:
    names = [f"{name} {version}" for name, version in former.embedder.items()]
    again = f"staleproof promote {names[0]}" if names else "another version, or another store"
    return PublicationNotFound(
        f"The index of {former.model} is gone: it was kept for keep_previous after the switch.",
        hint=f"To have it embedded again: {again}.",
    )


def _behind(back: Mapping[str, Published], served: Mapping[str, Published]) -> dict[str, int]:
    both = set(back) & set(served)
    return {
        "added": len(set(served) - set(back)),
        "changed": sum(back[uri].content_hash != served[uri].content_hash for uri in both),
        "deleted": len(set(back) - set(served)),
    }


def _row(
    last: Publication,
    target: Publication,
    withheld: frozenset[str],
    behind: Mapping[str, int],
    signed: Signed,
    model: str,
) -> Publication:
    return dataclasses.replace(
        target,
        kind=DEMOTION,
        at=signed.at,
        run=signed.run,
        actor=signed.actor,
        reason=f"demotes {model}@{last.embedder[model]}: back to the index of #{target.number}",
        models=last.others | target.embedder,
        withheld=tuple(sorted(withheld)),
        pinned=last.pinned,
        restores=target.number,
        restored=tuple(sorted(target.data_as_of)),
        tokens_embedded=0,
        counts=dict(behind),
        deletions={},
        lag={},
        deletion_lag={},
    )

"""Goes back to the version before, by one row: of an embedder with its index, of a generator alone."""

import time
from collections.abc import Mapping
from typing import Any

from pipelines.config import Config
from pipelines.decide import Restored, restore
from pipelines.errors import PublicationNotFound, UnknownName
from pipelines.knowledge import (
    Publication,
    Signed,
    Store,
    Write,
    directly,
    publications,
    published_store,
    readable_states,
)
from pipelines.planning import Published
from pipelines.promote.records import Demoted, Registry
from pipelines.promote.unseat import demote_generator

DEMOTION = "demotion"
"""The kind of rows that go back to the former generation."""


def demote_model(
    config: Config,
    model: str,
    *,
    signed: Signed,
    write: Write = directly,
    registry: Registry | None = None,
) -> Demoted:
    """Makes the version before this one serve again, at once; embeds nothing.

    An embedder brings its own index along: the next refresh adds what was published since, and what
    may not be seen today stays unseen. Of a generator nothing but its name changes. It pins nothing.

    Args:
        config: The configuration.
        model: The one that serves and is to go.
        signed: Who does it, when, in which run.
        write: The store's write verbs.
        registry: Where the weights of a generator are.

    Raises:
        UnknownName: There is no such model, or none of its versions serves.
        PublicationNotFound: The former index is gone.
        RegistryError: The weights of the former generator cannot be had.
    """
    settings = config.model(model)
    store, _ = published_store(config, write=write)
    if settings.kind == "generator":
        return demote_generator(config, settings, store, signed=signed, registry=registry)
    return _demote_embedder(config, model, store, signed)


def _demote_embedder(config: Config, model: str, store: Store, signed: Signed) -> Demoted:
    started = time.perf_counter()

    def choose(last: Publication) -> Publication:
        if model not in last.embedder:
            raise UnknownName(
                f"No version of {model} serves: {last.model} does.", hint="See staleproof models."
            )
        return _former(store, last)

    def row(seen: Restored) -> dict[str, Any]:
        version, target = seen.last.embedder[model], seen.target
        return {
            "kind": DEMOTION,
            "reason": f"demotes {model}@{version}: back to the index of #{target.number}",
            "models": seen.last.others | target.embedder,
            "pinned": seen.last.pinned,
            "counts": _behind(seen.back, seen.served),
        }

    new, seen = restore(config, store, signed=signed, choose=choose, gone=_gone, row=row)
    return Demoted(
        model=model,
        version=seen.last.embedder[model],
        serves=seen.target.embedder.get(model, seen.target.model),
        publication=new.number,
        restores=seen.target.number,
        withheld=len(new.withheld),
        behind=_behind(seen.back, seen.served),
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

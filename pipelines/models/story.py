"""What became of the models: verdicts that turned, versions that were made, who serves since when."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from pipelines.config import Config
from pipelines.errors import NotVersioned
from pipelines.knowledge import Publication, Store, find_store, publications, verdicts
from pipelines.models.stored import verdict_of
from pipelines.registry import versions

SERVES, BASE, REFUSED, PASSED = "serves", "taken back", "refused", "may be promoted"
MOST = 20
"""Events of one model, the newest ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One thing that happened to a model."""

    model: str
    version: str
    at: datetime
    what: str
    """fresh, watch or stale; ``may be promoted`` or ``refused``; ``serves`` or ``taken back``."""
    why: str
    run: str
    """That did it, as the engine calls it."""
    actor: str
    """Who ran it, where that is known."""
    publication: int | None = None
    """The row of the ledger that it is, or that it learned from."""


def model_story(config: Config) -> list[Turn]:
    """What happened to the models of the configuration, newest first.

    It reads the verdicts that turned and the ledger from the store, and the newest versions from
    git; where the project is not in git there are none.
    """
    store = find_store(config.store_uri)
    rows = publications(store) if store else []
    found: list[Turn] = []
    for model in config.models:
        turns = [
            *_looked(store, model.name),
            *_made(config, model.name),
            *_served(rows, model.name),
        ]
        found += sorted(turns, key=lambda turn: turn.at, reverse=True)[:MOST]
    return sorted(found, key=lambda turn: turn.at, reverse=True)


def _looked(store: Store | None, model: str) -> Iterator[Turn]:
    for row in verdicts(store, model):
        yield Turn(
            model=model,
            version=row.version,
            at=row.at,
            what=row.verdict,
            why="; ".join(row.reasons),
            run=row.look,
            actor="",
        )


def _made(config: Config, model: str) -> Iterator[Turn]:
    try:
        known = versions(config.root, model)
    except NotVersioned:
        return
    for version in islice(known, MOST):
        said = verdict_of(config.root, version)
        if said:
            yield Turn(
                model=model,
                version=version.version,
                at=version.created_at,
                what=PASSED if said.get("promote") else REFUSED,
                why="; ".join(said.get("reasons", ())),
                run=str(said.get("run", "")),
                actor="",
                publication=said.get("publication"),
            )


def _served(rows: Sequence[Publication], model: str) -> Iterator[Turn]:
    """Rows of the ledger, newest first, that name another version than the one before."""
    for row, former in zip(rows, [*rows[1:], None], strict=True):
        before = former.models.get(model) if former else None
        now = row.models.get(model)
        if now != before:
            yield Turn(
                model=model,
                version=now or before or "",
                at=row.at,
                what=SERVES if now else BASE,
                why=row.reason,
                run=row.run,
                actor=row.actor,
                publication=row.number,
            )

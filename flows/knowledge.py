"""Keeps the page ``knowledge-<name>``: reads the store, and shows one page under a fixed key."""

from datetime import datetime

from flows.links import find_links
from flows.overview import Facts, headline, overview
from flows.shown import shown
from pipelines.config import Config
from pipelines.decide import releasable_expectations
from pipelines.knowledge import (
    ACCEPTED,
    OPEN,
    audits,
    find_store,
    holds,
    publications,
    quarantine,
    readable_states,
)
from pipelines.models import model_story
from pipelines.quality import verdict_basis
from pipelines.status import show_freshness

PUBLICATIONS, AUDITS = 10, 5
"""How many of the last ones are shown."""


def read_facts(config: Config, *, now: datetime) -> Facts:
    """What the page says of a knowledge base; works without a store.

    Raises:
        StoreFormat: The store has another format.
    """
    store = find_store(config.store_uri)
    rows = publications(store)[:PUBLICATIONS] if store else []
    kept = readable_states(store, {p.generation for p in rows}) if store else set()
    return Facts(
        knowledge=config.knowledge.name,
        now=now,
        freshness=show_freshness(config, now=now),
        publications=rows,
        kept=frozenset(p.number for p in rows if p.state in kept),
        holds=[h for h in holds(store) if h.state in (OPEN, ACCEPTED)],
        quarantine=quarantine(store, verdict_basis(config)),
        releasable=releasable_expectations(config),
        audits=audits(store)[:AUDITS],
        models=model_story(config) if config.models else (),
    )


async def show_knowledge(config: Config, *, now: datetime) -> None:
    """Keeps ``knowledge-<name>`` as of ``now``.

    A new version only where it says something else: its time line is that of what happened. Where
    nothing but time passed the newest version is written over, so that its ages are right. Where it
    cannot be shown nothing fails: the log of the run says why.
    """
    with shown(f"The page knowledge-{config.knowledge.name}"):
        await _show(config, now)


async def _show(config: Config, now: datetime) -> None:
    from prefect import get_client
    from prefect.artifacts import acreate_markdown_artifact
    from prefect.client.schemas.actions import ArtifactUpdate
    from prefect.client.schemas.filters import (
        ArtifactCollectionFilter,
        ArtifactCollectionFilterKey,
    )

    name = config.knowledge.name
    key, facts = f"knowledge-{name}", read_facts(config, now=now)
    links = await find_links(name, [model.name for model in config.models])
    text, mark = overview(facts, links), {"facts": facts.mark}
    only = ArtifactCollectionFilter(key=ArtifactCollectionFilterKey(any_=[key]))
    async with get_client() as client:
        found = await client.read_latest_artifacts(artifact_filter=only)
        if found and found[0].metadata_ == mark:
            await client.update_artifact(found[0].latest_id, ArtifactUpdate(data=text))
            return
        made = await acreate_markdown_artifact(text, key=key)
        # The page of the key shows this and a list of versions: from there it is one step.
        said = f"{headline(facts)} [open]({links.version_page(made)})"
        await client.update_artifact(made, ArtifactUpdate(description=said, metadata_=mark))

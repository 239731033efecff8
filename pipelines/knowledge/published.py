"""What most uses of a store begin with: the store, and what readers see."""

from pipelines.config import Config
from pipelines.errors import PublicationNotFound
from pipelines.knowledge.ledger import Publication, newest
from pipelines.knowledge.store import Store, Write, directly, find_store


def published_store(config: Config, *, write: Write = directly) -> tuple[Store, Publication]:
    """The store and what readers see.

    Raises:
        PublicationNotFound: Nothing is published yet.
    """
    store = find_store(config.store_uri, write=write)
    last = newest(store) if store else None
    if store is None or last is None:
        raise PublicationNotFound(
            f"Nothing is published in {config.knowledge.store} yet.", hint="Run staleproof refresh."
        )
    return store, last

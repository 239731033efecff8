"""Titles of documents that a watch names, for a reader who may see them."""

from collections.abc import Iterable

from pipelines.config import Config
from pipelines.knowledge import published_store, rows_of
from pipelines.records import may_see


def titles_for(config: Config, uris: Iterable[str], *, labels: frozenset[str]) -> dict[str, str]:
    """The titles of what is published of some documents; those that a reader may not see are absent.

    Args:
        config: The configuration.
        uris: Of the documents.
        labels: What the reader holds besides ``public``.

    Raises:
        PublicationNotFound: Nothing is published.
    """
    store, last = published_store(config)
    withheld = set(last.withheld)
    asked = [uri for uri in set(uris) if uri not in withheld]
    columns = ["uri", "position", "title", "labels"]
    rows = rows_of(store, last.state, asked, columns=columns).to_pylist()
    return {row["uri"]: row["title"] for row in rows if may_see(labels, row["labels"])}

"""Writes everything that a training needs from outside into one folder: after it, nothing is asked."""

import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.config import Config, ModelConfig
from pipelines.errors import PublicationNotFound
from pipelines.knowledge import (
    Publication,
    Store,
    find_store,
    newest,
    protecting,
    rows_of,
    source_time,
)
from pipelines.planning import Published
from pipelines.registry import Version, checkout_path
from pipelines.retrain.allowed import Allowed, allowed_documents
from pipelines.retrain.asked import PublishedNow, given_parts
from pipelines.retrain.ids import Former, needs_texts, stable_ids
from pipelines.retrain.weights import compared_weights
from pipelines.training import (
    Facts,
    Parts,
    Snapshot,
    documents_schema,
    passages_schema,
    write_snapshot,
)

if TYPE_CHECKING:
    import pyarrow as pa

FOLDER = "data/training/{model}/snapshot"
"""In the tree of a version."""

_COLUMNS = [
    "uri", "position", "heading_path", "title", "prefix", "text", "text_hash", "content_hash",
    "tokens", "start", "end",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Taken:
    """A snapshot and what was left out of it."""

    snapshot: Snapshot
    publication: Publication
    allowed: Allowed


def newest_publication(config: Config) -> tuple[Store, Publication]:
    """The store and what readers see.

    Raises:
        PublicationNotFound: Nothing is published yet.
    """
    store = find_store(config.store_uri)
    last = newest(store) if store else None
    if store is None or last is None:
        raise PublicationNotFound(
            f"Nothing is published in {config.knowledge.store} yet: there is nothing to learn.",
            hint="Run staleproof refresh.",
        )
    return store, last


def take_snapshot(
    config: Config,
    model: ModelConfig,
    folder: Path,
    *,
    former: Version | None,
    now: datetime,
    run: str,
) -> Taken:
    """Write what may be learned today from what is published, which is kept while it is read.

    Args:
        config: The configuration.
        model: What learns.
        folder: Where the snapshot is to be.
        former: The newest version, whose ids its documents keep.
        now: The time.
        run: Who reads.

    Raises:
        PublicationNotFound: Nothing is published, or it was cleaned away meanwhile.
        ConfigError: A file of questions or pairs is broken, or a model cannot be found.
        RemoteUnavailable: Files of the former version or the champion cannot be fetched now.
        DataMissing: They are gone, or damaged.
    """
    store, last = newest_publication(config)
    with (
        protecting(store, run=run, at=now) as protect,
        tempfile.TemporaryDirectory(prefix="staleproof-") as scratch,
    ):
        if not protect(last.state):
            raise PublicationNotFound(
                f"#{last.number} was replaced and cleaned away meanwhile.", hint="Start again."
            )
        allowed = allowed_documents(config, store, last, domains=model.domains, now=now)
        rows = rows_of(store, last.state, sorted(allowed.documents), columns=_COLUMNS)
        ids = _ids(config, former, allowed, rows, Path(scratch))
        left_out, asked = given_parts(config, model, store, PublishedNow(last, allowed, ids, rows))
        facts, weights = compared_weights(config, model, last, Path(scratch))
        snapshot = write_snapshot(
            folder,
            Facts(
                model=model.name,
                kind=model.kind,
                knowledge=config.knowledge.name,
                publication=last.number,
                # Of the publication, not of this run: the same to learn from is the same bytes, and
                # what a run that was stopped has trained is found again.
                run=last.run,
                created_at=last.at,
                left_out=allowed.counted | left_out,
                **facts,
            ),
            Parts(
                documents=_documents(allowed.documents, ids),
                passages=_passages(allowed.documents, ids, rows),
                **asked,
                **weights,
            ),
        )
    return Taken(snapshot, last, allowed)


def _ids(
    config: Config, former: Version | None, allowed: Allowed, rows: "pa.Table", scratch: Path
) -> dict[str, str]:
    documents = {uri: one.content_hash for uri, one in allowed.documents.items()}
    standing = documents.keys() | allowed.left_out.keys()
    before = [] if former is None else _former(config.root, former, scratch)
    texts: dict[str, set[str]] = {}
    if former is not None and needs_texts(documents, before, standing):
        before = _with_texts(config.root, former, before, scratch)
        texts = _texts(rows, "uri")
    return stable_ids(documents, texts, before, standing=standing)


def _former(root: Path, former: Version, scratch: Path) -> list[Former]:
    import pyarrow.parquet as pq

    path = f"{FOLDER.format(model=former.model)}/documents.parquet"
    table = pq.read_table(checkout_path(root, former, path, scratch / "documents.parquet"))
    return [Former(r["document"], r["uri"], r["content_hash"]) for r in table.to_pylist()]


def _with_texts(
    root: Path, former: Version, before: Iterable[Former], scratch: Path
) -> list[Former]:
    import pyarrow.parquet as pq

    path = f"{FOLDER.format(model=former.model)}/passages"
    folder = checkout_path(root, former, path, scratch / "passages")
    texts = _texts(pq.read_table(folder, columns=["document", "text_hash"]), "document")
    return [
        Former(one.id, one.uri, one.content_hash, frozenset(texts.get(one.id, ())))
        for one in before
    ]


def _texts(rows: "pa.Table", key: str) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for name, text in zip(rows[key].to_pylist(), rows["text_hash"].to_pylist(), strict=True):
        found.setdefault(name, set()).add(text)
    return found


def _documents(documents: Mapping[str, Published], ids: Mapping[str, str]) -> "pa.Table":
    import pyarrow as pa

    rows = [
        {
            "document": ids[uri],
            "uri": uri,
            "source": one.source,
            "domain": one.policy.domain,
            "labels": list(one.policy.labels),
            "content_hash": one.content_hash,
            "source_version": one.source_version,
            "source_at": source_time(one.source_at),
        }
        for uri, one in documents.items()
    ]
    return pa.Table.from_pylist(rows, schema=documents_schema())


def _passages(
    documents: Mapping[str, Published], ids: Mapping[str, str], rows: "pa.Table"
) -> "pa.Table":
    import pyarrow as pa

    uris = rows["uri"].to_pylist()
    named = {
        "document": [ids[uri] for uri in uris],
        "domain": [documents[uri].policy.domain for uri in uris],
        "labels": [list(documents[uri].policy.labels) for uri in uris],
    }
    schema = passages_schema()
    columns = [
        pa.array(named[field.name], field.type) if field.name in named
        else rows[field.name].cast(field.type)
        for field in schema
    ]  # fmt: skip
    return pa.Table.from_arrays(columns, schema=schema)

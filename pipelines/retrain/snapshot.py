"""Writes everything that a training needs from outside into one folder: after it, nothing is asked."""

import tempfile
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.config import Config, GeneratorModel, ModelConfig
from pipelines.embedding import fingerprint, locate_model
from pipelines.embedding.weights import BUILT_IN
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
from pipelines.registry import Version, checkout_model, checkout_path, find_version
from pipelines.retrain.allowed import Allowed, allowed_documents
from pipelines.retrain.ids import Former, needs_texts, stable_ids
from pipelines.retrain.questions import Asked, read_asked
from pipelines.training import (
    Champion,
    Facts,
    Parts,
    Snapshot,
    Weights,
    documents_schema,
    passages_schema,
    write_snapshot,
)

if TYPE_CHECKING:
    import pyarrow as pa

FOLDER = "data/training/{model}/snapshot"
"""In the tree of a version."""
MANIFEST = "data/training/{model}/dataset/manifest.jsonl"

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
    asked: Asked


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
        if isinstance(model, GeneratorModel):
            raise NotImplementedError
        asked = read_asked(
            config,
            model,
            store,
            ids=ids,
            forbidden=_forbidden(store, last, allowed.left_out),
            permitted=rows["text"].to_pylist(),
        )
        facts, weights = _weights(config, model, last, Path(scratch))
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
                left_out=allowed.counted | dict(asked.left_out),
                **facts,
            ),
            Parts(
                documents=_documents(allowed.documents, ids),
                passages=_passages(allowed.documents, ids, rows),
                questions=asked.questions,
                own_pairs=asked.own_pairs,
                general=asked.general,
                **weights,
            ),
        )
    return Taken(snapshot, last, allowed, asked)


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


def _forbidden(store: Store, last: Publication, left_out: Collection[str]) -> list[str]:
    """The passages of published documents that may not be learned from."""
    rows = rows_of(store, last.state, sorted(left_out), columns=["text"])
    texts: list[str] = rows["text"].to_pylist()
    return texts


def _weights(
    config: Config, model: ModelConfig, last: Publication, scratch: Path
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Base and champion by name and fingerprint, and the folders of those that do not come along."""
    base = locate_model(model.base, root=config.root)
    base_print = fingerprint(base)
    facts: dict[str, Any] = {
        "base": Weights(model.base, base_print),
        "champion": Champion(None, base_print),
    }
    built_in = model.base in (BUILT_IN, f"sentence-transformers/{BUILT_IN}")
    folders: dict[str, Any] = {"base_folder": None if built_in else base}
    if last.fingerprint == base_print:
        return facts, folders
    serving = last.models.get(model.name)
    facts["champion"] = Champion(serving, last.fingerprint)
    manifest = scratch / "manifest.jsonl"
    if serving is not None:
        version = find_version(config.root, model.name, serving)
        champion = checkout_model(config.root, version, scratch / "champion")
        checkout_path(config.root, version, MANIFEST.format(model=model.name), manifest)
    else:  # the store has another embedder than this model starts from: that is what it must beat
        champion = locate_model(last.model, root=config.root)
        manifest.touch()
    return facts, folders | {"champion_folder": champion, "champion_manifest": manifest}


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

"""Rows of the chunk table, made of passages or of published rows."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from pipelines.documents import RECIPE
from pipelines.ingest.prepare import Prepared
from pipelines.knowledge import chunk_schema, front_matter_text, source_time
from pipelines.planning import Change, Rules, trainable
from pipelines.records import Chunk, SourceVersion, Vectors


def rows_of_batch(
    batch: Sequence[Prepared],
    vectors: Mapping[str, Vectors],
    versions: Mapping[str, SourceVersion],
    dimension: int,
    rules: Rules,
) -> pa.Table | None:
    """A batch as rows, its vectors ``(n, dimension)`` float32; None where it has no passages."""
    rows: list[dict[str, Any]] = []
    kept: list[Vectors] = []
    for one in batch:
        shared = _document_columns(one, versions.get(one.change.uri), rules)
        for chunk, text_hash in zip(one.chunks, one.hashes, strict=True):
            rows.append(shared | _chunk_columns(chunk, text_hash))
            kept.append(vectors[text_hash])
    if not rows:
        return None
    schema = chunk_schema(dimension)
    plain = pa.schema([f for f in schema if f.name != "vector"])
    table = pa.Table.from_pylist(rows, schema=plain)
    flat = pa.array(np.concatenate(kept).astype(np.float32, copy=False))
    column = pa.FixedSizeListArray.from_arrays(flat, dimension)
    return table.append_column(schema.field("vector"), column).select(schema.names)


def _document_columns(one: Prepared, version: SourceVersion | None, rules: Rules) -> dict[str, Any]:
    change = one.change
    if change.policy is None or change.found is None:
        raise ValueError(f"{change.uri} has neither policy nor bytes")
    policy = trainable(change.policy, one.findings, rules)
    return {
        "uri": change.uri,
        "source": change.source,
        "title": one.document.title,
        "domain": policy.domain,
        "labels": list(policy.labels),
        "train": policy.train,
        "findings": list(one.findings),
        "front_matter": front_matter_text(change.asked),
        "content_hash": change.found.content_hash,
        "recipe": RECIPE,
        "source_version": version.id if version else "",
        "source_at": version.at if version else source_time(0.0),
    }


def _chunk_columns(chunk: Chunk, text_hash: str) -> dict[str, Any]:
    return {
        "position": chunk.position,
        "start": chunk.start,
        "end": chunk.end,
        "heading_path": list(chunk.heading_path),
        "prefix": chunk.prefix,
        "text": chunk.text,
        "text_hash": text_hash,
        "tokens": chunk.tokens,
    }


def rewritten(
    row: dict[str, Any], change: Change, versions: Mapping[str, SourceVersion]
) -> dict[str, Any]:
    """A published row under the uri and policy that a change gives it."""
    if change.policy is None:
        raise ValueError(f"{change.uri} has no policy")
    row = row | {
        "uri": change.uri,
        "source": change.source,
        "domain": change.policy.domain,
        "labels": list(change.policy.labels),
        "train": change.policy.train,
        "front_matter": front_matter_text(change.asked),
    }
    version = versions.get(change.uri)
    if version is not None:
        row |= {"source_version": version.id, "source_at": version.at}
    return row

"""The columns that a suite may judge passages by, computed over whole arrays."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.quality.columns import CHUNKS
from pipelines.quality.likeness import groups, normalised, same_vector_share, similar, unit_rows
from pipelines.records import Vectors

READ = (
    "uri", "source", "position", "prefix", "text", "text_hash", "tokens", "vector",
)  # fmt: skip
"""The columns of the chunk table that ``passages_of`` needs."""
BLOCK = 4_096
"""Rows worked on at a time."""


@dataclass(frozen=True, slots=True)
class Passages:
    """Passages to check: one value each a passage, all of one length."""

    uris: Sequence[str]
    """Of their documents."""
    sources: Sequence[str]
    positions: Sequence[int]
    embedded: Sequence[str]
    """The exact texts that were embedded, prefix and passage joined."""
    characters: Sequence[int]
    """Of the passages alone."""
    text_hashes: Sequence[str]
    tokens: Sequence[int]
    """Of the embedded texts."""
    vectors: Vectors | Sequence[Vectors]
    """``(n, d)``, or one array a passage, of whatever shape it is."""


def passages_of(rows: pa.Table) -> Passages:
    """Rows of a chunk table with the columns of ``READ``, as passages."""
    prefix, text = rows["prefix"], rows["text"]
    joined = pc.binary_join_element_wise(prefix, text, "\n\n")
    embedded = pc.if_else(pc.equal(prefix, ""), text, joined)
    vectors = rows["vector"].combine_chunks().flatten().to_numpy(zero_copy_only=False)
    return Passages(
        uris=rows["uri"].to_pylist(),
        sources=rows["source"].to_pylist(),
        positions=rows["position"].to_pylist(),
        embedded=embedded.to_pylist(),
        characters=pc.utf8_length(text).to_pylist(),
        text_hashes=rows["text_hash"].to_pylist(),
        tokens=rows["tokens"].to_pylist(),
        vectors=vectors.reshape(rows.num_rows, rows.schema.field("vector").type.list_size),
    )


def chunk_columns(
    passages: Passages, *, known: Collection[str], dimension: int, max_tokens: int
) -> dict[str, list[Any]]:
    """The columns of ``columns.CHUNKS``, for a batch or for rows read back; never raises for them.

    What compares vectors with each other compares within what is given. Above 5,000 passages,
    near duplicates are looked for only among those nearest to the same landmarks: most are found.

    Args:
        passages: What to check.
        known: The uris of the documents that are to be there.
        dimension: Values of a vector, as the embedder says.
        max_tokens: The embedder's limit.
    """
    count = len(passages.uris)
    lengths = _lengths(passages.vectors)
    measured = _Measured.of(passages.vectors, lengths)
    texts = groups([normalised(text) for text in passages.embedded])
    documents = groups(passages.uris)
    usable = np.flatnonzero((lengths == dimension) & (measured.norms > 0))
    shares = np.full(count, np.nan)
    near = np.full(count, np.nan)
    if usable.size:
        unit = unit_rows(_matrix(passages.vectors, usable), measured.norms[usable])
        shares[usable] = same_vector_share(unit, texts[usable], documents[usable])
        near[usable] = similar(unit, texts[usable])
    return {
        "chunk": [f"{u}#{p}" for u, p in zip(passages.uris, passages.positions, strict=True)],
        "uri": list(passages.uris),
        "source": list(passages.sources),
        "document_known": [uri in known for uri in passages.uris],
        "tokens": list(passages.tokens),
        "tokens_over": [tokens - max_tokens for tokens in passages.tokens],
        "characters": list(passages.characters),
        "text_hash_matches": _hashes_match(passages),
        "dimension_off": (lengths - dimension).tolist(),
        "vector_finite": measured.finite.tolist(),
        "vector_norm": _or_null(measured.norms),
        "vector_spread": _or_null(measured.spreads),
        "same_vector_share": _or_null(shares),
        "near_duplicate": [None if np.isnan(one) else int(one) for one in near.tolist()],
    }


def concatenated(parts: Iterable[Mapping[str, list[Any]]]) -> dict[str, list[Any]]:
    """The columns of several slices of a table, one below the other."""
    whole: dict[str, list[Any]] = {name: [] for name in CHUNKS}
    for part in parts:
        for name, values in whole.items():
            values.extend(part[name])
    return whole


@dataclass(frozen=True, slots=True)
class _Measured:
    """What each vector is by itself, ``(n,)`` each; NaN where it is not finite."""

    finite: npt.NDArray[np.bool_]
    norms: npt.NDArray[np.float64]
    spreads: npt.NDArray[np.float64]

    @classmethod
    def of(
        cls, vectors: Vectors | Sequence[Vectors], lengths: npt.NDArray[np.int64]
    ) -> "_Measured":
        finite = np.zeros(len(lengths), dtype=bool)
        norms, spreads = np.full((2, len(lengths)), np.nan)
        for rows in _blocks(lengths):
            block = _matrix(vectors, rows).astype(np.float64)
            good = np.isfinite(block).all(axis=1)
            finite[rows] = good
            norms[rows[good]] = np.linalg.norm(block[good], axis=1)
            spreads[rows[good]] = block[good].std(axis=1)
        return cls(finite, norms, spreads)


def _lengths(vectors: Vectors | Sequence[Vectors]) -> npt.NDArray[np.int64]:
    """How many values each vector has; 0 for what is no vector."""
    if isinstance(vectors, np.ndarray) and vectors.ndim == 2:
        return np.full(vectors.shape[0], vectors.shape[1], dtype=np.int64)
    sizes = [len(one) if np.ndim(one) == 1 else 0 for one in vectors]
    return np.array(sizes, dtype=np.int64)


def _blocks(lengths: npt.NDArray[np.int64]) -> Iterator[npt.NDArray[np.intp]]:
    """Rows whose vectors have the same length, a block at a time; none of those without values."""
    for length in np.unique(lengths[lengths > 0]):
        rows = np.flatnonzero(lengths == length)
        yield from (rows[start : start + BLOCK] for start in range(0, len(rows), BLOCK))


def _matrix(vectors: Vectors | Sequence[Vectors], rows: npt.NDArray[np.intp]) -> Vectors:
    """Some vectors of one length, ``(len(rows), d)``."""
    if isinstance(vectors, np.ndarray) and vectors.ndim == 2:
        return vectors if len(rows) == len(vectors) else vectors[rows]
    return np.stack([vectors[row] for row in rows.tolist()])


def _hashes_match(passages: Passages) -> list[bool]:
    pairs = zip(passages.embedded, passages.text_hashes, strict=True)
    return [_text_hash(text) == text_hash for text, text_hash in pairs]


def _text_hash(embedded: str) -> str:
    return blake2b(embedded.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def _or_null(values: npt.NDArray[np.float64]) -> list[float | None]:
    return [None if value != value else value for value in values.tolist()]  # noqa: PLR0124 (NaN)

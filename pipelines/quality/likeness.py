"""Which passages have the very same vector, or nearly: what a broken embedder gives away."""

import unicodedata
from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt

from pipelines.records import Vectors

Codes = npt.NDArray[np.int64]
"""Equal things have equal numbers, ``(n,)``."""
Floats = npt.NDArray[np.float64]

SAME = 1e-6
"""Vectors whose cosine distance is not above this are the very same."""
NEAR = 0.98
"""Cosine from which two passages are all but the same."""
IN_DOCUMENT, IN_TABLE = 4, 8
"""Distinct texts from which the share of same vectors says something."""
EXACT = 5_000
"""Up to so many rows each is compared with each."""

_BLOCK = 4_096
_ROWS = 512
_ROWS_A_LANDMARK = 2_500
_DIRECTIONS = 8
_WIDTH = 0.01
"""Of the cells that sort vectors: far wider than what rounding does, far narrower than what texts
do."""
_ROUNDS = 8


def normalised(text: str) -> str:
    """A text without what many models do not read: case, accents and the kind of white space."""
    if not text.isascii():
        parts = unicodedata.normalize("NFKD", text)
        text = "".join(c for c in parts if not unicodedata.combining(c))
    return " ".join(text.casefold().split())


def groups(values: Iterable[str]) -> Codes:
    """Equal texts get equal numbers, from 0 on."""
    seen: dict[str, int] = {}
    return np.array([seen.setdefault(value, len(seen)) for value in values], dtype=np.int64)


def unit_rows(matrix: Vectors, norms: Floats) -> Vectors:
    """Vectors of a matrix by their norms, ``(n, d)`` float32 of unit norm."""
    unit = np.empty(matrix.shape, dtype=np.float32)
    for start in range(0, len(unit), _BLOCK):
        part = slice(start, start + _BLOCK)
        unit[part] = matrix[part] / norms[part, None]
    return unit


def same_vector_share(unit: Vectors, texts: Codes, documents: Codes) -> Floats:
    """For each row the share of other texts that have its vector, ``(n,)``.

    Args:
        unit: ``(n, d)`` of unit norm.
        texts: What each row says; rows of one text are one.
        documents: Whose each row is.

    Returns:
        The share in its document or among all rows, whichever is greater; NaN where there are too
        few texts in both.
    """
    same = _very_same(unit)
    here = _share(documents, same, texts, at_least=IN_DOCUMENT)
    everywhere = _share(np.zeros_like(documents), same, texts, at_least=IN_TABLE)
    return np.fmax(here, everywhere)


def _very_same(unit: Vectors) -> Codes:
    """Vectors that differ by no more than rounding get one number.

    Sorted into cells by a few random directions, so that none is compared with all others; two
    that a cell's wall happens to part are missed.
    """
    random = np.random.default_rng(0)
    directions = random.standard_normal((unit.shape[1], _DIRECTIONS))
    directions /= np.linalg.norm(directions, axis=0)
    cells = np.floor(unit @ directions.astype(np.float32) / _WIDTH).astype(np.int64)
    odd = random.integers(2**62, size=_DIRECTIONS, dtype=np.int64) * 2 + 1
    keys = (cells * odd).sum(axis=1)
    codes = rest = np.arange(len(unit))
    codes = codes.copy()
    for _ in range(_ROUNDS):
        _, first, inverse = np.unique(keys[rest], return_index=True, return_inverse=True)
        leaders = rest[first[inverse]]
        near = _cosines(unit, rest, leaders) >= 1 - SAME
        codes[rest[near]] = leaders[near]
        rest = rest[~near]
    return codes


def _cosines(unit: Vectors, left: Codes, right: Codes) -> Floats:
    parts = []
    for start in range(0, len(left), _BLOCK):
        part = slice(start, start + _BLOCK)
        a, b = unit[left[part]].astype(np.float64), unit[right[part]].astype(np.float64)
        parts.append(np.einsum("ij,ij->i", a, b))
    return np.concatenate(parts) if parts else np.empty(0)


def _share(scopes: Codes, same: Codes, texts: Codes, *, at_least: int) -> Floats:
    _, pairs = np.unique(scopes * len(same) + same, return_inverse=True)
    there = _distinct(scopes, texts)
    alike = _distinct(pairs, texts)
    share = (alike - 1) / np.maximum(there - 1, 1)
    return np.where(there >= at_least, share, np.nan)


def _distinct(keys: Codes, texts: Codes) -> Codes:
    """For each row, how many texts the rows of its key have."""
    width = int(texts.max()) + 1
    both = np.unique(keys * width + texts)
    return np.bincount(both // width)[keys].astype(np.int64)


def similar(unit: Vectors, texts: Codes) -> Floats:
    """1 for each row that another row with another text is all but the same as, else 0, ``(n,)``.

    Above ``EXACT`` rows each is compared with those nearest to the same landmarks, which are rows
    taken at even distances; memory stays at a few megabytes.
    """
    found = np.zeros(len(unit))
    for block in _neighbourhoods(unit):
        for start in range(0, len(block), _ROWS):
            rows = block[start : start + _ROWS]
            left, right = np.nonzero(unit[rows] @ unit[block].T >= NEAR)
            other = texts[rows[left]] != texts[block[right]]
            found[rows[left[other]]] = 1
    return found


def _neighbourhoods(unit: Vectors) -> Iterator[Codes]:
    if len(unit) <= EXACT:
        yield np.arange(len(unit))
        return
    landmarks = unit[::_ROWS_A_LANDMARK].T
    nearest = np.concatenate(
        [
            np.argmax(unit[start : start + _BLOCK] @ landmarks, axis=1)
            for start in range(0, len(unit), _BLOCK)
        ]
    )
    order = np.argsort(nearest, kind="stable")
    ends = np.cumsum(np.bincount(nearest))
    start = 0
    while start < len(order):
        # Whole neighbourhoods, as many as fit; of one that does not, what fits.
        whole = ends[(ends > start) & (ends <= start + EXACT)]
        end = int(whole[-1]) if whole.size else start + EXACT
        yield order[start:end]
        start = end

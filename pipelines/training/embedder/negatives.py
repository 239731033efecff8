"""Passages that the base takes for an answer and that are none, mined from the pairs themselves.

Whatever is nearly as near as the right passage is spared, for it may be right as well: G. Moreira
et al., NV-Retriever (2024), whose margin is used.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from pipelines.training.embedder.model import (
    base_folder,
    open_model,
    passage_vectors,
    question_vectors,
)
from pipelines.training.pairs import Pair
from pipelines.training.params import Params
from pipelines.training.progress import Steps
from pipelines.training.repeatable import make_repeatable
from pipelines.training.snapshot import Snapshot

MARGIN = 0.95
"""A negative has at most so much of the right passage's cosine."""
_ROWS = 256


def mine_negatives(snapshot: Snapshot, params: Params, pairs: Sequence[Pair]) -> list[list[str]]:
    """For each pair the nearest passages of other documents, ``hard_negatives`` of them.

    All pairs get the same number: fewer, down to none, where there are not so many others.
    """
    if not params.hard_negatives:
        return [[] for _ in pairs]
    make_repeatable(params)
    model = open_model(base_folder(snapshot), max_tokens=params.max_tokens)
    texts = sorted({pair.passage for pair in pairs}, key=lambda text: (len(text), text))
    at = {text: number for number, text in enumerate(texts)}
    passages = passage_vectors(model, texts, params.mini_batch_size)
    documents: dict[str, set[int]] = {}
    for pair in pairs:
        documents.setdefault(pair.line.document, set()).add(at[pair.passage])
    rights = np.array([at[pair.passage] for pair in pairs])
    own = [sorted(documents[pair.line.document] | {at[pair.passage]}) for pair in pairs]
    most = min(params.hard_negatives, len(texts) - max(len(some) for some in own))
    steps = Steps("dataset", len(pairs))
    found: list[list[str]] = []
    for start in range(0, len(pairs), _ROWS):
        block = pairs[start : start + _ROWS]
        anchors = question_vectors(model, [p.anchor for p in block], params.mini_batch_size)
        cosines = (anchors @ passages.T).astype(np.float64)
        part = slice(start, start + _ROWS)
        found += [
            [texts[n] for n in row] for row in nearest(cosines, rights[part], own[part], most)
        ]
        steps.done(min(start + _ROWS, len(pairs)))
    return found


def nearest(
    cosines: npt.NDArray[np.float64],
    rights: npt.NDArray[np.int64],
    own: Sequence[Sequence[int]],
    most: int,
) -> npt.NDArray[np.int64]:
    """Columns ``(n, most)``; those too near to be wrong come last, the farthest of them first."""
    right = cosines[np.arange(len(rights)), rights][:, None]
    spared = cosines > right - (1 - MARGIN) * np.abs(right)
    order = np.where(spared, -10.0 - cosines, cosines)
    for row, columns in zip(order, own, strict=True):
        row[columns] = -np.inf
    return np.argsort(-order, axis=1, kind="stable")[:, : max(0, most)]

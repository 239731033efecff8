"""The nearest passages of what is published to many questions at once, in one pass."""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipelines.knowledge import State, Store
from pipelines.knowledge.compare import streamed
from pipelines.records import Vectors

DEPTH = 10


@dataclass(frozen=True, slots=True)
class Found:
    """The nearest passages to one question, nearest first."""

    uris: tuple[str, ...]
    texts: tuple[str, ...]
    """Their text hashes."""

    def reciprocal_rank(self, uri: str) -> float:
        """1 where the first passage is of a document, 1/2 where the second is; 0 where none is."""
        return 1 / (self.uris.index(uri) + 1) if uri in self.uris else 0.0


def nearest(
    store: Store, state: State, questions: Vectors, *, withheld: Collection[str] = ()
) -> list[Found]:
    """The ``DEPTH`` nearest passages to each question; of equally near ones by their text hash.

    Holds a batch of rows.

    Args:
        store: The store.
        state: What is searched.
        questions: ``(q, d)`` float32 of unit norm, by the embedder of the state.
        withheld: Uris that nobody finds.
    """
    best = [np.empty((len(questions), 0)) for _ in range(2)]
    scores, names = best[0].astype(np.float32), best[1].astype(object)
    for batch in streamed(store, state, ("uri", "text_hash", "vector")):
        uris = np.array(batch.column("uri").to_pylist(), dtype=object)
        shown = np.array([uri not in withheld for uri in uris], dtype=bool)
        if not shown.any():
            continue
        flat = batch.column("vector").flatten().to_numpy(zero_copy_only=False)
        vectors = flat.reshape(batch.num_rows, -1)[shown]
        texts = np.array(batch.column("text_hash").to_pylist(), dtype=object)[shown]
        here = np.empty(len(texts), dtype=object)
        here[:] = list(zip(texts, uris[shown], strict=True))
        scores = np.hstack([scores, questions @ vectors.T])
        names = np.hstack([names, np.broadcast_to(here, (len(questions), len(here)))])
        scores, names = _best(scores, names)
    return [
        Found(tuple(uri for _, uri in row), tuple(text for text, _ in row))
        for row in names.tolist()
    ]


def _best(
    scores: Vectors, names: npt.NDArray[np.object_]
) -> tuple[Vectors, npt.NDArray[np.object_]]:
    """Of each row the first ``DEPTH``, by score, then by name."""
    most = min(2 * DEPTH, scores.shape[1])
    some = np.argpartition(-scores, most - 1, axis=1)[:, :most]
    chosen = [
        sorted(row, key=lambda at: (-float(scores[number, at]), names[number, at]))[:DEPTH]
        for number, row in enumerate(some.tolist())
    ]
    at = np.array(chosen, dtype=np.intp).reshape(len(scores), -1)
    return np.take_along_axis(scores, at, axis=1), np.take_along_axis(names, at, axis=1)

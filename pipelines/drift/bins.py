"""Items of a channel -> bins: topic, novelty, and how a document changed.

Fitted once for a version, on items that are then in no bag; whatever is fitted is a few arrays that
can be kept. Fitting again is no substitute: another release of a library may number the same
clusters differently, and that would look like drift. Vectors are of length 1, (n, d) float32.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Vectors = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int64]

ADDED = -1.0
"""Size of the change of a document that was not there."""
DELETED = -2.0
"""Size of the change of a document that is no more."""
_NOVELTY_BINS = 16
_SIZE_BINS = 4
_ITEMS_A_TOPIC = 25
_STARTS = 4


@dataclass(frozen=True, slots=True, eq=False)
class Topics:
    """The nearest of a few centres."""

    centres: Vectors
    """(K, d), of length 1."""

    @property
    def count(self) -> int:
        """Number of bins."""
        return len(self.centres)

    def bins(self, vectors: Vectors) -> Whole:
        """The nearest centre of each, (n,), from 0."""
        nearest: Whole = np.argmax(vectors @ self.centres.T, axis=1).astype(np.int64)
        return nearest


@dataclass(frozen=True, slots=True, eq=False)
class Novelty:
    """How near the nearest of the items is that it was fitted on; bin 0 is farthest from all."""

    fit: Vectors
    """(f, d)."""
    edges: Floats
    """Between the bins, ascending, (15,)."""

    @property
    def count(self) -> int:
        """Number of bins."""
        return len(self.edges) + 1

    def bins(self, vectors: Vectors) -> Whole:
        """The bin of each, (n,), from 0."""
        nearest = (vectors @ self.fit.T).max(axis=1, initial=-1.0)
        found: Whole = np.searchsorted(self.edges, nearest, side="right").astype(np.int64)
        return found


@dataclass(frozen=True, slots=True, eq=False)
class Changes:
    """What a changed document is about, by how much of it changed; the last two: added, deleted."""

    topics: Topics
    edges: Floats
    """Between sizes of changes, ascending, (3,)."""

    @property
    def count(self) -> int:
        """Number of bins."""
        return self.topics.count * (len(self.edges) + 1) + 2

    def bins(self, vectors: Vectors, sizes: npt.ArrayLike) -> Whole:
        """The bin of each, (n,), from 0.

        Args:
            vectors: Of what is new in each document, or gone from it, (n, d).
            sizes: 1 - cosine of what is gone and what is new; ``ADDED``, ``DELETED``; (n,).
        """
        size = np.asarray(sizes, dtype=np.float64)
        steps = len(self.edges) + 1
        edited = self.topics.bins(vectors) * steps + np.searchsorted(self.edges, size, "right")
        last = self.topics.count * steps
        return np.where(size == ADDED, last, np.where(size == DELETED, last + 1, edited))


def fit_topics(fit: Vectors, *, seed: int, least: int = 8, most: int = 48) -> Topics:
    """Spherical k-means: a centre for every 25 items, within the limits.

    Args:
        fit: Items, (n, d); fewer different ones than centres give fewer centres.
        seed: The same items in the same order and the same seed: the same centres.
        least: Centres of few items.
        most: Centres of many.

    Raises:
        ValueError: There is no item.
    """
    from sklearn.cluster import KMeans
    from threadpoolctl import threadpool_limits

    if not len(fit):
        raise ValueError("topics are fitted on items, and there is none")
    wanted = int(np.clip(len(fit) // _ITEMS_A_TOPIC, least, most))
    different = len(np.unique(fit, axis=0))
    with threadpool_limits(limits=1):  # threads add up in any order
        means = (
            KMeans(min(wanted, different), n_init=_STARTS, random_state=seed)
            .fit(fit.astype(np.float64))
            .cluster_centers_
        )
    lengths = np.linalg.norm(means, axis=1, keepdims=True)
    return Topics((means / np.maximum(lengths, 1e-12)).astype(np.float32))


def fit_novelty(fit: Vectors) -> Novelty:
    """Equal parts of how near the items are to the nearest other one.

    Args:
        fit: Two items or more, (n, d).

    Raises:
        ValueError: There are fewer.
    """
    if len(fit) < 2:
        raise ValueError("novelty is fitted on two items or more")
    alike = fit @ fit.T
    np.fill_diagonal(alike, -2.0)
    parts = np.arange(1, _NOVELTY_BINS) / _NOVELTY_BINS
    return Novelty(fit, np.quantile(alike.max(axis=1).astype(np.float64), parts))


def fit_changes(fit: Vectors, sizes: npt.ArrayLike, *, seed: int) -> Changes:
    """A few topics and four sizes of the documents that were changed, not added or deleted.

    Args:
        fit: Of what is new in each document, or gone from it, (n, d).
        sizes: As in ``Changes.bins``, (n,).
        seed: As in ``fit_topics``.

    Raises:
        ValueError: There is no item.
    """
    size = np.asarray(sizes, dtype=np.float64)
    edited = size >= 0
    # Where all were added or deleted, one topic and no sizes: edits are news then.
    topics = fit_topics(fit[edited] if edited.any() else fit[:1], seed=seed, least=2, most=8)
    parts = np.arange(1, _SIZE_BINS) / _SIZE_BINS
    return Changes(topics, np.quantile(size[edited], parts) if edited.any() else np.empty(0))

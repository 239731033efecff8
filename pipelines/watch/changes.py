"""Documents that changed since the look before, as bins: what about, and how much of each."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from pipelines.drift import ADDED, DELETED, Changes, Topics, fit_changes
from pipelines.drift.records import Moved
from pipelines.errors import PublicationNotFound
from pipelines.knowledge import (
    Publication,
    State,
    find_publication,
    published_documents,
    readable_states,
    rows_of,
)
from pipelines.records import Vectors
from pipelines.training.records import digest
from pipelines.watch.moved import moved
from pipelines.watch.reference import BAG, FIT, halves, kept_references, part_of, take
from pipelines.watch.subject import Subject

CHANNEL, CENTRES = "changes", "changes-bins"
EDGES = "edges"
_ALIKE = 1e-6
_NONE = -1.0
"""Vectors of one write are of one length; no edge between sizes is below 0."""


@dataclass(frozen=True, slots=True)
class Mark:
    """One changed document."""

    uri: str
    vector: Vectors
    """Mean of what is new in it, or gone from it, of length 1, ``(d,)``."""
    size: float
    """1 - cosine of what is gone and what is new; ``ADDED``, ``DELETED``."""

    @property
    def stored(self) -> Vectors:
        """Both together, ``(d + 1,)``."""
        return np.append(self.vector, np.float32(self.size)).astype(np.float32)


@dataclass(frozen=True, slots=True)
class Changed:
    """What a look saw of changed documents."""

    documents: int = 0
    bags: dict[str, tuple[int, ...]] = field(default_factory=dict)
    bins: dict[str, tuple[int, ...]] = field(default_factory=dict)
    moved: tuple[Moved, ...] = ()
    waits: str = ""
    """What is missing before any can be compared, or why none can."""


def look_at_changes(subject: Subject) -> Changed:
    """Bins the documents that changed since the look before; the first are what is compared with."""
    former = _former(subject)
    if former is None or former.state == subject.last.state:
        return Changed()
    if not _is_comparable(subject, former):
        return Changed(
            waits=f"changes since #{former.number} are not compared: its files are gone, or its"
            " vectors are another embedder's"
        )
    marks = _marks(subject, former.state)
    if not marks:
        return Changed()
    taken = kept_references(subject, CHANNEL)
    if any(one.bags.get("changes") for one in subject.seen):
        return _binned(subject, _fitted(subject), {}, marks, len(marks))
    wanted = subject.policy.calibration_changes
    first = marks[: max(0, wanted - len(taken))]
    parts = halves(subject, CHANNEL, len(taken), len(first))
    taken += take(subject, CHANNEL, [one.stored for one in first], parts, len(taken))
    if len(taken) < wanted:
        waits = f"{len(taken)} of {wanted} changed documents to compare with"
        return Changed(len(marks), waits=waits)
    fit, bag = part_of(taken, FIT), part_of(taken, BAG)
    bins = fit_changes(fit[:, :-1], fit[:, -1], seed=subject.seed(CHANNEL))
    _keep(subject, bins)
    counted = np.bincount(bins.bins(bag[:, :-1], bag[:, -1]), minlength=bins.count)
    bags: dict[str, tuple[int, ...]] = {"changes": tuple(counted.tolist())}
    return _binned(subject, bins, bags, marks[len(first) :], len(marks))


def _former(subject: Subject) -> Publication | None:
    """What was published at the look before; at the first one when the version came to serve."""
    if not subject.past:
        return subject.began
    try:
        return find_publication(subject.store, subject.past[-1].publication)
    except PublicationNotFound:
        return None


def _is_comparable(subject: Subject, former: Publication) -> bool:
    if former.fingerprint != subject.last.fingerprint:
        return False
    return former.state in readable_states(subject.store, [former.generation])


def _marks(subject: Subject, former: State) -> list[Mark]:
    """A mark for each changed document, in the order of a hash; at most ``max_items`` a look."""
    before = published_documents(subject.store, former)
    now = subject.today.published
    # The bytes of a document that only moved stand somewhere else.
    stayed = {one.content_hash for one in before.values()} & {
        one.content_hash for one in now.values()
    }
    changed = [
        uri
        for uri in before.keys() | now.keys()
        if not (uri in before and uri in now and before[uri].content_hash == now[uri].content_hash)
        and not (uri not in now and before[uri].content_hash in stayed)
        and not (uri not in before and now[uri].content_hash in stayed)
    ]
    chosen = sorted(changed, key=lambda uri: digest(subject.run, uri))[: subject.policy.max_items]
    old, new = (
        _passages(rows_of(subject.store, state, chosen, columns=["uri", "text_hash", "vector"]))
        for state in (former, subject.last.state)
    )
    found = [mark(uri, old.get(uri, {}), new.get(uri, {})) for uri in chosen]
    return [one for one in found if one is not None]


def _passages(rows: pa.Table) -> dict[str, dict[str, Vectors]]:
    """By uri the vectors of its passages, by text hash."""
    found: dict[str, dict[str, Vectors]] = {}
    flat = rows["vector"].combine_chunks().flatten().to_numpy(zero_copy_only=False)
    vectors = flat.reshape(rows.num_rows, -1) if rows.num_rows else flat
    for number, (uri, text) in enumerate(
        zip(rows["uri"].to_pylist(), rows["text_hash"].to_pylist(), strict=True)
    ):
        found.setdefault(uri, {})[text] = vectors[number]
    return found


def mark(uri: str, old: dict[str, Vectors], new: dict[str, Vectors]) -> Mark | None:
    """The mark of a document by its passages then and now; None where they are the same. Pure.

    Where passages were only added to it, or only taken from it, they are compared with the rest.
    """
    more = [vector for text, vector in new.items() if text not in old]
    less = [vector for text, vector in old.items() if text not in new]
    if not more and not less:
        return None
    vector = _mean(more or less)
    if not old or not new:
        return Mark(uri, vector, ADDED if new else DELETED)
    # A cosine may be a little above 1.
    cosine = float(_mean(more or list(new.values())) @ _mean(less or list(old.values())))
    return Mark(uri, vector, float(np.clip(1.0 - cosine, 0.0, 2.0)))


def _mean(vectors: Sequence[Vectors]) -> Vectors:
    total = np.sum(np.stack(vectors), axis=0)
    length = float(np.linalg.norm(total))
    if length <= _ALIKE:  # opposite vectors have no mean direction
        total, length = vectors[0], float(np.linalg.norm(vectors[0])) or 1.0
    mean: Vectors = (total / length).astype(np.float32)
    return mean


def _keep(subject: Subject, bins: Changes) -> None:
    """Keeps what was fitted: fitted again it might number its bins otherwise."""
    edges = np.full(bins.topics.centres.shape[1], _NONE, dtype=np.float32)
    edges[: len(bins.edges)] = bins.edges
    rows = [*bins.topics.centres, edges]
    take(subject, CENTRES, rows, [FIT] * bins.topics.count + [EDGES])


def _fitted(subject: Subject) -> Changes:
    kept = kept_references(subject, CENTRES)
    edges = next(one.vector for one in kept if one.part == EDGES)
    return Changes(Topics(part_of(kept, FIT)), edges[edges != _NONE].astype(np.float64))


def _binned(
    subject: Subject,
    bins: Changes,
    bags: dict[str, tuple[int, ...]],
    marks: Sequence[Mark],
    documents: int,
) -> Changed:
    if not marks:
        return Changed(documents, bags)
    sizes = np.array([one.size for one in marks], dtype=np.float64)
    found = bins.bins(np.stack([one.vector for one in marks]), sizes).tolist()
    told = moved(subject, "changes", bags.get("changes"), found, [one.uri for one in marks])
    return Changed(documents, bags, {"changes": tuple(found)}, tuple(told))

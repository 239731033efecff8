"""Exposure of a version, from what it learned and how its documents stand today. Pure."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Literal

import numpy as np

from pipelines.drift.records import Exposed, Exposure
from pipelines.training.records import BESIDE, ManifestLine

NAMED = 20
"""Documents that an exposure names."""
What = Literal["changed", "deleted", "not permitted"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How the documents that a version learned from stand today."""

    at: Mapping[str, str]
    """Uri that it learned from -> where the document is today; gone ones are absent."""
    content: Mapping[str, str]
    """Uri of today -> content hash."""
    texts: frozenset[str] = frozenset()
    """Hashes of learned passages that stand anywhere in what is published."""
    sketches: Mapping[str, Sequence[Sequence[int]]] = field(default_factory=dict)
    """Uri of today -> sketches of its passages; of documents that changed."""
    forbidden: frozenset[str] = frozenset()
    """Uris that it learned from and would not learn from today, for whatever reason."""
    withdrawn: frozenset[str] = frozenset()
    """Those of them whose permission was withdrawn."""

    def what(self, uri: str) -> What:
        """In a word, what became of a document that is not as it was."""
        if uri in self.forbidden:
            return "not permitted"
        return "changed" if uri in self.at else "deleted"

    def severity(self, line: ManifestLine) -> float:
        """0 where an example is as it was, 1 where nothing is left of it."""
        here = self.at.get(line.uri)
        if line.uri in self.forbidden:
            return 1.0
        # A pair of the user's own may rest on no document.
        if not line.uri or line.text_hash in self.texts or self._is_same(line, here):
            return 0.0
        if here is None:
            return 1.0
        # What a passage of the user's own says of the document nobody knows.
        return 0.0 if line.kind == "own" else _unlike(line.sketch, self.sketches.get(here, ()))

    def _is_same(self, line: ManifestLine, here: str | None) -> bool:
        return here is not None and self.content.get(here) == line.content_hash


def exposure(
    lines: Iterable[ManifestLine], standing: Standing, asked: Mapping[str, int]
) -> Exposure:
    """How much of what a version learned rests on documents that are no longer as they were.

    An example weighs 1/n, and its part of the questions whose nearest document is its own.

    Args:
        lines: What it learned; read once.
        standing: How its documents stand.
        asked: Uri of today -> questions that found it first, lately.
    """
    # What stood beside an answer in its prompt may not be forbidden, but nothing rests on it.
    found = [(one.uri, one.domain, standing.severity(one)) for one in lines if one.kind != BESIDE]
    if not found:
        return Exposure(value=0.0, examples=0, affected=0)
    weights = _weights([uri for uri, _, _ in found], standing, asked)
    total, cost = defaultdict[str, float](float), defaultdict[str, float](float)
    by_uri: dict[str, list[float]] = defaultdict(list)
    domain_of: dict[str, str] = {}
    for (uri, domain, severity), weight in zip(found, weights, strict=True):
        domain_of[uri] = domain
        by_uri[uri].append(severity)
        total[domain] += weight
        cost[domain] += weight * severity
    harm = _harm(found, weights)
    whole = sum(harm.values())
    named = sorted(harm, key=lambda uri: (-harm[uri], uri))[:NAMED]
    return Exposure(
        value=whole / float(np.sum(weights)),
        examples=len(found),
        affected=sum(severity > 0 for _, _, severity in found),
        domains={name: cost[name] / total[name] for name in sorted(cost) if cost[name] > 0},
        documents=tuple(
            Exposed(
                uri=uri,
                domain=domain_of[uri],
                examples=len(by_uri[uri]),
                severity=float(np.mean(by_uri[uri])),
                share=harm[uri] / whole,
                what=standing.what(uri),
            )
            for uri in named
        ),
        withdrawn=tuple(sorted(standing.withdrawn)),
        severities=_digest(by_uri, standing),
    )


def edited_elsewhere(
    lines: Iterable[ManifestLine], holders: Mapping[str, frozenset[str]], at: Mapping[str, str]
) -> dict[str, str]:
    """Documents that moved and were edited at once: where half of their passages or more stand now.

    A place that another learned document has is none: both may hold the same words.

    Args:
        lines: What was learned of documents that may have changed.
        holders: Hash of a learned passage -> uris of today that hold it.
        at: Uri that was learned from -> where it is known to be today.
    """
    taken = set(at.values())
    learned: dict[str, set[str]] = defaultdict(set)
    for line in lines:
        if line.uri and line.uri not in at:
            learned[line.uri].add(line.text_hash)
    found: dict[str, str] = {}
    for uri, texts in learned.items():
        places = Counter(
            place for text in texts for place in holders.get(text, frozenset()) - taken
        )
        best = min(places, key=lambda place: (-places[place], place), default=None)
        if best is not None and 2 * places[best] >= len(texts):
            found[uri] = best
    return found


def _harm(found: Sequence[tuple[str, str, float]], weights: Sequence[float]) -> dict[str, float]:
    harm = defaultdict[str, float](float)
    for (uri, _, severity), weight in zip(found, weights, strict=True):
        if severity > 0:
            harm[uri] += weight * severity
    return dict(harm)


def _weights(uris: Sequence[str], standing: Standing, asked: Mapping[str, int]) -> list[float]:
    """Of each example; those of one document share the questions that it is asked."""
    examples = Counter(uris)
    questions = sum(asked.values()) or 1
    share = {
        uri: asked.get(standing.at.get(uri, uri), 0) / questions / count
        for uri, count in examples.items()
    }
    return [share[uri] + 1 / len(uris) for uri in uris]


def _unlike(sketch: Sequence[int], others: Sequence[Sequence[int]]) -> float:
    """How little of a passage the likest of some others has, by their sketches."""
    if not sketch or not others:
        return 1.0
    ours, theirs = np.asarray(sketch), np.asarray(others)
    return 1.0 - float((theirs == ours).mean(axis=1).max())


def _digest(by_uri: Mapping[str, Sequence[float]], standing: Standing) -> str:
    told = blake2b(digest_size=16)
    for uri in sorted(by_uri):
        worst = [round(severity, 6) for severity in by_uri[uri]]
        if any(worst):
            told.update(f"{uri}\0{standing.what(uri)}\0{worst}\n".encode())
    told.update("\0".join(sorted(standing.withdrawn)).encode())
    return told.hexdigest()

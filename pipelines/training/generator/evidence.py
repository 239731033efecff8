"""Finds the passages that answer an example, and others that stand beside them in a prompt."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pipelines.records import PUBLIC
from pipelines.training.generator.scores import holds
from pipelines.training.records import VoiceExample, digest
from pipelines.training.sketches import Sketches, sketch
from pipelines.training.snapshot import Snapshot
from pipelines.training.split import is_held_out
from pipelines.training.texts import embedded, words

Row = dict[str, Any]
"""One of ``snapshot.passages``."""


def text_of(row: Row) -> str:
    """A passage as prompts show it."""
    return embedded(row["prefix"], row["text"])


@dataclass(frozen=True)
class Library:
    """The documents of a snapshot: those that are learned from, and those that only evaluate."""

    snapshot: Snapshot
    share: float
    """Of documents that are held out."""

    def held_out(self, document: str) -> bool:
        """Whether no training may see a document."""
        return is_held_out(document, self.share)

    @cached_property
    def documents(self) -> dict[str, Row]:
        """Rows of ``snapshot.documents`` by id."""
        return {row["document"]: row for row in self.snapshot.documents.to_pylist()}

    @cached_property
    def passages(self) -> dict[str, list[Row]]:
        """Rows of ``snapshot.passages`` by document, in order."""
        rows: dict[str, list[Row]] = defaultdict(list)
        for row in self.snapshot.passages.to_pylist():
            rows[row["document"]].append(row)
        return rows

    def evidence(self, example: VoiceExample) -> list[Row] | None:
        """One passage of each document that an answer rests on, in order.

        It is the one that holds the fact, else the one that shares most words with question and
        answer. None where no passage holds the fact: then the document says something else today.
        """
        asked = set(words(f"{example.question} {example.answer}"))

        def worth(row: Row) -> tuple[bool, int]:
            text = text_of(row)
            return holds(text, example.fact), len(asked & set(words(text)))

        of_each = [self.passages.get(name, []) for name in example.documents]
        found = [max(rows, key=worth) for rows in of_each if rows]
        proven = not example.fact or any(holds(text_of(row), example.fact) for row in found)
        return found if found and proven and len(found) == len(of_each) else None

    def others(
        self, example: VoiceExample, evidence: Sequence[Row], count: int, *, held_out: bool
    ) -> list[Row]:
        """Passages of other documents, drawn by hash: neither do they answer, nor nearly.

        They may be read by all who may read the documents of the example, so that a prompt needs no
        more labels than these.

        Args:
            example: Beside whose evidence they stand, or in place of it.
            evidence: The passages that answer it.
            count: How many at most.
            held_out: Of documents that are held out, or of those that are learned from.
        """
        readers, answers = self.readers(example.documents), {row["text"] for row in evidence}
        # With a fact, rules for other places may stand beside it: that is what is to be learned.
        near = None if example.fact else Sketches(sketch(row["text"]) for row in evidence)
        found: list[Row] = []
        for row in self._from(example.id, held_out=held_out):
            if len(found) == count:
                break
            if row["document"] in example.documents or not _readable(row["labels"], readers):
                continue
            if row["text"] in answers or holds(text_of(row), example.fact):
                continue
            if near is None or not near.near(sketch(row["text"])):
                found.append(row)
        return found

    def readers(self, documents: Sequence[str]) -> tuple[str, ...]:
        """Labels, of which any one lets somebody read all of some documents; none: nobody may."""
        known = [frozenset(self.documents[name]["labels"]) for name in documents]
        narrow = [labels for labels in known if PUBLIC not in labels] or known
        return tuple(sorted(frozenset.intersection(*narrow))) if narrow else (PUBLIC,)

    def _from(self, key: str, *, held_out: bool) -> Iterator[Row]:
        """All passages of one part, each once; where they start hangs on a key."""
        names, rows = self._held_out_ring if held_out else self._learned_ring
        start = bisect_left(names, digest("others", key))
        yield from rows[start:]
        yield from rows[:start]

    @cached_property
    def _held_out_ring(self) -> tuple[list[str], list[Row]]:
        return _ring(row for rows in self._part(held_out=True) for row in rows)

    @cached_property
    def _learned_ring(self) -> tuple[list[str], list[Row]]:
        """Without what stands word for word in a held-out document."""
        kept = self.held_out_texts
        learned = (row for rows in self._part(held_out=False) for row in rows)
        return _ring(row for row in learned if row["text"] not in kept)

    @cached_property
    def held_out_texts(self) -> frozenset[str]:
        """Of all passages that no training may see."""
        return frozenset(row["text"] for rows in self._part(held_out=True) for row in rows)

    def _part(self, *, held_out: bool) -> Iterator[list[Row]]:
        for document, rows in self.passages.items():
            if self.held_out(document) is held_out:
                yield rows


def _ring(rows: Iterator[Row]) -> tuple[list[str], list[Row]]:
    # By hash: a passage that comes or goes changes the neighbours of few examples.
    named = {digest("ring", row["document"], str(row["position"])): row for row in rows}
    names = sorted(named)
    return names, [named[name] for name in names]


def _readable(labels: Sequence[str], readers: Sequence[str]) -> bool:
    return PUBLIC in labels or (bool(readers) and set(readers) <= set(labels))

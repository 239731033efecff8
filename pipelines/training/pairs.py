"""Makes the pairs to learn from: what somebody would ask, and the passage that answers."""

import functools
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pipelines.training.params import Params
from pipelines.training.records import ExampleKind, ManifestLine, OwnPair, Question, digest
from pipelines.training.sketches import sketch
from pipelines.training.snapshot import Snapshot
from pipelines.training.split import is_held_out
from pipelines.training.texts import body, embedded, heading_text, words

LEAST_WORDS = 5
"""A passage with fewer says too little to be told apart by."""

Row = dict[str, Any]
"""One of ``snapshot.passages``."""


@dataclass(frozen=True, slots=True)
class Pair:
    """One example, and its line of the manifest."""

    anchor: str
    """A title, a heading path or a question."""
    passage: str
    line: ManifestLine


def make_pairs(snapshot: Snapshot, params: Params, left_out: Counter[str]) -> list[Pair]:
    """All pairs of documents that are not held out, by example.

    People's questions come before headings where there are more than ``max_pairs``; what stays is
    chosen by hash, so that an edit moves few of the others.

    Args:
        snapshot: What may be learned from.
        params: Of the model.
        left_out: Gets how many were not taken, by reason.
    """
    makers = _Makers(snapshot, params, left_out)
    found = [*makers.of_headings(), *makers.of_questions(), *makers.of_own()]
    once = {pair.line.example: pair for pair in found}
    ordered = sorted(once.values(), key=_by_worth)
    left_out["more than max_pairs"] += max(0, len(ordered) - params.max_pairs)
    return sorted(ordered[: params.max_pairs], key=lambda pair: pair.line.example)


def answering(question: Question, rows: Sequence[Row]) -> list[Row]:
    """The passages of its documents that hold the answer's words; all where none does."""
    asked = " ".join(words(question.answer_contains))
    holding = [row for row in rows if asked and asked in _joined(row)]
    return holding or list(rows)


@dataclass(frozen=True)
class _Makers:
    snapshot: Snapshot
    params: Params
    left_out: Counter[str]

    @functools.cached_property
    def rows(self) -> dict[str, list[Row]]:
        """Passages of each document that is learned from."""
        rows: dict[str, list[Row]] = defaultdict(list)
        for batch in self.snapshot.passages.to_batches(max_chunksize=1_000):
            for row in batch.to_pylist():
                if not self.held_out(row["document"]):
                    rows[row["document"]].append(row)
        return rows

    @functools.cached_property
    def documents(self) -> dict[str, Row]:
        return {row["document"]: row for row in self.snapshot.documents.to_pylist()}

    def held_out(self, document: str) -> bool:
        return is_held_out(document, self.params.held_out)

    def of_headings(self) -> Iterator[Pair]:
        """A passage is asked for by title and headings, and answers without them."""
        for rows in self.rows.values():
            for row in rows:
                anchor = heading_text(row["title"], row["heading_path"])
                said = body(row["text"])
                if not anchor or len(words(said)) < LEAST_WORDS:
                    self.left_out["no heading, or too few words below it"] += 1
                    continue
                kind: ExampleKind = "heading" if row["heading_path"] else "title"
                yield self._pair(anchor, said, kind, row)

    def of_questions(self) -> Iterator[Pair]:
        """An accepted question is answered by a passage as the knowledge base shows it.

        Where no words of the answer are known, by the one that shares most words with the question.
        """
        for question in self.snapshot.questions:
            if question.kind != "accepted":
                continue
            if any(self.held_out(document) for document in question.documents):
                self.left_out["accepted question of a held-out document"] += 1
                continue
            rows = [row for document in question.documents for row in self.rows[document]]
            if rows:
                asked = set(words(question.text))
                best = max(answering(question, rows), key=lambda row: _shared(asked, row))
                text = embedded(best["prefix"], best["text"])
                yield self._pair(question.text, text, "accepted", best)

    def of_own(self) -> Iterator[Pair]:
        """The user's pairs, but for those that name a held-out document."""
        for own in self.snapshot.own_pairs:
            if own.document and self.held_out(own.document):
                self.left_out["own pair of a held-out document"] += 1
            else:
                yield self._pair(own.question, own.passage, "own", self._row_of(own))

    def _row_of(self, own: OwnPair) -> Row:
        unknown = {"uri": "", "content_hash": "", "domain": "", "labels": []}
        document = self.documents[own.document] if own.document else unknown
        return {"document": own.document, "text": own.passage, "text_hash": digest(own.passage)} | {
            key: document[key] for key in unknown
        }

    def _pair(self, anchor: str, passage: str, kind: ExampleKind, row: Row) -> Pair:
        document = self.documents.get(row["document"])
        return Pair(
            anchor,
            passage,
            ManifestLine(
                example=digest(kind, row["document"], anchor, passage),
                document=row["document"],
                uri=row["uri"],
                text_hash=row["text_hash"],
                content_hash=row["content_hash"],
                source_version=document["source_version"] if document else "",
                domain=row["domain"],
                labels=tuple(row["labels"]),
                publication=self.snapshot.facts.publication,
                kind=kind,
                sketch=self._sketch(row["text"]),
            ),
        )

    @functools.cached_property
    def _sketch(self) -> Any:
        # A passage that several questions ask for is sketched once.
        return functools.lru_cache(maxsize=4_096)(sketch)


def _by_worth(pair: Pair) -> tuple[bool, str]:
    return pair.line.kind not in ("accepted", "own"), pair.line.example


def _shared(asked: set[str], row: Row) -> int:
    return len(asked & set(words(embedded(row["prefix"], row["text"]))))


def _joined(row: Row) -> str:
    return " ".join(words(embedded(row["prefix"], row["text"])))

"""Makes the questions that an evaluation asks, of documents that no training saw."""

import functools
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, Protocol

from pipelines.training.links import references, resolve, slug
from pipelines.training.pairs import LEAST_WORDS, Row, answering
from pipelines.training.params import Params
from pipelines.training.records import Line, ManifestLine, Question, digest
from pipelines.training.sketches import Sketches, sketch
from pipelines.training.snapshot import Snapshot
from pipelines.training.split import is_held_out
from pipelines.training.texts import body, heading_text, words

if TYPE_CHECKING:
    import pyarrow as pa

Kind = Literal["heading", "crossref", "accepted", "golden", "general"]


@dataclass(frozen=True, slots=True)
class Asked(Line):
    """A question and the passages that answer it, each by itself."""

    id: str
    kind: Kind
    text: str
    domain: str
    document: str
    """That answers; questions of one document are not independent of each other."""
    targets: tuple[int, ...]
    """Rows of ``snapshot.passages``."""
    left_out: tuple[int, ...] = ()
    """Rows that are not searched: where the question was taken from, and what was learned."""


class Material(Protocol):
    """What questions are made of: a snapshot, or passages as they are published today."""

    @property
    def documents(self) -> "pa.Table":
        """With ``document`` and ``uri``."""
        ...

    @property
    def passages(self) -> "pa.Table":
        """Rows of ``passages_schema``, by document and position."""
        ...

    @property
    def questions(self) -> Sequence[Question]:
        """Of people."""
        ...


def held_out_questions(snapshot: Snapshot, params: Params, dropped: Counter[str]) -> list[Asked]:
    """Questions whose documents are all held out, by kind and id.

    Args:
        snapshot: The documents.
        params: At most ``max_questions`` of a kind, chosen by hash.
        dropped: Gets how many were not taken, by reason.
    """
    makers = _Makers(snapshot, lambda name: is_held_out(name, params.held_out), dropped)
    return _at_most(_unambiguous(makers.of_all(), dropped), params.max_questions, dropped)


def questions_of(
    material: Material, documents: Collection[str], dropped: Counter[str]
) -> list[Asked]:
    """Questions that documents among some answer, and no others.

    Args:
        material: Passages of these, and of documents that may link to them.
        documents: Ids.
        dropped: Gets how many were not taken, by reason.
    """
    return _unambiguous(_Makers(material, documents.__contains__, dropped).of_all(), dropped)


def golden_questions(snapshot: Snapshot, params: Params) -> list[Asked]:
    """All golden questions, held out or not: what later looks at the version compare with."""
    makers = _Makers(snapshot, lambda _: True, Counter())
    return list(makers.of_people(("golden",)))


def not_learned(
    questions: Iterable[Asked],
    material: Material,
    manifests: Iterable[ManifestLine],
    dropped: Counter[str],
) -> list[Asked]:
    """The questions without the passages that a compared model learned from, or nearly so.

    Such passages neither answer nor are searched; a question that loses all of its own is dropped.
    """
    lines = list(manifests)
    hashes = {line.text_hash for line in lines}
    known = Sketches(line.sketch for line in lines)
    passages = material.passages
    texts, names = passages["text"], passages["text_hash"]

    @functools.cache
    def learned(row: int) -> bool:
        return names[row].as_py() in hashes or known.near(sketch(texts[row].as_py()))

    kept = []
    for question in questions:
        gone = tuple(row for row in question.targets if learned(row))
        targets = tuple(row for row in question.targets if row not in gone)
        if targets:
            kept.append(replace(question, targets=targets, left_out=(*question.left_out, *gone)))
        else:
            dropped["learned by a compared model"] += 1
    return kept


class _Makers:
    """Passages by document, and what is asked about those that are to be asked of."""

    def __init__(
        self, material: Material, asked_of: Callable[[str], bool], dropped: Counter[str]
    ) -> None:
        self.asked_of, self.dropped, self.people = asked_of, dropped, material.questions
        documents = material.documents.select(["uri", "document"])
        self.documents = {row["uri"]: row["document"] for row in documents.to_pylist()}
        names = ["document", "uri", "title", "heading_path", "prefix", "text", "domain"]
        self.rows: list[Row] = material.passages.select(names).to_pylist()
        self.of_document: dict[str, list[int]] = defaultdict(list)
        for number, row in enumerate(self.rows):
            self.of_document[row["document"]].append(number)

    def of_all(self) -> Iterator[Asked]:
        """What headings, links and people ask."""
        yield from self.of_headings()
        yield from self.of_references()
        yield from self.of_people(("accepted", "golden"))

    def of_headings(self) -> Iterator[Asked]:
        """Each heading of such a document; what stands below it answers."""
        for document, numbers in self.of_document.items():
            if not self.asked_of(document):
                continue
            below: dict[str, list[int]] = defaultdict(list)
            for number in numbers:
                row = self.rows[number]
                if len(words(body(row["text"]))) >= LEAST_WORDS:
                    for depth in range(len(row["heading_path"]) + 1):
                        below[heading_text(row["title"], row["heading_path"][:depth])].append(
                            number
                        )
            for text, targets in below.items():
                if text:
                    yield self._asked("heading", text, list(dict.fromkeys(targets)))

    def of_references(self) -> Iterator[Asked]:
        """Each sentence that links to such a document; what it links to answers."""
        for row in self.rows:
            for reference in references(row["text"]):
                found = resolve(reference.address, row["uri"], self.documents)
                if found is None or found[0] == row["document"] or not self.asked_of(found[0]):
                    continue
                targets = self._linked(*found)
                if targets:
                    # The sentence would find itself.
                    here = self.of_document[row["document"]]
                    yield self._asked("crossref", reference.text, targets, left_out=here)

    def of_people(self, kinds: Sequence[Kind]) -> Iterator[Asked]:
        """Imported and golden questions whose documents are all to be asked of."""
        for question in self.people:
            if question.kind in kinds and all(self.asked_of(name) for name in question.documents):
                numbers = [n for name in question.documents for n in self.of_document[name]]
                by_row = {id(self.rows[number]): number for number in numbers}
                rows = answering(question, [self.rows[number] for number in numbers])
                if rows:
                    targets = [by_row[id(row)] for row in rows]
                    yield self._asked(question.kind, question.text, targets, name=question.id)

    def _linked(self, document: str, fragment: str) -> list[int]:
        """Rows below the heading that a fragment names; all of the document where none is."""
        numbers = self.of_document[document]
        named = [n for n in numbers if fragment in map(slug, self.rows[n]["heading_path"])]
        return named or numbers

    def _asked(
        self,
        kind: Kind,
        text: str,
        targets: Sequence[int],
        *,
        left_out: Sequence[int] = (),
        name: str = "",
    ) -> Asked:
        first = self.rows[targets[0]]
        return Asked(
            id=name or digest(kind, first["document"], text),
            kind=kind,
            text=text,
            domain=first["domain"],
            document=first["document"],
            targets=tuple(targets),
            left_out=tuple(left_out),
        )


def _unambiguous(found: Iterable[Asked], dropped: Counter[str]) -> list[Asked]:
    """Without what is asked in the same words of several documents; once where of one."""
    by_text: dict[tuple[str, str], list[Asked]] = defaultdict(list)
    for question in found:
        by_text[question.kind, " ".join(words(question.text))].append(question)
    kept = []
    for same in by_text.values():
        if len({question.document for question in same}) == 1:
            kept.append(same[0])
        else:
            dropped["asked in the same words of several documents"] += len(same)
    return kept


def _at_most(found: Iterable[Asked], most: int, dropped: Counter[str]) -> list[Asked]:
    by_kind: dict[str, list[Asked]] = defaultdict(list)
    for question in sorted(found, key=lambda asked: asked.id):
        by_kind[question.kind].append(question)
    dropped["more than max_questions"] += sum(max(0, len(v) - most) for v in by_kind.values())
    return [question for kind in sorted(by_kind) for question in by_kind[kind][:most]]

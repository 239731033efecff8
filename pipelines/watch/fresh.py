"""What is new since a version learned, and what is asked about it."""

import posixpath
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipelines.knowledge import rows_of
from pipelines.knowledge.compare import streamed
from pipelines.retrain.questions import people_asked
from pipelines.training.questions import Asked, not_learned, questions_of
from pipelines.training.records import Question, digest
from pipelines.watch.learned import Learned
from pipelines.watch.subject import Subject

if TYPE_CHECKING:
    import pyarrow as pa

MOST = 50
"""Documents that one look asks about, by hash; the next look goes on."""
MOST_QUESTIONS = 4
"""Of one document: they depend on each other, and count as one."""
_COLUMNS = ["uri", "title", "heading_path", "prefix", "text", "text_hash", "domain", "position"]
_NAMELESS = ("index", "_index", "readme", "index.html")


@dataclass(frozen=True)
class Published:
    """Passages as they are published today, to make questions of. A document's id is its uri."""

    documents: "pa.Table"
    passages: "pa.Table"
    questions: Sequence[Question]


@dataclass(frozen=True, slots=True)
class AskedOf:
    """One question, by the texts that answer it and those that are not searched."""

    id: str
    text: str
    is_heading: bool
    targets: frozenset[str]
    """Text hashes."""
    left_out: frozenset[str]


def fresh_documents(
    subject: Subject, manifest: Learned, known: Collection[str], counted: Collection[str]
) -> tuple[list[str], int]:
    """Uris that may be learned from, whose content the version was not made of; ``MOST`` by hash.

    A document counts once: what it says after one more edit is no evidence that hangs on nothing
    but what was there before.

    Args:
        subject: What is looked at.
        manifest: What the version was made of.
        known: Content hashes that were asked about before.
        counted: Uris that were asked about before.

    Returns:
        The uris, and how many more there are.
    """
    old = manifest.hashes() | frozenset(known)
    new = {
        one.content_hash: uri
        for uri, one in sorted(subject.allowed.documents.items())
        if one.content_hash not in old and uri not in counted
    }
    return [new[name] for name in sorted(new, key=digest)[:MOST]], max(0, len(new) - MOST)


def fresh_questions(
    subject: Subject, manifest: Learned, uris: Collection[str]
) -> dict[str, list[AskedOf]]:
    """What is asked about some documents and was not learned, by uri, ``MOST_QUESTIONS`` each."""
    material = _published(subject, uris)
    dropped: Counter[str] = Counter()
    found = questions_of(material, frozenset(uris), dropped)
    texts = material.passages["text_hash"].to_pylist()
    by_uri: dict[str, list[Asked]] = defaultdict(list)
    for one in not_learned(found, material, manifest.lines, dropped):
        by_uri[one.document].append(one)
    return {
        uri: [_asked(one, texts) for one in sorted(some, key=lambda one: digest(one.id))][
            :MOST_QUESTIONS
        ]
        for uri, some in by_uri.items()
    }


def _asked(one: Asked, texts: Sequence[str]) -> AskedOf:
    targets = frozenset(texts[row] for row in one.targets)
    left_out = frozenset(texts[row] for row in one.left_out) - targets
    return AskedOf(one.id, one.text, one.kind == "heading", targets, left_out)


def _published(subject: Subject, uris: Collection[str]) -> Published:
    import pyarrow as pa

    allowed = subject.allowed.documents
    linking = _linking(subject, uris)
    rows = rows_of(subject.store, subject.last.state, sorted({*uris, *linking}), columns=_COLUMNS)
    ids: Mapping[str, str] = {uri: uri for uri in allowed}
    people = people_asked(subject.config, subject.store, ids, Counter())
    return Published(
        documents=pa.table({"uri": list(allowed), "document": list(allowed)}),
        passages=rows.append_column("document", rows["uri"]),
        questions=people,
    )


def _linking(subject: Subject, uris: Iterable[str]) -> set[str]:
    """Documents that may hold a link to one of some: a link names the last part of its address."""
    names = {_named(uri) for uri in uris}
    found: set[str] = set()
    for batch in streamed(subject.store, subject.last.state, ("uri", "text")):
        for uri, text in zip(
            batch.column("uri").to_pylist(), batch.column("text").to_pylist(), strict=True
        ):
            if "](" in text and uri not in found and any(name in text for name in names):
                found.add(uri)
    return found & subject.allowed.documents.keys()


def _named(uri: str) -> str:
    folder, name = posixpath.split(uri)
    stem = posixpath.splitext(name)[0]
    return posixpath.basename(folder) if stem.casefold() in _NAMELESS else stem

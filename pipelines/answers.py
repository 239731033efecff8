"""Question -> the passages that answer it, each traceable to its document and publication."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from pipelines.config import Config
from pipelines.errors import ConfigError, EmbedderMismatch, PublicationNotFound
from pipelines.knowledge import (
    ACCEPTED,
    OPEN,
    Filter,
    Publication,
    Query,
    QueryLog,
    State,
    Store,
    all_taken_down,
    as_of,
    find_publication,
    freshness,
    holds,
    known_documents,
    open_pauses,
    open_takedowns,
    published_documents,
    published_store,
    readable_states,
    scans_of,
    search_state,
    tagged_state,
    withheld_of,
)
from pipelines.planning import rules_on
from pipelines.records import Encoder, LoadEncoder

CANDIDATE = "candidate"


@dataclass(frozen=True, slots=True)
class Hit:
    """One passage."""

    score: float
    """Cosine similarity, -1 to 1."""
    text: str
    uri: str
    title: str
    heading: str
    """The deepest heading above it."""
    source: str
    source_version: str
    domain: str
    labels: tuple[str, ...]
    document_hash: str

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        said = {name: getattr(self, name) for name in self.__slots__}
        return said | {"score": round(self.score, 4), "labels": list(self.labels)}


@dataclass(frozen=True, slots=True)
class Hits:
    """What a question found."""

    publication: int
    data_as_of: datetime | None
    """The oldest of the sources of its hits."""
    overdue: bool
    """A source of the knowledge base is at ``error``."""
    hits: tuple[Hit, ...]

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "publication": self.publication,
            "data_as_of": self.data_as_of.isoformat() if self.data_as_of else None,
            "overdue": self.overdue,
            "hits": [hit.to_dict() for hit in self.hits],
        }


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, and by whom."""

    text: str
    k: int = 5
    domain: str | None = None
    labels: frozenset[str] = frozenset()
    """That the reader holds besides ``public``."""
    publication: str | None = None
    """A number, a hold, or ``candidate``; None is the newest publication."""


def search_knowledge(
    config: Config, question: Question, *, now: datetime, load_encoder: LoadEncoder
) -> Hits:
    """The nearest passages that the reader may see today, whatever state is searched.

    Raises:
        PublicationNotFound: Nothing is published, or not that.
        EmbedderMismatch: The weights found did not make the vectors of the store.
        ConfigError: The question is empty, or ``k`` is not positive.
    """
    if not question.text.strip() or question.k < 1:
        raise ConfigError("A question needs words, and -k a number of at least 1.")
    store, last = published_store(config)
    state, number, fingerprint, model = _wanted(store, last, question.publication)
    encoder = load_encoder(model, root=config.root, batch_size=config.embedder.batch_size)
    check_fingerprint(encoder, fingerprint)
    vector = encoder.encode_query(question.text)
    withheld = frozenset(last.withheld)
    if state != last.state:
        withheld = _withheld_today(config, store, last, state, now)
    only = Filter(question.labels, withheld, question.domain)
    rows = search_state(store, state, vector, k=question.k, only=only)
    hits = tuple(_hit(row) for row in rows)
    if config.queries.log:
        with QueryLog(store) as log:
            log.add(
                Query(
                    at=now,
                    vector=vector,
                    fingerprint=fingerprint,
                    domain=question.domain,
                    text=question.text if config.queries.keep_text else None,
                    hits=tuple(hit.uri for hit in hits),
                    publication=number,
                )
            )
    sources = {hit.source for hit in hits} or set(last.data_as_of)
    shown = last if number == last.number else find_publication(store, number)
    fresh = oldest(store, last, sources) if shown is last else _recorded(shown, sources)
    return Hits(number, fresh, _overdue(config, store, now), hits)


def check_fingerprint(encoder: Encoder, fingerprint: str) -> None:
    """Refuses to compare vectors of different embedders.

    Raises:
        EmbedderMismatch: The encoder did not make the vectors of the store.
    """
    if encoder.fingerprint != fingerprint:
        raise EmbedderMismatch(
            f"The embedder {encoder.model!r} has other weights than those that made the vectors.",
            hint="Bring the former weights back under that name.",
        )


def _wanted(
    store: Store, last: Publication, publication: str | None
) -> tuple[State, int, str, str]:
    if publication is None:
        return last.state, last.number, last.fingerprint, last.model
    if publication.removeprefix("#").isdigit():
        row = find_publication(store, int(publication.removeprefix("#")))
        if row.state not in readable_states(store, [row.generation]):
            raise PublicationNotFound(
                f"The files of publication #{row.number} are gone.",
                hint="See staleproof history for those that are kept.",
            )
        return row.state, row.number, row.fingerprint, row.model
    reviews = [h for h in holds(store) if h.kind == "review" and h.state in (OPEN, ACCEPTED)]
    name = reviews[-1].id if publication == CANDIDATE and reviews else publication
    if name not in {h.id for h in reviews}:
        raise PublicationNotFound(f"Nothing waits as {name!r}.", hint="See staleproof holds.")
    state = tagged_state(store, f"hold-{name}", [last.generation])
    return state, last.number, last.fingerprint, last.model


def _withheld_today(
    config: Config, store: Store, last: Publication, state: State, now: datetime
) -> frozenset[str]:
    """An older state, or one not published, shows no more than today's labels allow."""
    return withheld_of(
        published_documents(store, state),
        newest=published_documents(store, last.state),
        rules=rules_on(config, now.date()),
        known=known_documents(store),
        taken_down=all_taken_down(open_takedowns(store).values()),
    ) | frozenset(last.withheld)


def _hit(row: dict[str, Any]) -> Hit:
    path = row["heading_path"]
    return Hit(
        score=row["score"],
        text=row["text"],
        uri=row["uri"],
        title=row["title"],
        heading=path[-1] if path else "",
        source=row["source"],
        source_version=row["source_version"],
        domain=row["domain"],
        labels=tuple(row["labels"]),
        document_hash=row["content_hash"],
    )


def oldest(store: Store, last: Publication, sources: Iterable[str]) -> datetime | None:
    """How fresh the stalest of some sources is."""
    times = [as_of(store, last, source) for source in sources]
    known = [at for at in times if at is not None]
    return min(known) if known and len(known) == len(times) else None


def _recorded(publication: Publication, sources: Iterable[str]) -> datetime | None:
    """How fresh an earlier publication was when it was made."""
    times = [publication.data_as_of.get(source) for source in sources]
    known = [datetime.fromisoformat(at) for at in times if at is not None]
    return min(known) if known and len(known) == len(times) else None


def _overdue(config: Config, store: Store, now: datetime) -> bool:
    paused = open_pauses(store)
    return any(
        freshness(
            scans_of(store, s.name), warn_after=s.warn_after, error_after=s.error_after, now=now
        )
        == "error"
        for s in config.sources
        if s.name not in paused
    )


def import_queries(config: Config, file: Path, *, now: datetime, load_encoder: LoadEncoder) -> int:
    """Loads questions that were asked elsewhere: JSONL with ``question``, ``at``, ``domain``, ``accepted``.

    Nothing is written unless every line can be read.

    Returns:
        How many were loaded.

    Raises:
        ConfigError: A line is not what it should be; names file and line.
    """
    store, last = published_store(config)
    lines = [
        _imported(line, file, number, now)
        for number, line in enumerate(file.read_text("utf-8").splitlines(), start=1)
        if line.strip()
    ]
    encoder = load_encoder(last.model, root=config.root, batch_size=config.embedder.batch_size)
    check_fingerprint(encoder, last.fingerprint)
    with QueryLog(store) as log:
        for line in lines:
            log.add(
                Query(
                    at=line["at"],
                    vector=encoder.encode_query(line["question"]),
                    fingerprint=last.fingerprint,
                    domain=line["domain"],
                    text=line["question"] if config.queries.keep_text else None,
                    accepted=tuple(line["accepted"]),
                    origin="import",
                )
            )
    return len(lines)


def _imported(line: str, file: Path, number: int, now: datetime) -> dict[str, Any]:
    try:
        said = json.loads(line)
        question, accepted = said["question"], said.get("accepted", [])
        at = datetime.fromisoformat(said["at"]) if "at" in said else now
        domain = said.get("domain")
        fits = isinstance(question, str) and question.strip() and at.tzinfo is not None
        fits = fits and all(isinstance(uri, str) for uri in accepted)
        if not fits or not (domain is None or isinstance(domain, str)):
            raise ValueError("a question needs words, and a time its zone")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(
            f"{file}, line {number}: not a question ({error}).",
            hint='A line is {"question": "...", "at": "2026-01-31T12:00:00Z", "domain": "hr",'
            ' "accepted": ["handbook/hr/leave.md"]}; all but the question may be left out.',
        ) from error
    return {"question": question, "at": at, "domain": domain, "accepted": accepted}

"""Audits any publication by today's suites, and explains why a document is in quarantine."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from pipelines.config import Config
from pipelines.decide import show_quarantined
from pipelines.errors import PublicationNotFound
from pipelines.knowledge import (
    Publication,
    QuarantineRow,
    Store,
    audits_until,
    earlier_states,
    find_publication,
    holds,
    measured,
    published_documents,
    published_store,
    readable_states,
    released,
    rows_of,
)
from pipelines.planning import Change, Kind, Published, rules_on
from pipelines.quality import (
    Audit,
    Checks,
    Expectation,
    Subject,
    Text,
    Verdict,
    audit_candidate,
    described,
    judge_documents,
    load_suites,
    merged,
)
from pipelines.records import Encoder, LoadEncoder

BATCH_DOCUMENTS = 64


@dataclass(frozen=True, slots=True)
class AuditReport:
    """What today's suites say about one publication."""

    knowledge: str
    publication: Publication
    verdicts: tuple[Verdict, ...]
    """On all its documents, all its passages, and its sources."""
    measures: Mapping[str, Mapping[str, Any]]
    """By source, the columns of the publication's suite."""
    mend: tuple[dict[str, str], ...]
    """Golden questions that do not count: id, uri and why."""
    compared_with: int | None
    """The publication before it whose files are kept."""
    held: tuple[Mapping[str, Any], ...]
    """Sources that were held when it was published: hold, source, items, why."""
    history: tuple[Mapping[str, Any], ...]
    """Measures of the audits before, oldest first: number, at, and columns by source."""

    @property
    def ok(self) -> bool:
        """Whether everything critical passed."""
        return all(v.passed for v in self.verdicts if v.severity == "critical")

    def to_dict(self) -> dict[str, Any]:
        """For JSON and pages."""
        return {
            "ok": self.ok,
            "knowledge": self.knowledge,
            "publication": self.publication.number,
            "at": self.publication.at.isoformat(),
            "compared_with": self.compared_with,
            "documents": self.publication.documents,
            "chunks": self.publication.chunks,
            "verdicts": [described(verdict) for verdict in self.verdicts],
            "measures": {name: dict(columns) for name, columns in self.measures.items()},
            "mend": list(self.mend),
            "held": [dict(one) for one in self.held],
            "history": [dict(one) for one in self.history],
            "accepted": self.publication.audit.get("accepted", []),
            "released": self.publication.audit.get("released", []),
        }


def audit_publication(
    config: Config,
    *,
    number: int | None = None,
    now: datetime,
    load_encoder: LoadEncoder,
) -> AuditReport:
    """Runs the suites on everything that a publication holds. Writes question vectors at most.

    Args:
        config: The configuration.
        number: Of the publication; what readers see, by default.
        now: The time; documents are judged as of its day.
        load_encoder: Says the embedder's limits; embeds golden questions that never were.

    Raises:
        PublicationNotFound: There is no such publication, or its files are gone.
        AuditFailed: It is not whole, or could not be checked.
        ConfigError: A suite or a golden question is broken.
    """
    store, row = _publication(config, number)
    rules = rules_on(config, now.date())
    let_out = frozenset((q.uri, q.content_hash) for q in released(store))
    checks = Checks(config, load_suites(config.expectations), rules, let_out)
    documents = published_documents(store, row.state)
    judged = _judge_documents(store, row, documents, checks)
    before = _before(store, row)
    former = {} if before is None else published_documents(store, before.state)
    encoder = _encoder(config, row, load_encoder)
    subject = Subject(
        store=store,
        published=before,
        candidate=row.state,
        fingerprint=row.fingerprint,
        changes=_between(former, documents),
        accepted=_accepted(store, row),
        withheld=frozenset(row.withheld),
        whole=True,
    )
    audit = audit_candidate(subject, checks, encoder=encoder, now=now)
    return _report(config, store, row, before, judged, audit)


def _report(
    config: Config,
    store: Store,
    row: Publication,
    before: Publication | None,
    judged: tuple[Verdict, ...],
    audit: Audit,
) -> AuditReport:
    recorded = audits_until(store, row.number)
    its_own = next((a.report for a in recorded if a.number == row.number), {})
    return AuditReport(
        config.knowledge.name,
        row,
        (*judged, *audit.verdicts),
        audit.measures,
        tuple({"id": m.id, "uri": m.uri, "why": m.why} for m in audit.mend),
        None if before is None else before.number,
        tuple(its_own.get("held", ())),
        tuple(measured(recorded)),
    )


def _publication(config: Config, number: int | None) -> tuple[Store, Publication]:
    store, row = published_store(config)
    if number is not None:
        row = find_publication(store, number)
    if row.state not in readable_states(store, [row.generation]):
        raise PublicationNotFound(
            f"The files of #{row.number} are gone.", hint="See staleproof history."
        )
    return store, row


def _encoder(config: Config, row: Publication, load_encoder: LoadEncoder) -> Callable[[], Encoder]:
    loaded: list[Encoder] = []

    def encoder() -> Encoder:
        if not loaded:
            size = config.embedder.batch_size
            loaded.append(load_encoder(row.model, root=config.root, batch_size=size))
        return loaded[0]

    return encoder


def _before(store: Store, row: Publication) -> Publication | None:
    kept = readable_states(store, [row.generation])
    return next((p for p in earlier_states(store, row) if p.state in kept), None)


def _accepted(store: Store, row: Publication) -> frozenset[str]:
    named = {one["hold"] for one in row.audit.get("accepted", ())}
    return frozenset(uri for hold in holds(store) if hold.id in named for uri, _ in hold.items)


def _between(before: Mapping[str, Published], after: Mapping[str, Published]) -> list[Change]:
    """How one state became the other, as far as their documents tell."""
    gone: dict[str, list[Published]] = {}
    for uri, document in before.items():
        if uri not in after:
            gone.setdefault(document.content_hash, []).append(document)
    changes = []
    for uri, document in after.items():
        old = before.get(uri)
        if old is None:
            alike = gone.get(document.content_hash)
            old = alike.pop() if alike else None
            kind = Kind.ADDED if old is None else Kind.MOVED
        elif old.content_hash == document.content_hash:
            continue
        else:
            kind = Kind.CHANGED
        changes.append(
            Change(kind, uri, document.source, "", document.policy, previous=old, moved_to=uri)
        )
    left = [document for alike in gone.values() for document in alike]
    return changes + [Change(Kind.DELETED, p.uri, p.source, "", previous=p) for p in left]


def _judge_documents(
    store: Store, row: Publication, documents: Mapping[str, Published], checks: Checks
) -> tuple[Verdict, ...]:
    """The documents' suite on their published passages, put together again."""
    verdicts: tuple[Verdict, ...] = ()
    hashes = {uri: document.content_hash for uri, document in documents.items()}
    for batch in _texts(store, row, documents, checks.config):
        judged = judge_documents(batch, checks, hashes=hashes)
        verdicts = merged(verdicts, judged.verdicts)
    return verdicts


def _texts(
    store: Store, row: Publication, documents: Mapping[str, Published], config: Config
) -> Iterator[list[Text]]:
    columns = ["uri", "position", "start", "end", "text", "title"]
    uris = sorted(documents)
    for start in range(0, len(uris), BATCH_DOCUMENTS):
        rows = rows_of(store, row.state, uris[start : start + BATCH_DOCUMENTS], columns=columns)
        by_uri: dict[str, list[dict[str, Any]]] = {}
        for passage in rows.to_pylist():
            by_uri.setdefault(passage["uri"], []).append(passage)
        yield [_text(documents[uri], passages, config) for uri, passages in by_uri.items()]


def _text(document: Published, passages: Iterable[Mapping[str, Any]], config: Config) -> Text:
    passages = list(passages)
    policy = config.domain(document.policy.domain)
    return Text(
        uri=document.uri,
        source=document.source,
        domain=document.policy.domain,
        title=passages[0]["title"],
        text=_joined(passages),
        asked=document.asked,
        published_characters=None,
        duplicate_of=None,
        required=policy.required or (),
        languages=policy.languages or (),
    )


def _joined(passages: Iterable[Mapping[str, Any]]) -> str:
    """A document's text out of its passages; what lies between two of them is white space."""
    text = ""
    for passage in passages:
        text += "\n" * (passage["start"] - len(text))
        text += passage["text"][max(0, len(text) - passage["start"]) :]
    return text


@dataclass(frozen=True, slots=True)
class Explained:
    """Why a document is in quarantine, and what can be done."""

    row: QuarantineRow
    excerpt: str | None
    expectation: Expectation | None
    """The suite's entry; None where it could not even be read."""
    suite: str
    """The file that says so, or that it is built in."""

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        expected = None if self.expectation is None else self.expectation.expected
        return {
            "uri": self.row.uri,
            "source": self.row.source,
            "expectation": self.row.failure.expectation,
            "expected": expected,
            "observed": self.row.failure.observed,
            "since": self.row.since.isoformat(),
            "withheld": self.row.failure.withhold,
            "excerpt": self.excerpt,
            "suite": self.suite,
        }


def explain(config: Config, uri: str, *, labels: Iterable[str], on: date) -> Explained:
    """Why a document is in quarantine, with an excerpt for those who may read it.

    Raises:
        UnknownName: It is not in quarantine.
    """
    shown = show_quarantined(config, uri, labels=labels, on=on)
    suites = load_suites(config.expectations)
    for suite in (suites.documents, suites.chunks):
        for expectation in suite.expectations:
            if expectation.name == shown.row.failure.expectation:
                place = "built in" if suite.path is None else _relative(config, str(suite.path))
                return Explained(shown.row, shown.excerpt, expectation, place)
    return Explained(shown.row, shown.excerpt, None, "built in")


def _relative(config: Config, path: str) -> str:
    return path.removeprefix(f"{config.root}/")

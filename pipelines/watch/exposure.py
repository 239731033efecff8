"""Gathers how the documents that a version learned from stand today: exact, no statistics."""

from collections.abc import Mapping
from datetime import timedelta

from pipelines.drift.records import Exposure
from pipelines.knowledge import first_hits, rows_of, uris_of_texts
from pipelines.retrain.allowed import Reason, Today, place_today, withdrawn
from pipelines.training.sketches import sketch
from pipelines.watch.learned import Learned
from pipelines.watch.standing import Standing, edited_elsewhere, exposure
from pipelines.watch.subject import Subject

LATELY = timedelta(days=30)
"""Questions of so long say which documents people ask for."""
NOTED = 0.005
"""So much more or less by what people ask for is news, though no document changed."""


def look_at_documents(subject: Subject) -> Exposure | None:
    """The exposure; None where it is as it was at the look before.

    Raises:
        UnknownName: There is no such version.
        RemoteUnavailable: Its manifest cannot be fetched now.
        DataMissing: It is gone, or damaged.
    """
    found = exposure_of(subject, subject.learned)
    former = next((one.exposure for one in reversed(subject.seen) if one.exposure), None)
    if former is None:
        return found
    same = found.severities == former.severities and found.examples == former.examples
    return None if same and abs(found.value - former.value) < NOTED else found


def exposure_of(subject: Subject, manifest: Learned) -> Exposure:
    """The exposure of a version to what is published and permitted today."""
    asked = first_hits(subject.store, since=subject.now - LATELY, until=subject.now)
    return exposure(manifest.lines, standing_of(subject, manifest), asked)


def standing_of(subject: Subject, manifest: Learned) -> Standing:
    """How the documents that a version learned from stand today."""
    documents = {line.uri: line.content_hash for line in manifest.lines if line.uri}
    today = subject.today
    content = {uri: one.content_hash for uri, one in today.published.items()}
    at = _places(documents, content, today)
    doubtful = [
        line
        for line in manifest.lines
        if line.uri and content.get(at.get(line.uri, "")) != line.content_hash
    ]
    holders = uris_of_texts(
        subject.store, subject.last.state, {line.text_hash for line in doubtful}
    )
    at |= edited_elsewhere(doubtful, holders, at)
    forbidden = {uri for uri, place in at.items() if _is_left_out(subject, place)}
    gone = {
        uri
        for uri, content_hash in documents.items()
        if withdrawn(uri, content_hash, today) is not None
        or (uri in at and withdrawn(at[uri], content_hash, today) is not None)
    }
    changed = {uri for uri, place in at.items() if content[place] != documents[uri]}
    return Standing(
        at=at,
        content=content,
        texts=frozenset(holders),
        sketches=_sketches(subject, {at[uri] for uri in changed}),
        forbidden=frozenset(forbidden | gone),
        withdrawn=frozenset(gone),
    )


def _is_left_out(subject: Subject, uri: str) -> bool:
    """Whether it could not be learned from today; what the audit finds in it now was not learned."""
    return subject.allowed.left_out.get(uri) not in (None, Reason.FINDINGS)


def _places(
    documents: Mapping[str, str], content: Mapping[str, str], today: Today
) -> dict[str, str]:
    """Where each document is today: at its uri, where it moved to, or where its bytes are."""
    by_hash = {content_hash: uri for uri, content_hash in sorted(content.items(), reverse=True)}
    found: dict[str, str] = {}
    for uri, content_hash in documents.items():
        place = place_today(uri, today) or by_hash.get(content_hash)
        if place is not None:
            found[uri] = place
    return found


def _sketches(subject: Subject, uris: set[str]) -> dict[str, list[tuple[int, ...]]]:
    """Of the passages of documents that changed."""
    rows = rows_of(subject.store, subject.last.state, sorted(uris), columns=["uri", "text"])
    found: dict[str, list[tuple[int, ...]]] = {}
    for uri, text in zip(rows["uri"].to_pylist(), rows["text"].to_pylist(), strict=True):
        found.setdefault(uri, []).append(sketch(text))
    return found

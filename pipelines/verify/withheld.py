"""Whether nobody may see a document today: where it is published, and where its bytes went."""

from collections.abc import Iterator, Mapping

from pipelines.records import FrontMatter
from pipelines.verify.access import Rights, asked_in, domain_of, shown_beyond
from pipelines.verify.domains import Domain, is_past
from pipelines.verify.facts import Facts
from pipelines.verify.rows import DocumentRow
from pipelines.verify.today import Today


def must_be_withheld(uri: str, documents: Mapping[str, DocumentRow], today: Today) -> str | None:
    """Why a document must not be shown as it is published; None where it may be."""
    row, facts = documents[uri], today.facts
    if uri in facts.taken_uris or row.content_hash in facts.taken_hashes:
        return "it is taken down"
    for place in _places(uri, row, today):
        why = _hidden(place, row, documents.get(place), today)
        if why:
            return why if place == uri else f"{why} ({place}, where its bytes stand now)"
    return None


def asks_of(
    uri: str, row: DocumentRow | None, facts: Facts
) -> tuple[FrontMatter | None, FrontMatter | None]:
    """What the published and the newest version of a document ask for; what is unreadable nothing."""
    known = facts.seen(uri)
    return _asked(row.front_matter if row else None), _asked(known.asked if known else None)


def _asked(text: str | None) -> FrontMatter | None:
    try:
        return asked_in(text)
    except ValueError:
        return None


def _places(uri: str, row: DocumentRow, today: Today) -> Iterator[str]:
    """Its uri and, where a move of it waits or was taken back, those under which its bytes went on."""
    yield uri
    if today.reason(row.source, (uri, "")) is None:
        return
    followed = {uri}
    known = today.facts.seen(uri)
    while known is not None and known.moved_to and known.moved_to not in followed:
        place = known.moved_to
        known = today.facts.seen(place)
        if known is not None:
            followed.add(place)
            yield place


def _hidden(place: str, row: DocumentRow, there: DocumentRow | None, today: Today) -> str | None:
    """Why what the rows show may not be seen by everybody who can see it there.

    Args:
        place: A uri at which today's rules are asked.
        row: The published rows.
        there: The rows that are published at that uri.
        today: What else is known.
    """
    known = today.facts.seen(place)
    if known is not None and known.withhold:
        return "nobody knows what its newest version asks for"
    source, _, path = place.partition("/")
    rights = today.rights.get(source)
    if rights is None and there is None:
        return "no source grants it"
    own, newest = asks_of(place, there, today.facts)
    if any(_is_over(rights, path, there, asked, today) for asked in (own, newest)):
        return "it is past its valid_until"
    # Of a source that left, the rows are the rule: what they asked for is in their labels.
    granted = rights.of(path).labels if rights else frozenset(there.labels if there else ())
    beyond = shown_beyond(row.labels, granted, (own, newest) if rights else (newest,))
    return "its labels let somebody read who may not today" if beyond else None


def _is_over(
    rights: Rights | None,
    path: str,
    there: DocumentRow | None,
    asked: FrontMatter | None,
    today: Today,
) -> bool:
    domain = domain_of(rights, path, asked) if rights else there.domain if there else ""
    policy = today.domains.get(domain, Domain())
    return policy.withholds_expired and is_past(asked, today.on)

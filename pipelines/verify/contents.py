"""A document whose very bytes are published: policy, title and passages must follow from them."""

from collections.abc import Iterator, Sequence
from typing import Any

from pipelines.documents import RECIPE, read_document, read_front_matter
from pipelines.records import Entry, Failure, FrontMatter
from pipelines.verify.access import asked_in, expected
from pipelines.verify.comparison import Comparison, reason
from pipelines.verify.domains import forbidding
from pipelines.verify.report import Findings

Passage = dict[str, Any]
"""Columns uri, position, start, end and text of one row."""


def read_passages(one: Comparison, uris: Sequence[str]) -> dict[str, list[Passage]]:
    """The passages of some documents in order, by uri."""
    if not uris:
        return {}
    names = ", ".join("'" + uri.replace("'", "''") + "'" for uri in uris)
    table = one.store.at(*one.today.publication.state)
    columns = ["uri", "position", "start", "end", "text"]
    found: dict[str, list[Passage]] = {}
    rows = table.search().where(f"uri IN ({names})").select(columns).to_arrow().to_pylist()
    for row in sorted(rows, key=lambda r: (r["uri"], r["position"])):
        found.setdefault(row["uri"], []).append(row)
    return found


def verify_document(
    one: Comparison,
    uri: str,
    entry: Entry,
    data: bytes,
    passages: Sequence[Passage],
    findings: Findings,
) -> None:
    """Compares the rows of one document with its bytes, whose hash they carry."""
    row = one.documents[uri]
    said = read_front_matter(data)
    wrong = _wrong_policy(one, uri, entry, said)
    if wrong and uri not in one.today.publication.withheld:
        why = reason(one, (uri, row.content_hash)) or ("newer" if one.reconfigured else None)
        if why:
            findings.explain(why)
        else:
            findings.add(wrong[0], uri, wrong[1])
    elif row.recipe != RECIPE:
        findings.explain("pending")
    if row.recipe == RECIPE:
        asked = said if isinstance(said, FrontMatter) else None
        _verify_text(one, uri, entry, data, asked, passages, findings)


def _verify_text(
    one: Comparison,
    uri: str,
    entry: Entry,
    data: bytes,
    asked: FrontMatter | None,
    passages: Sequence[Passage],
    findings: Findings,
) -> None:
    document = read_document(data, path=entry.path, front_matter=asked)
    if isinstance(document, Failure):
        findings.add("text", uri, f"it is published and cannot be read: {document.expectation}")
        return
    if document.title != one.documents[uri].title:
        findings.add("title", uri, "its title is another one in its source")
    detail = next(_wrong_passages(document.text, passages), None)
    if detail:
        findings.add("text", uri, detail)


def _wrong_policy(
    one: Comparison, uri: str, entry: Entry, said: FrontMatter | Failure | None
) -> tuple[str, str] | None:
    row = one.documents[uri]
    try:
        asked = asked_in(row.front_matter)
    except ValueError:
        return None  # told already
    # Where no front matter is recognised, what was asked before stays asked.
    if said is not None and said != asked:
        return "front_matter", "its rows say that it asks for something else than it does"
    grant = expected(one.today.rights[row.source], entry.path, asked)
    if grant is None:
        return "labels", "it asks for more than its source grants"
    train = grant.train and not forbidding(one.today.domains, grant.domain, row.findings)
    wanted = (frozenset(grant.labels), grant.domain, train)
    if wanted == (frozenset(row.labels), row.domain, row.train):
        return None
    published = f"{','.join(row.labels)} {row.domain} train={row.train}"
    right = f"{','.join(sorted(grant.labels))} {grant.domain} train={train}"
    return "labels", f"published as {published}, and should be {right}"


def _wrong_passages(text: str, passages: Sequence[Passage]) -> Iterator[str]:
    """What is wrong with the passages of a text: each a span of it, white space between them."""
    end = 0
    for row in passages:
        if row["text"] != text[row["start"] : row["end"]]:
            yield f"position {row['position']} is not what its source has at its span"
        if text[end : row["start"]].strip():
            yield f"what stands before position {row['position']} is in no passage"
        end = max(end, row["end"])
    if text[end:].strip():
        yield "its end is in no passage"

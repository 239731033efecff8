"""The tables of the store: their columns, and the quoting of text in filters."""

from collections.abc import Iterable

import pyarrow as pa

FORMAT = 2
"""A store of another format is refused."""

TIME = pa.timestamp("us", tz="UTC")
TEXTS = pa.list_(pa.string())


def _required(name: str, kind: pa.DataType) -> pa.Field:
    return pa.field(name, kind, nullable=False)


STORE = pa.schema([_required("format", pa.int64()), _required("created_at", TIME)])

PUBLICATIONS = pa.schema(
    [
        _required("number", pa.int64()),
        _required("kind", pa.string()),
        _required("at", TIME),
        _required("generation", pa.string()),
        _required("version", pa.int64()),
        _required("fingerprint", pa.string()),
        _required("model", pa.string()),
        _required("models", pa.string()),
        _required("withheld", TEXTS),
        _required("pinned", pa.bool_()),
        pa.field("restores", pa.int64()),
        _required("restored", TEXTS),
        _required("run", pa.string()),
        _required("actor", pa.string()),
        _required("reason", pa.string()),
        _required("documents", pa.int64()),
        _required("chunks", pa.int64()),
        _required("tokens_embedded", pa.int64()),
        _required("counts", pa.string()),
        _required("deletions", pa.string()),
        _required("lag", pa.string()),
        _required("deletion_lag", pa.string()),
        _required("data_as_of", pa.string()),
        _required("audit", pa.string()),
    ]
)

DOCUMENTS = pa.schema(
    [
        _required("uri", pa.string()),
        _required("source", pa.string()),
        _required("token", pa.string()),
        _required("content_hash", pa.string()),
        pa.field("front_matter", pa.string()),
        pa.field("asked", pa.string()),
        _required("withhold", pa.bool_()),
        pa.field("moved_to", pa.string()),
        _required("hashed_at", TIME),
    ]
)

VECTORS = pa.schema(
    [
        _required("fingerprint", pa.string()),
        _required("text_hash", pa.string()),
        _required("vector", pa.list_(pa.float32())),
        _required("at", TIME),
    ]
)

SCANS = pa.schema(
    [
        _required("source", pa.string()),
        _required("run", pa.string()),
        _required("started_at", TIME),
        _required("seconds", pa.float64()),
        _required("listing_seconds", pa.float64()),
        _required("complete", pa.bool_()),
        pa.field("error", pa.string()),
        _required("listed", pa.int64()),
        pa.field("source_version", pa.string()),
        _required("waiting", pa.string()),
        _required("order", pa.int64()),
    ]
)

HOLDS = pa.schema(
    [
        _required("id", pa.string()),
        _required("kind", pa.string()),
        _required("source", pa.string()),
        _required("items", pa.string()),
        _required("why", pa.string()),
        _required("since", TIME),
        _required("run", pa.string()),
        _required("state", pa.string()),
        _required("remaining", pa.string()),
        pa.field("decided_at", TIME),
        pa.field("actor", pa.string()),
        pa.field("reason", pa.string()),
        pa.field("followed_by", pa.string()),
        pa.field("suites", pa.string()),
    ]
)

QUARANTINE = pa.schema(
    [
        _required("uri", pa.string()),
        _required("source", pa.string()),
        _required("content_hash", pa.string()),
        _required("expectation", pa.string()),
        _required("observed", pa.string()),
        _required("withhold", pa.bool_()),
        pa.field("excerpt", pa.string()),
        pa.field("front_matter", pa.string()),
        _required("suites", pa.string()),
        _required("since", TIME),
        _required("run", pa.string()),
        pa.field("released_at", TIME),
        pa.field("released_by", pa.string()),
        pa.field("released_reason", pa.string()),
    ]
)

AUDITS = pa.schema(
    [
        _required("run", pa.string()),
        pa.field("number", pa.int64()),
        _required("at", TIME),
        _required("report", pa.string()),
    ]
)

CANARIES = pa.schema(
    [
        _required("fingerprint", pa.string()),
        _required("question_hash", pa.string()),
        _required("vector", pa.list_(pa.float32())),
        _required("at", TIME),
    ]
)

TAKEDOWNS = pa.schema(
    [
        _required("id", pa.string()),
        _required("uri", pa.string()),
        _required("content_hash", pa.string()),
        _required("at", TIME),
        _required("actor", pa.string()),
        _required("reason", pa.string()),
        pa.field("lifted_at", TIME),
        pa.field("lifted_by", pa.string()),
        pa.field("lifted_reason", pa.string()),
    ]
)

QUERIES = pa.schema(
    [
        _required("id", pa.string()),
        _required("at", TIME),
        pa.field("domain", pa.string()),
        pa.field("text", pa.string()),
        pa.field("vector", pa.list_(pa.float32())),
        _required("fingerprint", pa.string()),
        _required("hits", TEXTS),
        pa.field("publication", pa.int64()),
        pa.field("accepted", TEXTS),
        _required("origin", pa.string()),
    ]
)

PAUSES = pa.schema(
    [
        _required("source", pa.string()),
        _required("at", TIME),
        _required("actor", pa.string()),
        _required("reason", pa.string()),
        pa.field("resumed_at", TIME),
        pa.field("resumed_by", pa.string()),
    ]
)

HEALTH = pa.schema(
    [
        _required("subject", pa.string()),
        _required("word", pa.string()),
        _required("since", TIME),
        _required("at", TIME),
    ]
)

VERDICTS = pa.schema(
    [
        _required("id", pa.string()),
        _required("model", pa.string()),
        _required("version", pa.string()),
        _required("at", TIME),
        _required("verdict", pa.string()),
        _required("reasons", pa.string()),
        _required("look", pa.string()),
        _required("attempt", pa.int64()),
    ]
)

LOOKS = pa.schema(
    [
        _required("id", pa.string()),
        _required("model", pa.string()),
        _required("version", pa.string()),
        _required("number", pa.int64()),
        _required("look", pa.string()),
        _required("at", TIME),
        _required("publication", pa.int64()),
        _required("observation", pa.string()),
        _required("state", pa.string()),
        _required("verdict", pa.string()),
    ]
)

EVALUATIONS = pa.schema(
    [
        _required("id", pa.string()),
        _required("model", pa.string()),
        _required("version", pa.string()),
        _required("channel", pa.string()),
        _required("item", pa.string()),
        _required("evidence", pa.string()),
        _required("uri", pa.string()),
        _required("domain", pa.string()),
        _required("ours", pa.float64()),
        _required("theirs", pa.float64()),
        _required("look", pa.string()),
        _required("at", TIME),
    ]
)

REFERENCES = pa.schema(
    [
        _required("id", pa.string()),
        _required("model", pa.string()),
        _required("version", pa.string()),
        _required("channel", pa.string()),
        _required("part", pa.string()),
        _required("position", pa.int64()),
        _required("vector", pa.list_(pa.float32())),
        _required("look", pa.string()),
        _required("at", TIME),
    ]
)

SIDE_TABLES = {
    "documents": DOCUMENTS,
    "vectors": VECTORS,
    "scans": SCANS,
    "holds": HOLDS,
    "quarantine": QUARANTINE,
    "audits": AUDITS,
    "canaries": CANARIES,
    "takedowns": TAKEDOWNS,
    "queries": QUERIES,
    "pauses": PAUSES,
    "health": HEALTH,
    "verdicts": VERDICTS,
    "looks": LOOKS,
    "evaluations": EVALUATIONS,
    "references": REFERENCES,
}

KEYS = {
    "publications": "number",
    "documents": "uri",
    "holds": "id",
    "health": "subject",
    "verdicts": "id",
    "looks": "id",
    "evaluations": "id",
    "references": "id",
}
"""Primary keys that are declared, so that two concurrent inserts of one key leave one row."""


def chunks(dimension: int) -> pa.Schema:
    """The columns of a generation whose vectors have ``dimension`` values."""
    return pa.schema(
        [
            _required("uri", pa.string()),
            _required("source", pa.string()),
            _required("position", pa.int32()),
            _required("start", pa.int64()),
            _required("end", pa.int64()),
            _required("heading_path", TEXTS),
            _required("prefix", pa.string()),
            _required("text", pa.string()),
            _required("text_hash", pa.string()),
            _required("tokens", pa.int32()),
            _required("vector", pa.list_(pa.float32(), dimension)),
            _required("title", pa.string()),
            _required("domain", pa.string()),
            _required("labels", TEXTS),
            _required("train", pa.bool_()),
            pa.field("front_matter", pa.string()),
            _required("content_hash", pa.string()),
            _required("recipe", pa.string()),
            _required("findings", TEXTS),
            _required("source_version", pa.string()),
            _required("source_at", TIME),
        ]
    )


def quoted(text: str) -> str:
    """A string literal of the filter language."""
    return "'" + text.replace("'", "''") + "'"


def among(column: str, values: Iterable[str]) -> str:
    """A filter: the column is one of the values. Of no values: nothing."""
    literals = ",".join(quoted(value) for value in sorted(set(values)))
    return f"{column} IN ({literals})" if literals else "false"


def not_among(column: str, values: Iterable[str]) -> str:
    """A filter: the column is none of the values. Of no values: everything."""
    literals = ",".join(quoted(value) for value in sorted(set(values)))
    return f"{column} NOT IN ({literals})" if literals else "true"

"""Documents and passages of a batch as their checks see them."""

from collections.abc import Mapping, Sequence

from pipelines.ingest.prepare import Prepared, Read
from pipelines.knowledge import State, Store, rows_of
from pipelines.planning import Kind
from pipelines.quality import (
    Checks,
    Judged,
    Passages,
    Text,
    chunk_columns,
    judge_chunks,
    judge_documents,
)
from pipelines.records import Encoder, FrontMatter, Vectors


def check_documents(
    batch: Sequence[Read],
    checks: Checks,
    *,
    store: Store | None,
    published: State | None,
    duplicates: Mapping[str, str],
) -> Judged:
    """Judges the texts of a batch.

    Args:
        batch: The documents.
        checks: What they are checked against.
        store: Where their published versions are, if there is one.
        published: The state that readers see.
        duplicates: Uri -> another one of the same bytes.
    """
    changed = [one.change.uri for one in batch if one.change.kind is Kind.CHANGED]
    lengths: dict[str, int] = {}
    if changed and store is not None and published is not None:
        rows = rows_of(store, published, changed, columns=["uri", "position", "end"])
        lengths = dict(zip(rows["uri"].to_pylist(), rows["end"].to_pylist(), strict=True))
    texts = [_text(one, checks, lengths, duplicates) for one in batch]
    hashes = {one.change.uri: one.change.key[1] for one in batch}
    return judge_documents(texts, checks, hashes=hashes)


def _text(
    one: Read, checks: Checks, lengths: Mapping[str, int], duplicates: Mapping[str, str]
) -> Text:
    change = one.change
    if change.policy is None or change.found is None:
        raise ValueError(f"{change.uri} has neither policy nor bytes")
    said = change.found.front_matter
    policy = checks.config.domain(change.policy.domain)
    return Text(
        uri=change.uri,
        source=change.source,
        domain=change.policy.domain,
        title=one.document.title,
        text=one.document.text,
        asked=said if isinstance(said, FrontMatter) else change.asked,
        published_characters=lengths.get(change.uri),
        duplicate_of=duplicates.get(change.uri),
        required=policy.required or (),
        languages=policy.languages or (),
    )


def check_chunks(
    batch: Sequence[Prepared], vectors: Mapping[str, Vectors], checks: Checks, encoder: Encoder
) -> Judged:
    """Judges the passages of a batch and their vectors, each ``(d,)`` float32."""
    passages = [(one, c, h) for one in batch for c, h in zip(one.chunks, one.hashes, strict=True)]
    checked = Passages(
        uris=[one.change.uri for one, _, _ in passages],
        sources=[one.change.source for one, _, _ in passages],
        positions=[chunk.position for _, chunk, _ in passages],
        embedded=[chunk.embedded for _, chunk, _ in passages],
        characters=[len(chunk.text) for _, chunk, _ in passages],
        text_hashes=[text_hash for _, _, text_hash in passages],
        tokens=[chunk.tokens for _, chunk, _ in passages],
        vectors=[vectors[text_hash] for _, _, text_hash in passages],
    )
    columns = chunk_columns(
        checked,
        known={one.change.uri for one in batch},
        dimension=encoder.dimension,
        max_tokens=encoder.max_tokens,
    )
    return judge_chunks(columns, checks.suites.chunks)

"""What waits for a person: unusual deletions and dear runs, as named sets."""

from collections.abc import Iterable, Mapping
from hashlib import blake2b

from pipelines.planning.records import Change, Hold

FEW = 10
SHARE = 0.2
HALF = 0.5


def hold(kind: str, source: str, items: Iterable[tuple[str, str]], why: str) -> Hold:
    """A hold; its id follows from kind, source and set, so the same set is the same hold."""
    ordered = tuple(sorted(items))
    digest = blake2b(digest_size=5)
    for part in (kind, source, *(text for item in ordered for text in item)):
        digest.update(part.encode("utf-8", "surrogatepass") + b"\0")
    return Hold(digest.hexdigest(), kind, source, ordered, why)


def unusual(*, gone: int, recent: int, published: int, listed: int) -> str | None:
    """Why the deletions of a source are unusual, or None where they are ordinary.

    Args:
        gone: Documents that a complete listing lacks now and nobody decided about.
        recent: Documents deleted within the last 24 hours without anybody's acceptance.
        published: Documents of the source that are published now.
        listed: Documents that the listing has.
    """
    if not gone:
        return None
    if not listed:
        return f"the listing came back empty, {published} documents are published"
    size = published + recent
    lately = f", and {recent} within the last 24 hours" if recent else ""
    if gone + recent > max(FEW, SHARE * size):
        return f"{gone} of {published} documents are gone{lately}"
    if gone + recent > HALF * size:
        return f"more than half of a small source is gone: {gone} of {published} documents{lately}"
    return None


def cost_holds(
    changes: Iterable[Change],
    tokens: Mapping[str, int],
    *,
    limit: int,
    accepted: set[tuple[str, str]],
) -> tuple[Hold, ...]:
    """One hold a source over all documents that need embedding, where a run would exceed the limit.

    Args:
        changes: What the run would do.
        tokens: How many tokens each uri would embed; absent or 0 costs nothing.
        limit: ``max_embed_tokens``; 0 is no limit.
        accepted: Keys that a person let through whatever they cost.
    """
    dear = [c for c in changes if tokens.get(c.uri) and c.key not in accepted]
    total = sum(tokens[c.uri] for c in dear)
    if not limit or total <= limit:
        return ()
    by_source: dict[str, list[Change]] = {}
    for change in dear:
        by_source.setdefault(change.source, []).append(change)
    why = f"the run would embed {total:,} tokens, max_embed_tokens is {limit:,}"
    return tuple(
        hold("cost", source, (c.key for c in of_source), why)
        for source, of_source in sorted(by_source.items())
    )

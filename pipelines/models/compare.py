"""Which of two embedders finds more: the user's golden questions over the published passages."""

import math
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.config import Config
from pipelines.errors import ConfigError, PublicationNotFound
from pipelines.knowledge import (
    Publication,
    Store,
    protecting,
    published_store,
)
from pipelines.knowledge.compare import streamed
from pipelines.quality.canaries import Canary, read_canaries
from pipelines.records import Encoder, Happened, LoadEncoder, Progress, Vectors, ignore
from pipelines.registry import checkout_model, find_version
from pipelines.training.intervals import interval

DEPTH = 10
"""Of the reciprocal rank: a document found later counts as not found."""
LEAST_QUESTIONS = 2
"""Of one alone nobody can say how far a difference may be off."""
MOST_PASSAGES = 4_000
"""That are searched: those of the documents asked for, and others by hash."""
BATCH = 64


@dataclass(frozen=True, slots=True)
class Passages:
    """What is searched."""

    uris: Sequence[str]
    texts: Sequence[str]
    """As they are embedded."""
    total: int
    """How many are published."""


def compare_models(
    config: Config,
    first: str,
    second: str,
    *,
    now: datetime,
    run_id: str,
    load_encoder: LoadEncoder,
    on_event: Callable[[Progress | Happened], None] = ignore,
) -> dict[str, Any]:
    """Asks two embedders the golden questions, and ranks the documents that they find.

    Args:
        config: The configuration.
        first: A version (``NAME@v0.0.1``), or what ``[embedder] model`` may be.
        second: The other one.
        now: The time.
        run_id: Names who reads.
        load_encoder: Finds an encoder.
        on_event: Hears of progress.

    Raises:
        ConfigError: There are no golden questions, or a name is none of an embedder.
        PublicationNotFound: Nothing is published yet, or it was cleaned away meanwhile.
        UnknownName: There is no such version.
    """
    for name in (first, second):
        _refuse_generator(config, name)
    canaries = read_canaries(config.golden)
    if not canaries:
        raise ConfigError(
            f"There are no golden questions in {config.audit.golden}/ to compare by.",
            hint='A line of a *.jsonl there is {"id": ..., "question": ..., "uri": ...}.',
        )
    passages, last = _read(config, canaries, now, run_id)
    here = set(passages.uris)
    asked = [canary for canary in canaries if canary.uri in here]
    if len(asked) < LEAST_QUESTIONS:
        raise ConfigError(
            f"Of the golden questions {len(asked)} name a document of #{last.number};"
            f" to compare takes {LEAST_QUESTIONS} at the least.",
            hint=f"Write more into {config.audit.golden}/*.jsonl.",
        )
    ranks = []
    for number, name in enumerate((first, second)):
        with _encoder(config, name, load_encoder) as encoder:

            def moved(done: int, number: int = number) -> None:
                size = len(passages.texts)
                on_event(Progress("compare", number * size + done, 2 * size))

            ranks.append(_ranks(encoder, passages, asked, moved))
    return _said((first, second), asked, ranks, passages, last)


def _refuse_generator(config: Config, name: str) -> None:
    """It finds no passages. What two versions answered stands in their evaluations."""
    model, at, version = name.rpartition("@")
    if at and config.model(model).kind == "generator":
        raise ConfigError(
            f"{name} is a generator: what is compared here is which passages embedders find.",
            hint=f"staleproof models diff {model} V1 V2 shows the scores of two versions,"
            f" staleproof models show {model} {version} its answers.",
        )


def _read(
    config: Config, canaries: Sequence[Canary], now: datetime, run: str
) -> tuple[Passages, Publication]:
    store, last = published_store(config)
    with protecting(store, run=run, at=now) as protect:
        if not protect(last.state):
            raise PublicationNotFound(
                f"#{last.number} was replaced and cleaned away meanwhile.", hint="Start again."
            )
        return _passages(store, last, {canary.uri for canary in canaries}), last


def _passages(store: Store, last: Publication, wanted: set[str]) -> Passages:
    """Those of the documents asked for, and as many others as fit; nothing withheld."""
    withheld = set(last.withheld)
    asked: list[tuple[str, str]] = []
    others: list[tuple[str, str, str]] = []
    for batch in streamed(store, last.state, ["uri", "prefix", "text", "text_hash"]):
        for row in batch.to_pylist():
            if row["uri"] in withheld:
                continue
            text = f"{row['prefix']}\n\n{row['text']}" if row["prefix"] else row["text"]
            if row["uri"] in wanted:
                asked.append((row["uri"], text))
            else:
                others.append((row["text_hash"], row["uri"], text))
    kept = [(uri, text) for _, uri, text in sorted(others)[: max(0, MOST_PASSAGES - len(asked))]]
    found = sorted(asked) + kept
    return Passages(
        [uri for uri, _ in found], [text for _, text in found], len(asked) + len(others)
    )


@contextmanager
def _encoder(config: Config, name: str, load_encoder: LoadEncoder) -> Iterator[Encoder]:
    """An embedder by name; of a version the weights are there meanwhile."""
    size = config.embedder.batch_size
    model, at, version = name.rpartition("@")
    if not at:
        yield load_encoder(name, root=config.root, batch_size=size)
        return
    found = find_version(config.root, config.model(model).name, version)
    with tempfile.TemporaryDirectory(prefix="staleproof-") as scratch:
        folder = checkout_model(config.root, found, Path(scratch) / "weights")
        yield load_encoder(str(folder), root=config.root, batch_size=size)


def _ranks(
    encoder: Encoder, passages: Passages, asked: Sequence[Canary], moved: Callable[[int], None]
) -> list[int | None]:
    """Of each question the rank of its document among the documents found; None beyond depth."""
    vectors = _encoded(encoder, passages.texts, moved)
    ranks: list[int | None] = []
    for canary in asked:
        order = np.argsort(-(vectors @ encoder.encode_query(canary.question)), kind="stable")
        documents = dict.fromkeys(passages.uris[number] for number in order)
        place = list(documents).index(canary.uri) + 1
        ranks.append(place if place <= DEPTH else None)
    return ranks


def _encoded(encoder: Encoder, texts: Sequence[str], moved: Callable[[int], None]) -> Vectors:
    """``(n, d)`` float32; what is longer than the model takes is cut, for the other one takes it."""
    parts = []
    for start in range(0, len(texts), BATCH):
        part = [_cut(encoder, text) for text in texts[start : start + BATCH]]
        parts.append(encoder.encode(part))
        moved(min(start + BATCH, len(texts)))
    return np.concatenate(parts)


def _cut(encoder: Encoder, text: str) -> str:
    while (tokens := encoder.count([text])[0]) > encoder.max_tokens:
        share = encoder.max_tokens / tokens
        text = text[: min(len(text) - 1, math.floor(len(text) * share))]
    return text


def _said(
    names: tuple[str, str],
    asked: Sequence[Canary],
    ranks: Sequence[Sequence[int | None]],
    passages: Passages,
    last: Publication,
) -> dict[str, Any]:
    found = [np.array([1 / rank if rank else 0.0 for rank in each]) for each in ranks]
    questions = [
        {"id": canary.id, "uri": canary.uri, "ranks": list(pair)}
        for canary, *pair in zip(asked, *ranks, strict=True)
    ]
    return {
        "models": list(names),
        "publication": last.number,
        "questions": questions,
        "passages": len(passages.texts),
        "published": passages.total,
        "mrr": [round(float(each.mean()), 6) for each in found],
        "found": [sum(rank is not None for rank in each) for each in ranks],
        "difference": interval(found[1] - found[0], [canary.uri for canary in asked]).to_dict(),
    }

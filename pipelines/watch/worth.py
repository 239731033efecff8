"""Is a version still worth having: on questions about what is new, it against its base."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from pipelines.config import WatchPolicy
from pipelines.drift.records import Bet
from pipelines.errors import ConfigError
from pipelines.ingest.prepare import text_hash_of
from pipelines.knowledge import Evaluation, spill, spilled
from pipelines.knowledge.compare import rows_of_texts, streamed
from pipelines.records import Encoder, Vectors
from pipelines.training.records import digest
from pipelines.training.texts import body, embedded
from pipelines.watch.fresh import AskedOf, fresh_documents, fresh_questions
from pipelines.watch.nearest import DEPTH
from pipelines.watch.subject import Subject

UNASKED = "unasked"
"""The channel of documents about which nothing can be asked: they count for nothing."""
_BATCH = 256


@dataclass(frozen=True, slots=True)
class Worth:
    """What a look saw of documents that are new to the version."""

    scores: dict[Bet, tuple[float, ...]] = field(default_factory=dict)
    """The version minus its base, and minus the candidate: one of each document."""
    unasked: int = 0
    """New documents about which nothing could be asked."""
    left: int = 0
    """New documents that the next look will ask about."""


@dataclass(frozen=True, slots=True)
class Pool:
    """Texts that are searched, by the hash of the passage that each is of."""

    texts: Mapping[str, str]

    @property
    def order(self) -> list[str]:
        """Of the columns of what is compared."""
        return sorted(self.texts)


def look_at_worth(subject: Subject, policy: WatchPolicy) -> Worth:
    """Asks version, base and candidate about documents that are new to the version, once each.

    Raises:
        ConfigError: The base or the candidate cannot be found.
        EmbedderChanged: The version gives other vectors than before.
    """
    manifest = subject.learned
    known = subject.memory.evaluated()
    counted = [one for one in known if one.channel == "worth" and subject.counts(one)]
    done = {one.evidence for one in known if one.channel == UNASKED}
    done |= {one.evidence for one in counted}
    uris, left = fresh_documents(subject, manifest, done, {one.uri for one in counted})
    if not uris:
        return Worth()
    asked = fresh_questions(subject, manifest, uris)
    scores = _scores(subject, policy, asked) if asked else {}
    unasked = [uri for uri in uris if not any(uri in some for some in scores.values())]
    subject.memory.keep_evaluations([_evaluation(subject, UNASKED, uri, 0, 0) for uri in unasked])
    order = sorted(set(uris) - set(unasked), key=lambda uri: digest(subject.run, uri))
    rivals: dict[Bet, str] = {"worth": "base"}
    if policy.candidate:
        rivals["candidate"] = "candidate"
    told: dict[Bet, tuple[float, ...]] = {}
    for channel, rival in rivals.items():
        pairs = [(uri, scores["ours"][uri], scores[rival][uri]) for uri in order]
        subject.memory.keep_evaluations([_evaluation(subject, channel, *pair) for pair in pairs])
        if pairs:
            told[channel] = tuple(ours - theirs for _, ours, theirs in pairs)
    return Worth(told, len(unasked), left)


def _evaluation(subject: Subject, channel: str, uri: str, ours: float, theirs: float) -> Evaluation:
    document = subject.allowed.documents[uri]
    return Evaluation(
        model=subject.model.name,
        version=subject.version,
        channel=channel,
        item=uri,
        evidence=document.content_hash,
        uri=uri,
        domain=document.policy.domain,
        ours=ours,
        theirs=theirs,
        look=subject.run,
        at=subject.now,
    )


def _scores(
    subject: Subject, policy: WatchPolicy, asked: Mapping[str, Sequence[AskedOf]]
) -> dict[str, dict[str, float]]:
    """Mean reciprocal rank of each document's questions, by model, by uri."""
    encoders = {
        "ours": subject.encoders.serving(),
        "base": subject.encoders.named(subject.model.base),
    }
    if policy.candidate:
        encoders["candidate"] = subject.encoders.named(policy.candidate)
    ranks: dict[str, list[tuple[float, ...]]] = defaultdict(list)
    # Headings are looked for in passages without their own, which would give the answer away.
    for headings, pool in _pools(subject, policy, asked, encoders.values()).items():
        searched = [(one, _vectors(subject, one, pool)) for one in encoders.values()]
        for uri, questions in asked.items():
            for one in questions:
                if one.is_heading == headings and one.targets & pool.texts.keys():
                    found = [_rank(*each, one, pool.order) for each in searched]
                    ranks[uri] += [tuple(x for x in found if x is not None)]
    # A question that one model cannot be asked counts for none.
    means = {
        uri: np.mean(whole, axis=0)
        for uri, found in ranks.items()
        if (whole := [each for each in found if len(each) == len(encoders)])
    }
    return {
        name: {uri: float(mean[number]) for uri, mean in means.items()}
        for number, name in enumerate(encoders)
    }


def _pools(
    subject: Subject,
    policy: WatchPolicy,
    asked: Mapping[str, Sequence[AskedOf]],
    encoders: Iterable[Encoder],
) -> dict[bool, Pool]:
    """What headings are looked for in, and what everything else is: what answers, and others."""
    questions = [one for some in asked.values() for one in some]
    targets = {text for one in questions for text in one.targets}
    names = targets | _others(subject, policy, targets)
    rows = rows_of_texts(
        subject.store, subject.last.state, sorted(names), ["text_hash", "prefix", "text"]
    ).to_pylist()
    pools = {
        True: {row["text_hash"]: body(row["text"]) for row in rows},
        False: {row["text_hash"]: embedded(row["prefix"], row["text"]) for row in rows},
    }
    needed = {one.is_heading for one in questions}
    return {
        headings: Pool(_fitting(texts, encoders))
        for headings, texts in pools.items()
        if headings in needed
    }


def _others(subject: Subject, policy: WatchPolicy, targets: set[str]) -> set[str]:
    """Passages beside those that answer, up to ``max_passages``: the same ones in every look."""
    withheld = frozenset(subject.last.withheld)
    names = {
        text
        for batch in streamed(subject.store, subject.last.state, ("uri", "text_hash"))
        for uri, text in zip(
            batch.column("uri").to_pylist(), batch.column("text_hash").to_pylist(), strict=True
        )
        if uri not in withheld
    }
    return set(sorted(names - targets)[: max(0, policy.max_passages - len(targets))])


def _fitting(texts: Mapping[str, str], encoders: Iterable[Encoder]) -> dict[str, str]:
    """Those that all models can take whole."""
    names = [name for name, text in texts.items() if text]
    for encoder in encoders:
        counts = encoder.count([texts[name] for name in names]) if names else []
        names = [n for n, count in zip(names, counts, strict=True) if count <= encoder.max_tokens]
    return {name: texts[name] for name in names}


def _vectors(subject: Subject, encoder: Encoder, pool: Pool) -> Vectors:
    """The vectors of a pool, ``(n, d)``, in its order; what was embedded lately is in the spill."""
    texts = {text_hash_of(text): text for text in pool.texts.values()}
    found = spilled(subject.store, encoder.fingerprint, texts)
    missing = [name for name in texts if name not in found]
    for start in range(0, len(missing), _BATCH):
        part = missing[start : start + _BATCH]
        fresh = dict(zip(part, encoder.encode([texts[name] for name in part]), strict=True))
        spill(subject.store, encoder.fingerprint, fresh, now=subject.now)
        found |= fresh
    if not pool.order:  # no passage is short enough for all models
        return np.empty((0, encoder.dimension), dtype=np.float32)
    return np.stack([found[text_hash_of(pool.texts[name])] for name in pool.order])


def _rank(encoder: Encoder, vectors: Vectors, one: AskedOf, order: Sequence[str]) -> float | None:
    """Reciprocal rank of the first passage that answers; None where it cannot be asked."""
    try:
        cosines = vectors @ encoder.encode_query(one.text)
    except ConfigError:  # longer than this model takes
        return None
    hidden = [number for number, name in enumerate(order) if name in one.left_out]
    cosines[hidden] = -np.inf
    first = np.argsort(-cosines, kind="stable")[:DEPTH].tolist()
    hits = [place for place, number in enumerate(first, start=1) if order[number] in one.targets]
    return 1 / hits[0] if hits else 0.0

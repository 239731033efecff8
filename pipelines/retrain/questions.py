"""Questions and pairs of people's own, of which only those stay whose documents may be learned."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pipelines.config import Config, EmbedderModel
from pipelines.errors import ConfigError
from pipelines.knowledge import Store, logged_queries
from pipelines.quality.canaries import read_canaries
from pipelines.retrain.given import given_or_built_in, given_text, read_given
from pipelines.retrain.quotes import quoting
from pipelines.training import GeneralPair, OwnPair, Question
from pipelines.training.records import digest

_HINT = 'A line is {"question": ..., "passage": ...}.'

P = TypeVar("P", Question, OwnPair, GeneralPair)


@dataclass(frozen=True, slots=True)
class Asked:
    """What people gave to learn from and to be judged by."""

    questions: tuple[Question, ...]
    own_pairs: tuple[OwnPair, ...]
    general: tuple[GeneralPair, ...]
    left_out: Mapping[str, int] = field(default_factory=dict)
    """How many were, by reason."""


def read_asked(
    config: Config,
    model: EmbedderModel,
    store: Store,
    *,
    ids: Mapping[str, str],
    forbidden: Collection[str],
    permitted: Collection[str],
) -> Asked:
    """Golden questions, imported questions with accepted answers, own pairs and the general set.

    Args:
        config: The configuration.
        model: Whose pairs and general set.
        store: Where the imported questions are.
        ids: Uri -> id of the documents that may be learned from.
        forbidden: Passages of documents that may not: what quotes one of these goes, whatever
            document it names.
        permitted: Passages of those that may.

    Raises:
        ConfigError: A file of pairs, of the general set or of golden questions is broken, or
            nothing of the general set may stay.
    """
    left_out: Counter[str] = Counter()
    questions = people_asked(config, store, ids, left_out)
    own, general = list(_own(config, model, ids, left_out)), general_set(config, model)
    people: list[Question | OwnPair | GeneralPair] = [
        *questions,
        *own,
        *(general if model.general else ()),
    ]
    quotes = quoting(
        (said for one in people for said in _said(one)), forbidden=forbidden, permitted=permitted
    )

    def kept(some: Sequence[P], reason: str) -> tuple[P, ...]:
        stay = tuple(one for one in some if quotes.isdisjoint(_said(one)))
        if len(stay) < len(some):
            left_out[reason] += len(some) - len(stay)
        return stay

    asked = Asked(
        kept(questions, "questions that quote what may not be learned from"),
        kept(own, "own pairs of passages that may not be learned from"),
        kept(general, "general questions that quote what may not be learned from"),
        left_out,
    )
    if not asked.general:
        raise ConfigError(
            f"[[models]] general: {model.general} has no question that may be used.",
            hint="Without questions on other subjects nobody sees what a version forgets.",
        )
    return asked


def people_asked(
    config: Config, store: Store, ids: Mapping[str, str], left_out: Counter[str]
) -> list[Question]:
    """Golden questions, and imported questions with accepted answers.

    Args:
        config: The configuration.
        store: Where the imported questions are.
        ids: Uri -> id of the documents that may be asked of.
        left_out: Gets how many were not taken, by reason.

    Raises:
        ConfigError: A golden question is broken.
    """
    return [*_golden(config, ids, left_out), *_accepted(store, ids, left_out)]


def _said(one: Question | OwnPair | GeneralPair) -> tuple[str, ...]:
    if isinstance(one, Question):
        return one.text, one.answer_contains
    return one.question, one.passage


def _golden(config: Config, ids: Mapping[str, str], left_out: Counter[str]) -> Iterator[Question]:
    for canary in read_canaries(config.golden):
        if canary.uri in ids:
            documents = (ids[canary.uri],)
            yield Question(canary.id, "golden", canary.question, documents, canary.answer)
        else:
            left_out["golden questions without a document that may be learned from"] += 1


def _accepted(store: Store, ids: Mapping[str, str], left_out: Counter[str]) -> Iterator[Question]:
    """Of questions asked several times the newest answer counts."""
    newest = {row["text"]: row for row in logged_queries(store) if row["text"] and row["accepted"]}
    for text, row in newest.items():
        documents = tuple(sorted({ids[uri] for uri in row["accepted"] if uri in ids}))
        if documents:
            yield Question(digest("accepted", text), "accepted", text, documents)
        else:
            left_out["accepted answers without a document that may be learned from"] += 1


def _own(
    config: Config,
    model: EmbedderModel,
    ids: Mapping[str, str],
    left_out: Counter[str],
) -> Iterator[OwnPair]:
    for name in model.pairs:
        for pair in read_given(
            config.root / name, f"[[models]] pairs: {name}", _own_pair, hint=_HINT
        ):
            if pair.document and pair.document not in ids:
                left_out["own pairs of documents that may not be learned from"] += 1
            else:
                document = ids[pair.document] if pair.document else ""
                yield OwnPair(pair.question, pair.passage, document)


def general_set(config: Config, model: EmbedderModel) -> tuple[GeneralPair, ...]:
    """The questions on other subjects: the user's, else the built-in ones.

    Raises:
        ConfigError: The file is missing or broken.
    """
    path, name = given_or_built_in(
        config.root, model.general, package="pipelines.training", file="general.jsonl"
    )
    return tuple(read_given(path, name, _general_pair, hint=_HINT))


def _own_pair(said: Mapping[str, Any]) -> OwnPair:
    return OwnPair(
        given_text(said, "question"), given_text(said, "passage"), str(said.get("document") or "")
    )


def _general_pair(said: Mapping[str, Any]) -> GeneralPair:
    return GeneralPair(given_text(said, "question"), given_text(said, "passage"))

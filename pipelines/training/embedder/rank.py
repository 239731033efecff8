"""Asks an embedder questions and says how well each was answered, and how fast."""

import itertools
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipelines.records import Vectors
from pipelines.training.embedder.model import (
    open_model,
    passage_vectors,
    question_vectors,
)
from pipelines.training.params import Params
from pipelines.training.progress import Steps
from pipelines.training.questions import Asked
from pipelines.training.records import digest
from pipelines.training.repeatable import make_repeatable
from pipelines.training.snapshot import Snapshot
from pipelines.training.split import is_held_out
from pipelines.training.texts import body, embedded

DEPTH = 10
METRICS = ("reciprocal_rank", "recall_5", "recall_10", "ndcg_10")
_BATCH = 32
_DIGITS = 6
_ROWS = 256
_LATENCY_QUESTIONS = 25
_WARM_UP = 5

Scores = dict[str, Any]
"""One question of one model: what ``scores.parquet`` has a row of."""


@dataclass(frozen=True)
class _Search:
    """Questions that are asked of the same texts."""

    set: str
    questions: Sequence[Asked]
    texts: Sequence[str]
    at: Mapping[int, int]
    """Row of a passage -> its place in ``texts``."""


def rank(
    snapshot: Snapshot,
    params: Params,
    questions: Mapping[str, Sequence[Asked]],
    models: Mapping[str, Path],
) -> list[Scores]:
    """Scores of each question with each model, rounded to 6 digits.

    Headings are looked for in passages of held-out documents without their headings, which would
    give the answer away; everything else in passages as the knowledge base embeds them.

    Args:
        snapshot: Its passages are searched.
        params: How many at most.
        questions: By set.
        models: Folders by the name that the scores give them.
    """
    make_repeatable(params)
    searches = [
        search
        for search in (*_searches(snapshot, params, questions), _general(snapshot))
        if search.questions
    ]
    size = sum(len(search.texts) + len(search.questions) for search in searches)
    steps = Steps("evaluate", len(models) * size)
    done = 0
    rows: list[Scores] = []
    for name, folder in models.items():
        model = open_model(folder)
        for search in searches:
            texts = passage_vectors(model, search.texts, _BATCH)
            asked = question_vectors(model, [q.text for q in search.questions], _BATCH)
            rows += [{"model": name, **row} for row in _scored(search, asked, texts)]
            done += len(search.texts) + len(search.questions)
            steps.done(done)
    return rows


def latency(models: Mapping[str, Path], questions: Sequence[str]) -> dict[str, float]:
    """Median milliseconds of one question by itself, the models asked in turns."""
    asked = list(itertools.islice(itertools.cycle(questions), _WARM_UP + _LATENCY_QUESTIONS))
    opened = {name: open_model(folder) for name, folder in models.items()}
    seconds: dict[str, list[float]] = {name: [] for name in models}
    for text in asked:
        for name, model in opened.items():
            started = time.perf_counter()
            question_vectors(model, [text], 1)
            seconds[name].append(time.perf_counter() - started)
    return {
        name: round(1_000 * statistics.median(each[_WARM_UP:]), 3) for name, each in seconds.items()
    }


def _searches(
    snapshot: Snapshot, params: Params, questions: Mapping[str, Sequence[Asked]]
) -> Iterator[_Search]:
    passages = snapshot.passages.select(["document", "position", "prefix", "text"])
    rows = passages.to_pylist()
    everywhere = sorted(range(len(rows)), key=lambda n: _place(rows[n]))
    held_out = [n for n in everywhere if is_held_out(rows[n]["document"], params.held_out)]
    for name, asked in questions.items():
        headings = [question for question in asked if question.kind == "heading"]
        others = [question for question in asked if question.kind != "heading"]
        chosen = _chosen(headings, held_out, params.max_passages)
        texts = [body(rows[n]["text"]) for n in chosen]
        yield _Search(name, headings, texts, {n: at for at, n in enumerate(chosen)})
        chosen = _chosen(others, everywhere, params.max_passages)
        texts = [embedded(rows[n]["prefix"], rows[n]["text"]) for n in chosen]
        yield _Search(name, others, texts, {n: at for at, n in enumerate(chosen)})


def _chosen(asked: Sequence[Asked], rows: Sequence[int], most: int) -> list[int]:
    """The passages that answer, and others by hash: an edit moves few of them."""
    targets = {row for question in asked for row in question.targets}
    return sorted(targets | set(itertools.islice((n for n in rows if n not in targets), most)))


def _place(row: Mapping[str, Any]) -> str:
    return digest(row["document"], str(row["position"]))


def _general(snapshot: Snapshot) -> _Search:
    """Each question of the general set, looked for in the passages of all of them."""
    pairs = snapshot.general
    texts = sorted({pair.passage for pair in pairs})
    at = {text: number for number, text in enumerate(texts)}
    asked = [
        Asked(
            id=digest("general", pair.question, pair.passage),
            kind="general",
            text=pair.question,
            domain="general",
            document=digest(pair.passage),
            targets=(at[pair.passage],),
        )
        for pair in pairs
    ]
    return _Search("general", asked, texts, {number: number for number in range(len(texts))})


def _scored(search: _Search, asked: Vectors, texts: Vectors) -> Iterator[Scores]:
    for start in range(0, len(search.questions), _ROWS):
        cosines = asked[start : start + _ROWS] @ texts.T
        for question, row in zip(search.questions[start:], cosines, strict=False):
            row[[search.at[n] for n in question.left_out if n in search.at]] = -np.inf
            first = np.argsort(-row, kind="stable")[:DEPTH]
            targets = [search.at[n] for n in question.targets]
            yield {
                "set": search.set,
                "question": question.id,
                "kind": question.kind,
                "domain": question.domain,
                "document": question.document,
                **measures(np.isin(first, targets), len(targets)),
            }


def measures(hits: npt.NDArray[np.bool_], targets: int) -> dict[str, float]:
    """How well one question is answered, each from 0 to 1, rounded to 6 digits.

    Any one of the targets answers: ``recall_k`` is 1 where one is among the first k.

    Args:
        hits: Whether each of the first ten passages answers, nearest first.
        targets: How many passages answer.
    """
    found = np.flatnonzero(hits)
    gains = 1 / np.log2(np.arange(2, DEPTH + 2))
    best = gains[: min(DEPTH, targets)].sum()
    values = (
        1 / (found[0] + 1) if found.size else 0.0,
        float(hits[:5].any()),
        float(hits.any()),
        gains[: len(hits)][hits].sum() / best,
    )
    return {name: round(float(value), _DIGITS) for name, value in zip(METRICS, values, strict=True)}

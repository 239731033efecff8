"""How often a model that is worth having is called stale, and how soon one that is not, by its scores.

A score is what a tuned model gains over its base on the questions of one new document (reciprocal
rank, mean of its questions). Shapes are real where `--scores` names an `evaluation/scores.parquet` of
a retraining: differences of its documents, drawn with replacement and moved until their
mean is what a world says. Without it they are drawn from reciprocal ranks that mostly agree.
"""

import argparse
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from benchmarks.streams import ever
from pipelines.config import WatchPolicy
from pipelines.drift import Observation, begin, look

START = datetime(2026, 1, 5, tzinfo=UTC)
LOOKS = 100
QUESTIONS = 4
"""Of a document, at most."""
RANKS = np.array([1, 1 / 2, 1 / 3, 1 / 5, 1 / 10, 0])
Draw = Callable[[np.random.Generator, int], np.ndarray]


@dataclass(frozen=True, slots=True)
class World:
    """What is true, and what is asked."""

    gain: float
    """True mean of tuned minus base."""
    min_worth: float
    documents: int
    """New ones, with questions, a look."""
    drop: float | None = None
    """True mean of what golden questions lose, 5 evaluations a look; None: none is evaluated."""
    alpha: float = 0.05


def differences(file: Path, count: int = 4000) -> np.ndarray:
    """Challenger minus base: a document by chance, and four of its questions, as a look asks them."""
    import pyarrow.parquet as pq

    found: dict[str, dict[str, dict[str, float]]] = defaultdict(lambda: defaultdict(dict))
    for row in pq.read_table(file).to_pylist():
        if row["set"] == "held_out":
            found[row["document"]][row["question"]][row["model"]] = row["reciprocal_rank"]
    documents = [
        np.array([by["challenger"] - by["base"] for by in some.values()]) for some in found.values()
    ]
    chance = np.random.default_rng(4)
    drawn = []
    for number in chance.integers(len(documents), size=count):
        some = documents[number]
        drawn.append(chance.choice(some, min(QUESTIONS, len(some)), replace=False).mean())
    return np.array(drawn)


def real(shape: np.ndarray, mean: float) -> Draw:
    """Draws of a shape whose mean is another: all are moved, or a part of them is 1 or -1 instead.

    The latter where moved ones would leave [-1, 1].
    """
    now = shape.mean()
    moved = shape - now + mean
    if np.abs(moved).max() <= 1:
        return lambda chance, count: chance.choice(moved, count)
    end = 1.0 if mean > now else -1.0
    part = (mean - now) / (end - now)

    def draw(chance: np.random.Generator, count: int) -> np.ndarray:
        return np.where(chance.random(count) < part, end, chance.choice(shape, count))

    return draw


def made(mean: float) -> Draw:
    """Differences of two reciprocal ranks that are the same in two of three documents."""
    return real(
        np.concatenate([np.zeros(2 * len(RANKS) ** 2), np.subtract.outer(RANKS, RANKS).ravel()]),
        mean,
    )


def first_stale(world: World, draw: Callable[[float], Draw], seed: int) -> int | None:
    """The look at which a stream becomes stale."""
    chance = np.random.default_rng([8, seed])
    policy = WatchPolicy(min_worth=world.min_worth, alpha=world.alpha)
    worth, golden = draw(world.gain), draw(-(world.drop or 0.0))
    state = begin("stream", str(seed))
    for number in range(LOOKS):
        scores = {"worth": tuple(worth(chance, world.documents).tolist())}
        if world.drop is not None:
            scores["golden"] = tuple(golden(chance, 5).tolist())
        at = START + timedelta(weeks=number)
        seen = Observation(look=str(number), at=at, publication=number, scores=scores)
        state, verdict = look(state, seen, policy)
        if verdict.level == "stale":
            return number
    return None


def worlds() -> Sequence[World]:
    """Worth 0.03 more than asked for, exactly as much, nothing at all, and less than nothing."""
    least = WatchPolicy().min_worth
    alphas, few_and_many = (0.05, 0.2), (5, 20)
    return (
        *(World(least + 0.03, least, n, alpha=alpha) for n in few_and_many for alpha in alphas),
        *(World(least, least, n, alpha=alpha) for n in few_and_many for alpha in alphas),
        *(World(least, least, 5, drop=0.02, alpha=alpha) for alpha in alphas),
        *(World(gain, least, n) for gain in (0.0, -0.03, -0.08) for n in (*few_and_many, 50)),
        World(least + 0.03, least, 5, drop=0.1),
    )


def main(file: Path | None, streams: int) -> None:
    """Prints a row for each world."""
    shape = None if file is None else differences(file)
    if shape is None:
        print("synthetic differences, two of three are 0; standard deviation", end=" ")
        print(f"{made(0.0)(np.random.default_rng(0), 100_000).std():.3f}\n")
    else:
        print(f"scores of {file}: mean {shape.mean():+.3f}, standard deviation {shape.std():.3f}\n")
    print("| gain | min_worth | golden loses | documents a look | alpha | ever stale |")
    print("| --- | --- | --- | --- | --- | --- |")
    for one in worlds():
        found = [
            first_stale(one, made if shape is None else lambda mean: real(shape, mean), seed)
            for seed in range(streams)
        ]
        golden = "-" if one.drop is None else f"{one.drop:g}"
        print(
            f"| {one.gain:+.2f} | {one.min_worth:g} | {golden} | {one.documents} | {one.alpha} | {ever(found)} |",
            flush=True,
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scores", type=Path, help="evaluation/scores.parquet of a version")
    parser.add_argument("--streams", type=int, default=200)
    given = parser.parse_args()
    main(given.scores, given.streams)

"""Evidently's default embedding drift and a permutation MMD on the streams of `benchmarks.drift`.

Runs in an environment of its own (`pip install -r benchmarks/peers.txt`), in the folder above:
`PEERS/bin/python -m benchmarks.drift_peers FOLDER`, after `benchmarks.drift` has made the pool.

Evidently is called as its metric calls it where no method is named. alibi-detect does not install
beside it: its statistic is computed here, with its kernel (Gaussian, median distance in the
reference), its 100 permutations and its rule (p < 0.05, p = share of permutations that are as far
apart). A stateless test has no memory: a stream is left at its first alarm, and the tests are asked
from the change on where there is one, which flatters their delays.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from evidently.legacy.metrics.data_drift.embedding_drift_methods import model

from benchmarks.streams import (
    CHANGED,
    LOOKS,
    QUIET,
    UNCHANGED,
    Pool,
    World,
    delay,
    draw,
    ever,
    load,
)

Test = Callable[[np.ndarray, np.ndarray, int], bool]


def evidently(reference: np.ndarray, window: np.ndarray, _: int) -> bool:
    """The default: a classifier; a bootstrap where the reference has fewer than 1000 rows."""
    method = model(bootstrap=len(reference) < 1000)
    return bool(method(pd.DataFrame(window), pd.DataFrame(reference))[1])


def mmd(reference: np.ndarray, window: np.ndarray, seed: int) -> bool:
    """Unbiased MMD squared against 100 permutations of all rows, in one product of matrices."""
    apart = _squares(reference, reference)
    both = np.concatenate([reference, window])
    kernel = np.exp(-_squares(both, both) / np.median(apart[np.triu_indices(len(apart), 1)]))
    np.fill_diagonal(kernel, 0.0)
    m, n = len(reference), len(window)
    chance = np.random.default_rng(seed)
    sides = np.zeros((m + n, 101), dtype=np.float32)
    sides[:m, 0] = 1
    for column in range(1, 101):
        sides[chance.permutation(m + n)[:m], column] = 1
    inside = kernel @ sides
    first = (sides * inside).sum(axis=0)
    rows = kernel.sum(axis=1) @ sides
    across = rows - first
    second = kernel.sum() - 2 * across - first
    found = first / (m * (m - 1)) + second / (n * (n - 1)) - 2 * across / (m * n)
    return bool((found[0] <= found[1:]).mean() < 0.05)


def first_alarm(test: Test, pool: Pool, world: World, seed: int) -> int | None:
    """The look at which a test first says that something has moved."""
    stream = draw(pool, world, seed)
    reference = pool.vectors[stream.reference]
    for look in range(QUIET if world.share else 0, LOOKS):
        if test(reference, pool.vectors[stream.looks[look]], look):
            return look
    return None


def _squares(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.maximum(2 - 2 * a @ b.T, 0)  # of vectors of length 1


TESTS: dict[str, tuple[str, Test]] = {
    "evidently": ("Evidently 0.7.23, default", evidently),
    "mmd": ("permutation MMD", mmd),
}


def main(folder: Path, methods: Sequence[str], streams: int, unchanged: int) -> None:
    """Prints a row for each test and world."""
    pool = load(folder)
    print("| method | world | alarms | CPU ms a check |\n| --- | --- | --- | --- |")
    for name, test in (TESTS[method] for method in methods):
        stream = draw(pool, UNCHANGED[0], 0)
        reference, window = pool.vectors[stream.reference], pool.vectors[stream.looks[0]]
        test(reference, window, 0)
        began = time.process_time()
        for seed in range(5):
            test(reference, window, seed)
        cost = (time.process_time() - began) / 5 * 1000
        for world in (UNCHANGED[0], *CHANGED, UNCHANGED[1]):
            count = streams if world.share else unchanged
            found = [first_alarm(test, pool, world, seed) for seed in range(count)]
            said = delay(found) if world.share else ever(found)
            print(f"| {name} | {world.name} | {said} | {cost:.0f} |", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--streams", type=int, default=100)
    parser.add_argument("--unchanged", type=int, default=200)
    parser.add_argument("--methods", nargs="+", choices=list(TESTS), default=list(TESTS))
    given = parser.parse_args()
    main(given.folder, given.methods, given.streams, given.unchanged)

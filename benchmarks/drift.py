"""How often the watch raises a false alarm, and how soon a real one, on streams of real passages.

The passages are those of a handbook's whole history (`benchmarks.passages`), asked as if they were
questions. A stream is calibrated on its first items, as a version is: one half is fitted on, the
other is the first bag. Then come 100 looks of 200 items. After 20 of them items from two subjects
come that nobody asked about before, unless nothing changes. `benchmarks.drift_peers` asks others
about the very same streams.
"""

import argparse
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from benchmarks.measure import machine
from benchmarks.passages import pool as passages
from benchmarks.passages import said
from benchmarks.streams import CHANGED, LOOKS, UNCHANGED, Pool, World, delay, draw, ever
from pipelines.config import WatchPolicy
from pipelines.drift import Observation, begin, fit_novelty, fit_topics, look

CHANNELS = ("topic", "novelty")
START = datetime(2026, 1, 5, tzinfo=UTC)
SHIPPED = {"topic": 0.1, "novelty": 0.2}
"""As the policy has it: the rest of alpha is for channels that see nothing here."""
ALL = {"topic": 1 / 3, "novelty": 2 / 3}
"""If nothing else were watched."""


@dataclass(frozen=True, slots=True)
class Run:
    """One stream, as the watch saw it."""

    evidence: dict[str, np.ndarray]
    """Channel -> the martingale after each look, ``(looks,)``."""
    watched: int | None
    """The look at which the verdict became `watch`, minimum evidence and materiality included."""
    stale: bool
    """Whether it ever became `stale`, which such evidence alone must never do."""

    def alarm(
        self, alpha: float, weights: Mapping[str, float], channels: tuple[str, ...]
    ) -> int | None:
        """The first look at which a channel reaches its threshold."""
        reached = np.zeros(LOOKS, dtype=bool)
        for name in channels:
            reached |= self.evidence[name] >= 1 / (alpha * weights[name])
        return int(reached.argmax()) if reached.any() else None


def watched(pool: Pool, world: World, seed: int) -> Run:
    """Calibrates on the first items of a stream and looks at the others."""
    stream = draw(pool, world, seed)
    half = world.reference // 2
    fit = pool.vectors[stream.reference[:half]]
    ways = {"topic": fit_topics(fit, seed=seed), "novelty": fit_novelty(fit)}
    first = pool.vectors[stream.reference[half:]]
    bins = {
        name: way.bins(pool.vectors[stream.looks.ravel()]).reshape(stream.looks.shape)
        for name, way in ways.items()
    }
    bags = {
        name: tuple(np.bincount(way.bins(first), minlength=way.count).tolist())
        for name, way in ways.items()
    }
    policy, state = WatchPolicy(), begin("stream", f"{world.name} {seed}")
    evidence = {name: np.zeros(LOOKS) for name in CHANNELS}
    levels = []
    for number in range(LOOKS):
        seen = Observation(
            look=str(number),
            at=START + timedelta(weeks=number),
            publication=1,
            queries=stream.looks.shape[1],
            bags=bags if number == 0 else {},
            bins={name: tuple(found[number].tolist()) for name, found in bins.items()},
        )
        state, verdict = look(state, seen, policy)
        levels.append(verdict.level)
        for signal in verdict.signals:
            if signal.name in evidence:
                evidence[signal.name][number] = signal.evidence
    return Run(
        evidence=evidence,
        watched=next((n for n, level in enumerate(levels) if level != "fresh"), None),
        stale="stale" in levels,
    )


def main(pool: Pool, worlds: Sequence[World], model: str, streams: int, unchanged: int) -> None:
    """Prints a row for each rule and world."""
    print(f"{len(pool.vectors)} passages of {model}: {said(pool)}\n\n{machine()}\n", flush=True)
    print("| rule | world | alarms | load |\n| --- | --- | --- | --- |", flush=True)
    for world in worlds:
        count = streams if world.share else unchanged
        began = time.process_time()
        runs = [watched(pool, world, seed) for seed in range(count)]
        took = (time.process_time() - began) / count
        show = delay if world.share else ever
        rules = {
            f"alpha {alpha}, {name}": [run.alarm(alpha, weights, channels) for run in runs]
            for alpha in (0.05, 0.2)
            for name, weights, channels in (
                ("weights as shipped", SHIPPED, CHANNELS),
                ("all of it on these two", ALL, CHANNELS),
                ("all of it on topic", {"topic": 1.0}, CHANNELS[:1]),
                ("all of it on novelty", {"novelty": 1.0}, CHANNELS[1:]),
            )
        }
        rules["verdict `watch`, as shipped"] = [run.watched for run in runs]
        for rule, found in rules.items():
            print(f"| {rule} | {world.name} | {show(found)} | {os.getloadavg()[0]:.1f} |")
        stale = sum(run.stale for run in runs)
        print(
            f"| ever `stale` | {world.name} | {stale} of {count}, CPU {took:.2f} s a stream | |",
            flush=True,
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("folder", type=Path, help="where the vectors are kept")
    parser.add_argument("--model", default="all-MiniLM-L6-v2")
    parser.add_argument("--streams", type=int, default=200, help="of each world that changes")
    parser.add_argument("--unchanged", type=int, default=200, help="of each that does not")
    parser.add_argument("--reference", type=int, help="items to calibrate with, instead")
    given = parser.parse_args()
    every = (*UNCHANGED, *CHANGED)
    if given.reference:
        every = tuple(replace(one, reference=given.reference) for one in (UNCHANGED[0], *CHANGED))
    drawn_from = passages(given.bundle, given.folder, model=given.model)
    main(drawn_from, every, given.model, given.streams, given.unchanged)

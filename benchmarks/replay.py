"""Weekly snapshots of a real handbook, replayed as a git source with the real model.

Needs a git bundle or repository with the branch `main`. Unusual deletions are accepted by name, as
a person would, and the snapshot refreshed again.
"""

import argparse
import subprocess
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.corpus import StandIn, configuration, refresh
from benchmarks.measure import apart, head, row
from benchmarks.real_model import MODEL
from pipelines.config import Config, GitSource
from pipelines.embedding import load_encoder
from pipelines.knowledge import ACCEPTED, decide_hold, open_store
from pipelines.records import Encoder
from pipelines.refresh import Report


def snapshots(bundle: Path, folder: Path) -> list[tuple[str, datetime]]:
    """Commits and their times, oldest first."""
    subprocess.run(
        ["git", "clone", "--quiet", "--bare", "--branch", "main", str(bundle), str(folder)],
        check=True,
    )
    told = subprocess.run(
        ["git", "-C", str(folder), "log", "--reverse", "--first-parent", "--format=%H %ct"],
        check=True,
        capture_output=True,
        text=True,
    )
    lines = (line.split() for line in told.stdout.splitlines())
    return [(commit, datetime.fromtimestamp(int(at), UTC)) for commit, at in lines]


def project(root: Path, bundle: Path, commit: str) -> Config:
    """A project whose one source stands at a commit."""
    source = GitSource(
        name="handbook", url=str(bundle), ref=commit, domain="any", labels=("public",)
    )
    return configuration(root, source, keep_days=3650)


def refreshed(config: Config, encoder: Encoder, at: datetime) -> Iterator[Report]:
    """Refreshes until nothing waits for a person."""
    while True:
        report = refresh(config, encoder, now=at)
        yield report
        if not report.holds:
            return
        store = open_store(config.store_uri, now=at)
        for hold in report.holds:
            decide_hold(store, hold.id, ACCEPTED, actor="benchmark", reason="", now=at)


def replay(root: Path, bundle: Path, wanted: list[tuple[str, datetime]], model: str) -> list[float]:
    """Seconds, passages embedded, tokens and holds of all snapshots, then seconds of each."""
    encoder = StandIn() if model == StandIn.model else load_encoder(model, root=root)
    taken, embedded, tokens, held = [], 0, 0, 0
    for commit, at in wanted:
        started = time.perf_counter()
        for report in refreshed(project(root, bundle, commit), encoder, at):
            embedded += report.chunks["embedded"]
            tokens += report.tokens_embedded
            held += len(report.holds)
        taken.append(time.perf_counter() - started)
    return [sum(taken), embedded, tokens, held, *taken]


def main(bundle: Path, first: int, count: int, model: str) -> None:
    """Measures and prints."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        found = snapshots(bundle.resolve(), root / "bare")[first:][:count]
        head(f"{len(found)} snapshots, {found[0][1]:%Y-%m-%d} to {found[-1][1]:%Y-%m-%d}, {model}")
        measured = apart(replay, root, bundle.resolve(), found, model)
        total, embedded, tokens, held, start, *rest = measured.value
        ordered = sorted(rest) or [0.0]
        row(
            f"replay of {len(found)} snapshots",
            f"{total:.0f} s, first {start:.1f} s, then p50 {ordered[len(ordered) // 2]:.2f} s,"
            f" max {ordered[-1]:.2f} s",
            f"{embedded:.0f} passages and {tokens:,.0f} tokens embedded, {held:.0f} holds",
            measured.peak_mb,
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", type=Path, help="a git bundle or repository")
    parser.add_argument("--first", type=int, default=0, help="the first snapshot, 0-based")
    parser.add_argument("--count", type=int, default=10_000, help="how many snapshots")
    parser.add_argument("--model", default=MODEL, help="'stand-in' measures all but the model")
    arguments = parser.parse_args()
    main(arguments.bundle, arguments.first, arguments.count, arguments.model)

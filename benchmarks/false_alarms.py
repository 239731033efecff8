"""What the built-in suites put in quarantine and hold over the life of a real handbook.

Replays the weekly snapshots of a git bundle as one source. Everything that is held is accepted, as
a person would, and the snapshot refreshed again. The titles of the documents of every fiftieth
snapshot are asked as golden questions.
"""

import argparse
import json
import subprocess
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from benchmarks.corpus import StandIn, refresh
from benchmarks.measure import head, row
from benchmarks.replay import project, snapshots
from pipelines.config import Config
from pipelines.embedding import load_encoder
from pipelines.knowledge import ACCEPTED, decide_hold, newest, open_store, quarantine
from pipelines.records import Encoder

CANARIES_EVERY = 50


def ask_titles(root: Path, uris: dict[str, str]) -> None:
    """Golden questions: the title of each document finds it."""
    folder = root / "data/golden"
    folder.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps({"id": uri, "question": title, "uri": uri}) for uri, title in uris.items()]
    (folder / "titles.jsonl").write_text("\n".join(lines))


def titles(root: Path, at: datetime) -> dict[str, str]:
    """Uri -> title of what is published, where it has one of its own."""
    store = open_store(str(root / "store"), now=at)
    last = newest(store)
    if last is None:
        return {}
    table = store.at(*last.state).search().where("position = 0").select(["uri", "title"])
    found = {r["uri"]: r["title"] for r in table.to_arrow().to_pylist() if r["title"]}
    often = Counter(found.values())
    return {uri: title for uri, title in sorted(found.items()) if often[title] == 1}


def changed_versions(bare: Path, commits: list[str]) -> int:
    """Document versions that the snapshots bring: each is judged once."""
    seen: set[tuple[str, str]] = set()
    for commit in commits:
        told = subprocess.run(
            ["git", "-C", str(bare), "ls-tree", "-r", "-z", commit],
            check=True, capture_output=True, text=True,
        )  # fmt: skip
        for line in told.stdout.split("\0"):
            about, _, path = line.partition("\t")
            if path.endswith(".md"):
                seen.add((path, about.split()[2]))
    return len(seen)


@dataclass
class Alarms:
    """What stopped, and on which day."""

    failed: dict[tuple[str, str], tuple[str, str, str]] = field(default_factory=dict)
    """(uri, content hash) -> day, expectation, observed."""
    held: list[str] = field(default_factory=list)
    warned: Counter[str] = field(default_factory=Counter)
    """Runs by what they warned of."""


def refresh_accepting(config: Config, encoder: Encoder, at: datetime, alarms: Alarms) -> None:
    """Refreshes until nothing is held, accepting like a person who knows each change."""
    held = True
    while held:
        report = refresh(config, encoder, now=at)
        store = open_store(config.store_uri, now=at)
        alarms.warned.update(
            line.split()[1].rstrip(":") for line in report.attention if line.startswith("Warning ")
        )
        for hold in report.holds:
            alarms.held.append(f"{at:%Y-%m-%d} {hold.kind}: {hold.why} ({len(hold.items)})")
            decide_hold(store, hold.id, ACCEPTED, actor="benchmark", reason="", now=at)
        held = bool(report.holds)
    for one in quarantine(store):
        said = (f"{at:%Y-%m-%d}", one.failure.expectation, one.failure.observed)
        alarms.failed.setdefault((one.uri, one.content_hash), said)


def show(alarms: Alarms, versions: int) -> None:
    """Prints each of them."""
    share = 100 * len(alarms.failed) / versions
    row("versions in quarantine", f"{len(alarms.failed)} ({share:.2f} %)")
    row("holds", str(len(alarms.held)))
    for line in alarms.held:
        row("held", line)
    for (uri, _), said in sorted(alarms.failed.items(), key=lambda item: item[1]):
        row("quarantined", f"{said[0]} {uri}: {said[1]} ({said[2]})")
    for name, times in alarms.warned.most_common():
        row("warned", f"{name}: {times} runs")


def main(bundle: Path, first: int, count: int, model: str) -> None:
    """Replays and prints."""
    with tempfile.TemporaryDirectory() as folder:
        root, alarms = Path(folder), Alarms()
        found = snapshots(bundle.resolve(), root / "bare")[first:][:count]
        encoder = StandIn() if model == StandIn.model else load_encoder(model, root=root)
        for number, (commit, at) in enumerate(found):
            if number % CANARIES_EVERY == 1:
                ask_titles(root, titles(root, at))
            refresh_accepting(project(root, bundle.resolve(), commit), encoder, at, alarms)
        versions = changed_versions(root / "bare", [commit for commit, _ in found])
        head(f"{len(found)} snapshots, {versions} document versions, {encoder.model}")
        show(alarms, versions)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--model", default="all-MiniLM-L6-v2")
    given = parser.parse_args()
    main(given.bundle, given.first, given.count, given.model)

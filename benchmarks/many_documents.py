"""Ten thousand files, a hundred thousand passages: first ingest, no change, 0.1 % changed.

The encoder is a stand-in, so that the figures are the product's own work. Each figure is taken in
a process of its own.
"""

import argparse
import os
import tempfile
import time
from hashlib import sha256
from pathlib import Path

from benchmarks.corpus import (
    SECTIONS,
    StandIn,
    configuration,
    edit,
    files,
    refresh,
    write_documents,
)
from benchmarks.measure import apart, head, row

ROUNDS = 3


def bare_stat(folder: Path) -> int:
    """Lists a tree and takes the status of every file, with nothing of ours."""
    count = 0
    waiting = [os.fspath(folder)]
    while waiting:
        with os.scandir(waiting.pop()) as listed:
            for child in listed:
                if child.is_dir(follow_symlinks=False):
                    waiting.append(child.path)
                else:
                    child.stat(follow_symlinks=False)
                    count += 1
    return count


def bare_read(folder: Path) -> int:
    """Reads and hashes every file, with nothing of ours."""
    paths = list(folder.rglob("*.md"))
    for path in paths:
        sha256(path.read_bytes()).hexdigest()
    return len(paths)


def run(root: Path) -> dict[str, float]:
    """One refresh; seconds by stage, and of the whole after the imports."""
    import lancedb  # noqa: F401 (its import is not what is measured)

    started = time.perf_counter()
    report = refresh(configuration(root, files(root / "docs")), StandIn())
    told = {"wall": time.perf_counter() - started, "embedded": report.chunks["embedded"]}
    return told | {"published": float(report.published)} | report.seconds


def stages(seconds: dict[str, float]) -> str:
    """Seconds by stage, those that matter."""
    names = ("scan", "plan", "embed", "write", "audit", "publish")
    return ", ".join(f"{name} {seconds[name]:.2f}" for name in names if seconds[name] >= 0.005)


def main(documents: int) -> None:
    """Measures and prints."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write_documents(root / "docs", documents)
        head(f"{documents:,} documents, {documents * SECTIONS:,} passages, stand-in encoder")
        first = apart(run, root)
        passages = first.value["embedded"]
        row(
            "first ingest",
            f"{passages / first.value['wall']:,.0f} passages/s ({first.value['wall']:.1f} s)",
            stages(first.value),
            first.peak_mb,
        )
        no_change(root, documents)
        changed(root, documents)


def no_change(root: Path, documents: int) -> None:
    """The best of some refreshes that find nothing to do."""
    stat, read = (
        min(apart(bare, root / "docs").seconds for _ in range(ROUNDS))
        for bare in (bare_stat, bare_read)
    )
    found = min((apart(run, root) for _ in range(ROUNDS)), key=lambda m: m.value["wall"])
    if found.value["published"]:
        raise SystemExit("something changed where nothing should have")
    wall = found.value["wall"]
    row(
        "nothing changed",
        f"{documents / wall:,.0f} documents/s ({wall:.2f} s; {stages(found.value)})",
        f"bare scandir and stat {documents / stat:,.0f}/s, read and SHA-256"
        f" {documents / read:,.0f}/s",
        found.peak_mb,
    )


def changed(root: Path, documents: int) -> None:
    """One paragraph in each of so many documents that 0.1 % of the passages change."""
    count = max(1, documents * SECTIONS // 1000)
    step = documents // count
    for number in range(0, count * step, step):
        edit(root / "docs" / f"{number // 100:03}" / f"{number:05}.md", "something else")
    found = apart(run, root)
    row(
        f"0.1 % changed ({count} passages)",
        f"{found.value['wall']:.2f} s, {found.value['embedded']:.0f} embedded",
        stages(found.value),
        found.peak_mb,
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=10_000)
    main(parser.parse_args().documents)

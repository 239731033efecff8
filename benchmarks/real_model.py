"""The demo's handbook with the real model: first ingest, one edited paragraph, searching.

The first ingest is set beside the bare model on the same passages in the same process, in turns.
The edited paragraph is timed twice: in a process that has the model in memory, and as a person
runs it, from the start of `staleproof refresh` to its end.
"""

import argparse
import shutil
import subprocess
import sysconfig
import tempfile
import time
from pathlib import Path

from benchmarks.corpus import configuration, edit, files, passages, refresh
from benchmarks.measure import apart, head, row
from pipelines.embedding import load_encoder

MODEL = "all-MiniLM-L6-v2"
HANDBOOK = Path(__file__).resolve().parents[1] / "data/handbook"
EDITED = "hr/overtime.md"
PROJECT = """[knowledge]
name = "benchmark"
store = "store"
[[sources]]
name = "docs"
kind = "files"
path = "docs"
domain = "any"
labels = ["public"]
"""


def ingest_beside_model(root: Path, rounds: int) -> dict[str, float]:
    """First ingest and bare model in turns; the best of each, in passages a second."""
    encoder = load_encoder(MODEL, root=root)
    cut = passages(root / "docs", encoder)
    texts = list(dict.fromkeys(chunk.embedded for _, chunk in cut))
    encoder.encode(texts[:8])  # loads the weights
    bare, product = [], []
    for number in range(rounds):
        started = time.perf_counter()
        encoder.encode(texts)
        bare.append(time.perf_counter() - started)
        store = root / f"round-{number}"
        store.mkdir()
        started = time.perf_counter()
        report = refresh(configuration(store, files(root / "docs")), encoder)
        product.append(time.perf_counter() - started)
        if report.chunks["embedded"] != len(texts):
            raise SystemExit(f"embedded {report.chunks['embedded']} of {len(texts)} passages")
        shutil.rmtree(store)
    count = len(texts)
    return {"passages": count, "bare": count / min(bare), "product": count / min(product)}


def edit_in_process(root: Path, rounds: int) -> list[float]:
    """Seconds from an edited paragraph to its publication, the model in memory."""
    encoder = load_encoder(MODEL, root=root)
    refresh(configuration(root, files(root / "docs")), encoder)
    taken = []
    for number in range(rounds):
        edit(root / "docs" / EDITED, f"word{number}")
        started = time.perf_counter()
        report = refresh(configuration(root, files(root / "docs")), encoder)
        taken.append(time.perf_counter() - started)
        if not report.published or report.chunks["embedded"] > 2:
            raise SystemExit(f"not one edited passage: {report.chunks}")
    return taken


def edit_from_outside(root: Path, rounds: int) -> tuple[list[float], list[float]]:
    """Seconds of whole `staleproof refresh` processes: an edited paragraph, and no change."""
    program = str(Path(sysconfig.get_path("scripts")) / "staleproof")
    (root / "staleproof.toml").write_text(PROJECT)
    call = [program, "refresh", "--json", "--config", str(root / "staleproof.toml")]
    subprocess.run(call, check=True, capture_output=True)
    edited: list[float] = []
    unchanged: list[float] = []
    for number in range(rounds):
        edit(root / "docs" / EDITED, f"word{number}")
        for taken in (edited, unchanged):
            started = time.perf_counter()
            subprocess.run(call, check=True, capture_output=True)
            taken.append(time.perf_counter() - started)
    return edited, unchanged


def copy(folder: str) -> Path:
    """A folder with the handbook in ``docs/``."""
    root = Path(folder)
    shutil.copytree(HANDBOOK, root / "docs")
    return root


def main(rounds: int) -> None:
    """Measures and prints."""
    head(f"The demo's handbook, {MODEL}, best of {rounds}")
    with tempfile.TemporaryDirectory() as folder:
        found = apart(ingest_beside_model, copy(folder), rounds)
        speed = found.value
        row(
            f"first ingest of {speed['passages']:.0f} passages",
            f"{speed['product']:.1f} passages/s",
            f"bare model {speed['bare']:.1f} passages/s"
            f" ({100 * speed['product'] / speed['bare']:.0f} %)",
            found.peak_mb,
        )
    with tempfile.TemporaryDirectory() as folder:
        found = apart(edit_in_process, copy(folder), rounds)
        what = "one edited paragraph to published"
        row(f"{what}, model in memory", f"{min(found.value):.2f} s", "", found.peak_mb)
    with tempfile.TemporaryDirectory() as folder:
        edited, unchanged = edit_from_outside(copy(folder), rounds)
        row(f"{what}, whole process", f"{min(edited):.2f} s", f"no change {min(unchanged):.2f} s")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    main(parser.parse_args().rounds)

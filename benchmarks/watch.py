"""What a look costs: ten thousand documents, a hundred thousand passages; and ten thousand idle looks.

The encoder is a stand-in, so that the figures are the product's own work. The version that is
looked at learned from every tenth document; what it learned from is written beside the registry, as
the first look would fetch it. Each look runs in a process of its own.
"""

import argparse
import os
import shutil
import tempfile
import time
import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from benchmarks.corpus import StandIn, configuration, files, make_old, refresh, write_documents
from benchmarks.measure import apart, head, row
from pipelines.config import Config, EmbedderModel, WatchPolicy
from pipelines.knowledge import (
    Query,
    append,
    looks,
    newest,
    open_store,
    published_documents,
    rows_of,
)
from pipelines.knowledge.queries import QueryLog
from pipelines.records import LoadEncoder
from pipelines.registry import Version
from pipelines.retrain.snapshot import FOLDER
from pipelines.retrain.weights import MANIFEST
from pipelines.training.records import ManifestLine, write_lines
from pipelines.training.sketches import sketch
from pipelines.watch import Ports, watch_models

NAME, VERSION = "embedder", "v0.0.1"
LEARNED = 10
"""It learned from every so many-th document, from all passages of it."""
START = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


@dataclass
class Loads:
    """Hands out the stand-in, and counts how often it was asked to."""

    count: int = 0

    def __call__(self, model: str, *, root: Path, batch_size: int = 32) -> StandIn:
        """The stand-in, whatever is wanted."""
        del model, root, batch_size
        self.count += 1
        return StandIn()


def project(root: Path) -> Config:
    """A knowledge base whose one model is watched; all new questions of a look count."""
    model = EmbedderModel(name=NAME, watch=WatchPolicy(max_items=100_000))
    return configuration(root, files(root / "docs")).model_copy(update={"models": (model,)})


def serve(root: Path) -> None:
    """Publishes, and lets a version serve."""
    config = project(root)
    refresh(config, StandIn(), now=START)
    serving(root, config, START, every=LEARNED)


def serving(root: Path, config: Config, at: datetime, *, every: int) -> None:
    """Lets a version serve, and writes down what it learned from, where a training does.

    Args:
        root: Of the project.
        config: Of it; something is published.
        at: When that was.
        every: Of so many documents it learned from one.
    """
    store = open_store(config.store_uri, now=at)
    last = newest(store)
    if last is None:
        raise SystemExit("nothing was published")
    published = published_documents(store, last.state)
    taken = sorted(published)[::every]
    rows = rows_of(store, last.state, taken, columns=["uri", "text", "text_hash"]).to_pylist()
    manifest = root / MANIFEST.format(model=NAME)
    documents = root / FOLDER.format(model=NAME) / "documents.parquet"
    for file in (manifest, documents):
        file.parent.mkdir(parents=True)
    write_lines(manifest, [_line(n, r, published) for n, r in enumerate(rows)])
    import pyarrow as pa
    import pyarrow.parquet as pq

    hashes = [one.content_hash for one in published.values()]
    pq.write_table(pa.table({"content_hash": hashes}), documents)
    promoted = {"number": last.number + 1, "kind": "promotion", "models": {NAME: VERSION}}
    append(store, replace(last, at=at + timedelta(minutes=1), **promoted))


def _line(number: int, row: dict[str, Any], published: dict[str, Any]) -> ManifestLine:
    return ManifestLine(
        example=str(number),
        document=row["uri"],
        uri=row["uri"],
        text_hash=row["text_hash"],
        content_hash=published[row["uri"]].content_hash,
        source_version="1",
        domain="any",
        labels=("public",),
        publication=1,
        kind="heading",
        sketch=sketch(row["text"]),
    )


def ask(root: Path, count: int, day: int) -> None:
    """Questions of one day, each of them another one."""
    store = open_store(project(root).store_uri, now=START)
    vectors = StandIn().encode([f"day {day} question {n}" for n in range(count)])
    with QueryLog(store) as log:
        for number, vector in enumerate(vectors):
            at = START + timedelta(days=day, minutes=5, seconds=number)
            hits = (f"docs/{number % 100:03}/{number % 10_000:05}.md",)
            log.add(Query(at=at, vector=vector, fingerprint=StandIn().fingerprint, hits=hits))


def look(root: Path, day: float) -> dict[str, Any]:
    """One look at the end of a day."""
    import lancedb  # noqa: F401 (its import is not what is measured)
    import sklearn.cluster  # noqa: F401

    loads = Loads()
    began, cpu = time.perf_counter(), time.process_time()
    report = watch_models(
        project(root),
        now=START + timedelta(days=day, hours=20),
        run_id=uuid.uuid4().hex[:12],
        ports=ports(root, loads),
    )
    took = {"ms": 1000 * (time.perf_counter() - began), "cpu": 1000 * (time.process_time() - cpu)}
    one = report.models[0]
    level = one.verdict.level if one.verdict else "-"
    return took | {"said": one.said, "level": level, "kept": len(one.history), "loads": loads.count}


def ports(root: Path, load: LoadEncoder) -> Ports:
    """A registry that has the version's files at hand, where a training leaves them."""

    def version(project: Path, model: str, name: str) -> Version:
        del project
        return Version(model=model, version=name, commit="", base="", created_at=START)

    def checkout(project: Path, found: Version, path: str, target: Path) -> Path:
        del project, found
        if (root / path).is_dir():
            shutil.copytree(root / path, target, dirs_exist_ok=True)
        else:
            shutil.copyfile(root / path, target)
        return target

    return Ports(load_encoder=load, find_version=version, checkout_path=checkout)


def idle(root: Path, count: int) -> dict[str, Any]:
    """Looks without an event: what is kept afterwards, against what was kept before."""
    config, loads = project(root), Loads()

    def kept() -> list[dict[str, Any]]:
        return [
            asdict(one) for one in looks(open_store(config.store_uri, now=START), NAME, VERSION)
        ]

    before = kept()
    files_before = sum(1 for _ in (root / "store").rglob("*"))
    began, cpu, levels = time.perf_counter(), time.process_time(), set()
    for number in range(count):
        now = START + timedelta(days=3, minutes=number)
        report = watch_models(config, now=now, run_id=f"idle-{number}", ports=ports(root, loads))
        levels.add(report.models[0].verdict.level if report.models[0].verdict else "-")
    return {
        "same": kept() == before,
        "rows": len(before),
        "levels": sorted(levels),
        "loads": loads.count,
        "ms": 1000 * (time.perf_counter() - began) / count,
        "cpu": 1000 * (time.process_time() - cpu) / count,
        "files": sum(1 for _ in (root / "store").rglob("*")) - files_before,
    }


def measured(root: Path, sizes: Sequence[int]) -> None:
    """A row for each look."""
    ask(root, 1000, 0)
    _told(root, "first look: 1,000 questions calibrate it", 0)
    for day, count in enumerate(sizes, 1):
        ask(root, count, day)
        _told(root, f"{count:,} new questions", day)
    day = len(sizes) + 1
    _told(root, "nothing has happened, first look of a day", day)
    _told(root, "nothing has happened, second look of a day", day + 1 / 24)
    for number, file in enumerate(sorted((root / "docs").rglob("*.md"))[::100]):
        # With a heading of its own: something that can be asked about it.
        text = " ".join(f"word{number}x{place}" for place in range(60))
        file.write_text(f"{file.read_text()}\n\n## Rule {number} of the new year\n\n{text}.\n")
        make_old(file, 60)
    refresh(project(root), StandIn(), now=START + timedelta(days=day, hours=22))
    _told(root, "every hundredth document has a new section", day + 1)


def _told(root: Path, what: str, day: float) -> None:
    found = apart(look, root, day)
    one = found.value
    beside = (
        f"CPU {one['cpu']:,.0f} ms; {one['level']}; {one['said']}; models loaded {one['loads']}"
    )
    row(what, f"{one['ms']:,.0f} ms", beside, found.peak_mb)


def main(documents: int, sizes: Sequence[int], idle_looks: int) -> None:
    """Measures and prints."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    with tempfile.TemporaryDirectory() as folder:
        head(f"{documents:,} documents, stand-in encoder")
        if documents:
            root = Path(folder) / "large"
            write_documents(root / "docs", documents)
            apart(serve, root)
            measured(root, sizes)
        if not idle_looks:
            return
        small = Path(folder) / "small"
        write_documents(small / "docs", 20)
        apart(serve, small)
        apart(look, small, 0)
        found = apart(idle, small, idle_looks).value
        row(f"{idle_looks:,} looks without an event", f"{found['ms']:.1f} ms each", str(found))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=10_000)
    parser.add_argument("--items", type=int, nargs="+", default=[500, 5000])
    parser.add_argument("--idle", type=int, default=10_000)
    given = parser.parse_args()
    main(given.documents, given.items, given.idle)

"""What the audit of a publication costs: at the first one, and where 1 % of the passages changed.

The encoder is a stand-in. Beside it stands what the built-in model takes to embed the same
passages, measured on some of them and scaled. Each figure is taken in a process of its own.
"""

import argparse
import json
import tempfile
import time
import warnings
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.corpus import (
    SECTIONS,
    StandIn,
    configuration,
    edit,
    files,
    passages,
    refresh,
    write_documents,
)
from benchmarks.measure import Measured, apart, head, peak_mb, row
from pipelines import quiet
from pipelines.config import Config
from pipelines.embedding import load_encoder
from pipelines.knowledge import (
    Publication,
    Store,
    changed_rows,
    find_publication,
    find_store,
    newest,
    published_documents,
)
from pipelines.planning import Change, Kind, rules_on
from pipelines.quality import Checks, Subject, audit_candidate, load_suites
from pipelines.quality.chunks import chunk_columns, passages_of
from pipelines.quality.measure import measure, unexplained_shift

MODEL = "all-MiniLM-L6-v2"
QUESTIONS = 60


@dataclass(frozen=True, slots=True)
class Opened:
    """A store with its newest publication, and the one to compare it with."""

    config: Config
    store: Store
    before: Publication | None
    after: Publication


def open_project(root: Path, *, full: bool) -> Opened:
    """Full: as if nothing had been published before."""
    import lancedb  # noqa: F401 (its import is not what is measured)

    config = configuration(root, files(root / "docs"))
    store = find_store(config.store_uri)
    after = newest(store) if store else None
    if store is None or after is None:
        raise SystemExit("nothing is published")
    before = None if full else find_publication(store, after.number - 1)
    return Opened(config, store, before, after)


def passages_judged(root: Path, full: bool) -> dict[str, float]:
    """The columns of the passages that are new: how many, and in how many seconds."""
    opened = open_project(root, full=full)
    encoder, rows = StandIn(), 0
    started = time.perf_counter()
    published = None if opened.before is None else opened.before.state
    for part in changed_rows(opened.store, published, opened.after.state):
        known = set(part["uri"].to_pylist())
        columns = chunk_columns(
            passages_of(part),
            known=known,
            dimension=encoder.dimension,
            max_tokens=encoder.max_tokens,
        )
        rows += len(columns["chunk"])
    return {"seconds": time.perf_counter() - started, "rows": rows}


def sources_measured(root: Path, full: bool) -> dict[str, float]:
    """The passes over all vectors, golden questions and vectors that moved: seconds."""
    opened = open_project(root, full=full)
    questions = StandIn().encode([f"question {number}" for number in range(QUESTIONS)])
    started = time.perf_counter()
    after = measure(opened.store, opened.after.state, questions=questions)
    if opened.before is not None:
        before = measure(opened.store, opened.before.state, questions=questions)
        unexplained_shift(opened.store, before, after)
    return {"seconds": time.perf_counter() - started, "rows": opened.after.chunks}


def whole_audit(root: Path, full: bool) -> dict[str, float]:
    """Columns, both suites and golden questions: seconds, and MB before it began."""
    opened = open_project(root, full=full)
    import_library()
    config, now = opened.config, datetime.now(UTC)
    checks = Checks(config, load_suites(config.expectations), rules_on(config, now.date()))
    subject = Subject(
        store=opened.store,
        published=opened.before,
        candidate=opened.after.state,
        fingerprint=opened.after.fingerprint,
        changes=() if opened.before else everything_added(opened),
    )
    before = peak_mb()
    started = time.perf_counter()
    audit = audit_candidate(subject, checks, encoder=StandIn, now=now)
    seconds = time.perf_counter() - started
    if audit.failing:
        raise SystemExit(f"good passages fail: {audit.to_dict()['failed']}")
    return {"seconds": seconds, "rows": audit.chunks, "before_mb": before}


def everything_added(opened: Opened) -> list[Change]:
    """What the first publication did."""
    documents = published_documents(opened.store, opened.after.state).values()
    return [Change(Kind.ADDED, d.uri, d.source, "new", d.policy) for d in documents]


def import_library() -> float:
    """Seconds to import Great Expectations, which every process that audits pays once."""
    quiet.silence()
    started = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import great_expectations  # noqa: F401
    return time.perf_counter() - started


def embedding(root: Path, most: int) -> dict[str, float]:
    """Seconds of the built-in model for some of the passages, its weights in memory."""
    encoder = load_encoder(MODEL, root=root)
    folders = sorted(folder for folder in (root / "docs").iterdir() if folder.is_dir())
    texts: list[str] = []
    while folders and len(texts) < most:
        texts += [chunk.embedded for _, chunk in passages(folders.pop(0), encoder)]
    texts = texts[:most]
    encoder.encode(texts[:8])  # loads the weights
    started = time.perf_counter()
    encoder.encode(texts)
    return {"seconds": time.perf_counter() - started, "rows": len(texts)}


def make_project(root: Path, count: int) -> None:
    """Publishes that many passages, then 1 % of them changed, one in each document touched."""
    documents = count // SECTIONS
    write_documents(root / "docs", documents)
    golden = root / "data/golden"
    golden.mkdir(parents=True)
    lines = [
        json.dumps({"id": str(n), "question": f"question {n}", "uri": uri(n % documents)})
        for n in range(QUESTIONS)
    ]
    (golden / "questions.jsonl").write_text("\n".join(lines))
    publish(root)
    touched = count // 100
    for number in range(0, documents, documents // touched):
        edit(root / "docs" / uri(number).removeprefix("docs/"), "something else")
    publish(root)


def uri(number: int) -> str:
    """Of a document."""
    return f"docs/{number // 100:03}/{number:05}.md"


def publish(root: Path) -> None:
    """One refresh, which must publish everything."""
    report = refresh(configuration(root, files(root / "docs")), StandIn())
    if not report.published or report.documents["quarantined"]:
        raise SystemExit(f"not everything was published: {report.reason} {report.documents}")


def told(found: Measured) -> str:
    """Seconds and passages."""
    return f"{found.value['seconds']:.2f} s for {found.value['rows']:,} passages"


def measure_size(root: Path, count: int, speed: float) -> None:
    """Prints the rows of one size; ``speed`` is the model's, in passages a second."""
    make_project(root, count)
    for full in (True, False):
        share = count if full else count // 100
        what = f"{count:,} passages, {'all new' if full else '1 % changed'}"
        judged = apart(passages_judged, root, full)
        row(f"{what}: columns of the new passages", told(judged), "", judged.peak_mb)
        sources = apart(sources_measured, root, full)
        passes = "one pass" if full else "two passes"
        row(f"{what}: sources, {passes}", told(sources), f"{QUESTIONS} questions", sources.peak_mb)
        whole = apart(whole_audit, root, full)
        row(
            f"{what}: whole audit",
            f"{whole.value['seconds']:.2f} s, {whole.peak_mb - whole.value['before_mb']:.0f} MB"
            " above what its imports take",
            f"embedding the {share:,} new ones {share / speed:,.1f} s (scaled)",
            whole.peak_mb,
        )


def main(sizes: list[int], most: int) -> None:
    """Measures and prints."""
    head(f"The audit of a publication, 384 values a vector, {QUESTIONS} golden questions")
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write_documents(root / "docs", -(-most // SECTIONS))
        model = apart(embedding, root, most)
    speed = model.value["rows"] / model.value["seconds"]
    row(f"{MODEL}, embedding", f"{speed:.1f} passages/s", told(model), model.peak_mb)
    library = apart(import_library)
    row("importing Great Expectations", f"{library.value:.1f} s", "once a process", library.peak_mb)
    for size in sizes:
        with tempfile.TemporaryDirectory() as folder:
            measure_size(Path(folder), size, speed)
    print(
        f"\nEmbedding was measured on {model.value['rows']:,} of these passages and scaled to the"
        " others."
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--passages", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    parser.add_argument("--texts", type=int, default=2_000, help="that are embedded")
    asked = parser.parse_args()
    main(asked.passages, asked.texts)

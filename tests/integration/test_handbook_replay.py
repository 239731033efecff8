"""The life of a real handbook, snapshot by snapshot: what is embedded, held, and published."""

import os
import shutil
import subprocess
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines.config import Config, EmbedderConfig, GitSource, Knowledge
from pipelines.embedding import load_encoder
from pipelines.knowledge import (
    ACCEPTED,
    Store,
    decide_hold,
    find_store,
    newest,
    quarantine,
)
from pipelines.planning import Kind
from pipelines.records import Encoder, Vectors
from pipelines.refresh import Ports, Report, refresh_knowledge
from tests.fakes import HashEncoder

BUNDLE = Path(
    os.environ.get("HANDBOOK_BUNDLE")
    or Path(__file__).resolve().parents[2].parent / "shared/data/handbook.bundle"
)
SNAPSHOTS = 415
SCRATCH_EVERY = 10
HELD = ["2021-08-01", "2021-08-08", "2022-12-04"]
TREE_MOVED = "2021-07-25"
REAL_SNAPSHOTS = 30
REAL_DOCUMENTS = ("pages/travel-and-leave/**/*.md", "pages/tools/**/*.md")
"""A fifth of the handbook, often edited: encoding all of it takes minutes and shows no more."""
SAMPLED_ROWS = 50

pytestmark = [
    pytest.mark.slow,
    pytest.mark.corpus,
    pytest.mark.skipif(
        not BUNDLE.is_file(),
        reason="the handbook bundle is not part of the project; HANDBOOK_BUNDLE names it",
    ),
]

Passage = tuple[str, int, str, tuple[str, ...]]
"""Uri, position, text, labels."""


@dataclass(frozen=True)
class Snapshot:
    commit: str
    at: datetime


def git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], check=True, capture_output=True, text=True)
    return done.stdout


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle as a repository, for the test's own questions."""
    folder = tmp_path_factory.mktemp("handbook") / "bare"
    git("clone", "--quiet", "--bare", "--branch", "main", str(BUNDLE), str(folder))
    return folder


@pytest.fixture(scope="module")
def snapshots(bare: Path) -> list[Snapshot]:
    lines = git("-C", str(bare), "log", "--reverse", "--format=%H %ct", "main").splitlines()
    found = [
        Snapshot(commit, datetime.fromtimestamp(int(at), UTC))
        for commit, at in (line.split() for line in lines)
    ]
    assert len(found) == SNAPSHOTS
    return found


@dataclass
class Recalling(HashEncoder):
    """The stand-in that computes a vector once, however many stores ask for it."""

    known: dict[str, Vectors] = field(default_factory=dict)

    def _vector(self, text: str) -> Vectors:
        if text not in self.known:
            self.known[text] = super()._vector(text)
        return self.known[text]


@dataclass
class Replay:
    """One store, refreshed from one commit after the other."""

    root: Path
    encoder: Encoder
    include: tuple[str, ...] = ("**/*.md",)
    runs: int = 0

    def config(self, commit: str) -> Config:
        source = GitSource(
            name="handbook",
            url=str(BUNDLE),
            ref=commit,
            include=self.include,
            domain="staff",
            labels=("public",),
        )
        return Config(
            path=self.root / "staleproof.toml",
            root=self.root,
            knowledge=Knowledge(
                name="handbook", store="store", keep_days=3650, longest_read=timedelta(seconds=1)
            ),
            embedder=EmbedderConfig(model=self.encoder.model),
            sources=(source,),
        )

    def refresh(self, snapshot: Snapshot) -> Report:
        self.runs += 1
        return refresh_knowledge(
            self.config(snapshot.commit),
            now=snapshot.at,
            run_id=f"run-{self.runs}",
            ports=Ports(load_encoder=lambda model, *, root, batch_size=32: self.encoder),
        )

    def accept(self, report: Report, snapshot: Snapshot) -> None:
        for hold in report.holds:
            decide_hold(self.store, hold.id, ACCEPTED, actor="somebody", reason="", now=snapshot.at)

    @property
    def store(self) -> Store:
        found = find_store(str(self.root / "store"))
        assert found is not None
        return found

    def published(self) -> list[dict[str, Any]]:
        """The raw rows of what readers see."""
        last = newest(self.store)
        assert last is not None
        columns = ["uri", "position", "prefix", "text", "labels"]
        rows = self.store.at(*last.state).search().select(columns).to_arrow().to_pylist()
        return list(rows)

    def spilled(self) -> set[str]:
        """The hashes of the texts whose vectors lie in the spill."""
        table = self.store.table("vectors").search().select(["text_hash"]).to_arrow()
        return set(table["text_hash"].to_pylist())

    def in_quarantine(self) -> set[str]:
        return {failed.uri for failed in quarantine(self.store)}


def passages(rows: list[dict[str, Any]], without: set[str]) -> set[Passage]:
    """What the store is compared by; that of some documents is left out."""
    found = [(r["uri"], r["position"], r["text"], tuple(r["labels"])) for r in rows]
    assert len(set(found)) == len(found)
    return {one for one in found if one[0] not in without}


def embedded_text(row: dict[str, Any]) -> str:
    return f"{row['prefix']}\n\n{row['text']}" if row["prefix"] else str(row["text"])


def embedded(rows: list[dict[str, Any]]) -> dict[str, str]:
    """The distinct texts embedded for some rows, by their hashes in the spill."""
    texts = {embedded_text(row) for row in rows}
    return {blake2b(text.encode(), digest_size=16).hexdigest(): text for text in texts}


class Counted:
    """Refreshes, and counts apart which texts the encoder had to be handed."""

    def __init__(self, replay: Replay, encoder: HashEncoder) -> None:
        self.replay, self.encoder = replay, encoder
        self.rows: list[dict[str, Any]] = []

    def refresh(self, snapshot: Snapshot) -> Report:
        had = set(embedded(self.rows)) | (self.replay.spilled() if self.rows else set())
        self.encoder.encoded.clear()
        report = self.replay.refresh(snapshot)
        self.rows = self.replay.published()
        new = [text for name, text in embedded(self.rows).items() if name not in had]
        assert sorted(self.encoder.encoded) == sorted(new), snapshot
        return report


def test_all_snapshots_embed_only_what_is_new_and_equal_a_build_from_scratch(
    tmp_path: Path, bare: Path, snapshots: list[Snapshot]
) -> None:
    encoder = Recalling(max_tokens=256)
    replay = Replay(tmp_path / "replay", encoder)
    counted = Counted(replay, encoder)
    held: list[str] = []
    moved: set[str] = set()
    for number, snapshot in enumerate(snapshots):
        report = counted.refresh(snapshot)
        if report.holds:
            held.append(f"{snapshot.at:%Y-%m-%d}")
            replay.accept(report, snapshot)
            after = counted.refresh(snapshot)
            assert not after.holds
            assert after.documents["deleted"] == sum(len(h.items) for h in report.holds)
        if f"{snapshot.at:%Y-%m-%d}" == TREE_MOVED:
            moved = {c.uri for c in report.changes if c.kind is Kind.MOVED}
            assert_tree_moved(bare, snapshots[number - 1], snapshot, moved, replay.in_quarantine())
        if number % SCRATCH_EVERY == 0 or number == len(snapshots) - 1:
            scratch = Replay(tmp_path / f"scratch-{number}", encoder)
            scratch.refresh(snapshot)
            failed = scratch.in_quarantine()
            assert replay.in_quarantine() == failed
            # A version that failed leaves the last good one published; a new store has none.
            assert passages(counted.rows, failed) == passages(scratch.published(), set())
            shutil.rmtree(scratch.root)
    assert held == HELD
    assert moved


def assert_tree_moved(
    bare: Path, before: Snapshot, after: Snapshot, moved: set[str], failed: set[str]
) -> None:
    """98 paths gone, 97 new, 82 of them with the same bytes: those move, but for empty ones."""
    old, new = blobs(bare, before), blobs(bare, after)
    gone, came = old.keys() - new.keys(), new.keys() - old.keys()
    assert (len(gone), len(came)) == (98, 97)
    same = {path for path in came if new[path] in {old[path] for path in gone}}
    assert len(same) == 82
    assert moved <= same
    assert same - moved <= failed
    assert len(same - moved) == 3


def blobs(bare: Path, snapshot: Snapshot) -> dict[str, str]:
    """Uri -> blob id of the Markdown files of a snapshot."""
    lines = git("-C", str(bare), "ls-tree", "-r", "-z", snapshot.commit).split("\0")
    found = (line.split("\t") for line in lines if line.endswith(".md"))
    return {f"handbook/{path}": about.split()[2] for about, path in found}


def test_stored_vectors_are_those_of_their_texts_encoded_directly(
    tmp_path: Path, snapshots: list[Snapshot]
) -> None:
    encoder = load_encoder("all-MiniLM-L6-v2", root=tmp_path, batch_size=32)
    replay = Replay(tmp_path, encoder, include=REAL_DOCUMENTS)
    chance = np.random.default_rng(415)
    direct: dict[str, Vectors] = {}
    for snapshot in snapshots[-REAL_SNAPSHOTS:]:
        assert not replay.refresh(snapshot).holds
        last = newest(replay.store)
        assert last is not None
        table = replay.store.at(*last.state)
        picked = chance.choice(table.count_rows(), SAMPLED_ROWS, replace=False).tolist()
        rows = table.take_offsets(picked).select(["prefix", "text", "vector"]).to_arrow()
        stored = np.array(rows["vector"].to_pylist(), dtype=np.float32)
        texts = [embedded_text(row) for row in rows.to_pylist()]
        new = sorted(set(texts) - direct.keys())
        direct |= dict(zip(new, encoder.encode(new), strict=True))
        cosines = (stored * np.stack([direct[text] for text in texts])).sum(axis=1)
        assert cosines.min() >= 0.9999, snapshot

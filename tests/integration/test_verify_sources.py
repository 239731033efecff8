"""Verify compares with the sources, and explains what only looks wrong."""

import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pipelines.decide import decide, open_holds, roll_back, unpin
from pipelines.knowledge import newest, publications
from pipelines.records import Entry
from pipelines.sources import open_source
from pipelines.verify.facts import read_facts
from pipelines.verify.report import Findings
from pipelines.verify.rows import verify_rows
from pipelines.verify.sources import verify_source
from pipelines.verify.today import today_of
from tests.by_hand import (
    GHOST,
    LEAVE,
    TWIN,
    copied,
    corrupt,
    edit,
    kinds,
    named,
    of,
    published,
    put,
    second_publication,
    verify,
    without,
)
from tests.project import Project, source


@pytest.fixture(scope="module")
def refreshed(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Refreshed once; each test works on a copy."""
    return published(tmp_path_factory.mktemp("verify"))


@pytest.fixture
def project(refreshed: Project, tmp_path: Path) -> Project:
    return copied(refreshed, tmp_path / "copy")


def test_changes_since_the_last_listing_are_newer(project: Project) -> None:
    edit(project)
    found = verify(project, sources=True)
    assert (found.ok, found.explained) == (True, {"newer": 5})
    assert verify(project).explained == {}, "the sources are asked only where that is asked for"


def test_changes_behind_a_pin_are_pending(project: Project) -> None:
    second_publication(project)
    roll_back(project.config, signed=project.signed())
    assert verify(project, sources=True).explained == {"pending": 1}, "nobody looked since"
    edit(project)
    project.refresh()
    found = verify(project, sources=True)
    assert (found.ok, found.explained) == (True, {"pending": 5})
    (project.root / "docs").rename(project.root / "away")
    project.refresh()
    (project.root / "away").rename(project.root / "docs")
    found = verify(project, sources=True)
    assert (found.ok, found.explained) == (True, {"pending": 5}), "a broken listing forgets nothing"
    unpin(project.config, signed=project.signed())
    assert verify(project, sources=True).explained == {"pending": 5}
    project.refresh()
    found = verify(project, sources=True)
    assert (found.ok, found.explained) == (True, {})


def test_held_and_refused_changes_are_told_apart(project: Project) -> None:
    edit(project)
    project.refresh(publish=False)
    assert verify(project, sources=True).explained == {"held": 5}
    (hold,) = open_holds(project.config)
    decide(project.config, hold.id, accept=False, reason="no", signed=project.signed())
    found = verify(project, sources=True)
    assert (found.ok, found.explained) == (True, {"dropped": 5})


def test_held_deletions_are_told(project: Project) -> None:
    project.remove("leave.md", "pay.md", "it's.md")
    project.refresh()
    found = verify(project, sources=True)
    assert (found.ok, found.explained) == (True, {"held": 3})
    (hold,) = open_holds(project.config)
    decide(project.config, hold.id, accept=True, reason="yes", signed=project.signed())
    assert set(verify(project, sources=True).explained) == {"pending"}


def test_source_that_left_the_configuration_is_told(project: Project) -> None:
    project.configure(source("other", "other"))
    (project.root / "other").mkdir()
    found = verify(project)
    assert kinds(found) == {"source"}
    project.refresh()
    found = verify(project, sources=True)
    assert (found.ok, found.explained) == (True, {"held": 5})


def test_broken_listing_is_not_compared(project: Project) -> None:
    shutil.rmtree(project.root / "docs")
    found = verify(project, sources=True)
    assert (found.ok, found.explained) == (True, {"not_compared": 5})


def test_unreadable_document_is_quarantined_or_not_compared(project: Project) -> None:
    project.configure(more="[limits]\nmax_document_bytes = 40")
    assert verify(project, sources=True).explained == {"not_compared": 2}
    project.refresh()
    assert verify(project, sources=True).explained == {"quarantined": 2}


def test_configuration_written_after_the_listing_explains_other_labels(project: Project) -> None:
    project.configure(source(labels='["public", "hr"]'))
    assert kinds(verify(project, sources=True)) == {"labels"}
    later = project.now.timestamp() + 60
    os.utime(project.root / "staleproof.toml", (later, later))
    found = verify(project, sources=True)
    assert (found.ok, found.explained) == (True, {"newer": 4})


def test_document_that_was_never_listed_is_told_from_one_that_just_went(project: Project) -> None:
    corrupt(project, lambda rows: [*rows, of(rows, TWIN)[0] | {"uri": GHOST}])
    project.remove("leave.md")
    found = verify(project, sources=True)
    assert (named(found), found.explained) == ({("extra", GHOST)}, {"newer": 1})


def test_passages_of_an_older_chunker_wait_for_the_next_refresh(project: Project) -> None:
    corrupt(project, put(LEAVE, None, recipe="0"))
    found = verify(project, sources=True)
    assert (found.ok, found.explained) == (True, {"pending": 1})


def test_former_name_of_a_moved_document_that_stays_is_named(project: Project) -> None:
    former = of(project.rows(), TWIN)
    project.rename("twin.md", "moved.md")
    project.refresh()
    corrupt(project, lambda rows: [*rows, *former])
    assert named(verify(project, sources=True)) == {("extra", TWIN)}


def test_edit_that_keeps_size_and_time_is_named(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.configure()
    project.write("a.md", "# A\n\nOne.\n")
    project.refresh()
    file = tmp_path / "docs" / "a.md"
    before = file.stat()
    project.write("a.md", "# A\n\nTwo.\n")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    project.refresh()
    assert named(verify(project, sources=True)) == {("stale", "docs/a.md")}
    project.refresh(recheck=True)
    assert verify(project, sources=True).ok


@dataclass
class Racing:
    """A source whose documents are edited after they were listed."""

    source: Any
    edit: Callable[[], None]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.source, name)

    def read(self, entry: Entry) -> bytes:
        self.edit()
        data: bytes = self.source.read(entry)
        return data


def test_edit_while_verify_reads_is_newer(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.configure()
    project.write("a.md", "# A\n\nOne.\n")
    project.refresh()
    config, store, last = project.config, project.store, newest(project.store)
    assert last is not None
    opened = open_source(config.source("docs"), root=config.root, cache=tmp_path / "cache")
    source = Racing(opened, lambda: project.write("a.md", "# A\n\nAnother.\n"))
    findings = Findings()
    rows = verify_rows(store, last.state, findings, seed="", sample=0)
    today = today_of(config, publications(store), read_facts(store), now=project.now)
    limits = {"now": project.now, "max_bytes": 1000}
    verify_source(source, store, rows.documents, today, findings, **limits)
    assert (findings.problems(), dict(findings.explained)) == ((), {"newer": 1})


def git(folder: Path, *arguments: str) -> None:
    name = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
    subprocess.run(["git", *name, *arguments], cwd=folder, check=True, capture_output=True)


def test_commit_that_was_listed_has_nothing_newer(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.write("a.md", "# A\n\nOne.\n")
    project.write("b.md", "# B\n\nTwo.\n")
    git(tmp_path / "docs", "init", "-q")
    git(tmp_path / "docs", "add", ".")
    git(tmp_path / "docs", "commit", "-qm", "first")
    project.configure(source().replace('"files"', '"git"').replace("path", "url"))
    project.refresh()
    assert verify(project, sources=True).ok
    corrupt(project, without("docs/a.md"))
    project.store.table("documents").delete("uri = 'docs/a.md'")
    assert named(verify(project, sources=True)) == {("missing", "docs/a.md")}
    git(tmp_path / "docs", "rm", "-q", "b.md")
    git(tmp_path / "docs", "commit", "-qm", "second")
    assert verify(project, sources=True).explained == {"newer": 2}


def test_source_that_cannot_be_reached_is_named_and_not_called_well(project: Project) -> None:
    (project.root / "docs").rename(project.root / "away")
    found = verify(project, sources=True)
    assert (found.ok, found.exit_code) == (True, 4)
    assert list(found.unreachable) == ["docs"]

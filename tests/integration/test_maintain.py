"""Maintenance of a store that no refresh has published to for long."""

from datetime import timedelta
from pathlib import Path

import pytest

from pipelines.errors import RefreshRunning
from pipelines.knowledge import publications, refresh_lock
from pipelines.maintain import maintain
from tests.project import Project


@pytest.fixture
def project(tmp_path: Path) -> Project:
    project = Project(tmp_path)
    project.configure(knowledge="keep_publications = 1\nkeep_days = 1")
    for text in ("one", "two", "three"):
        project.write("a.md", f"# A\n\nIt is {text}.\n")
        project.refresh()
    return project


def test_what_is_kept_no_longer_goes_and_readers_see_the_same(project: Project) -> None:
    rows = project.rows()
    left = Path(project.store.uri) / "documents.lance" / ".tmp-left"
    left.write_text("by a killed run")
    # The age of files is that of the file system, so the clock of the run goes ahead.
    done = maintain(project.config, now=project.now + timedelta(days=9), run_id="maintain")
    assert (done.publication, done.kept) == (3, 1)
    assert done.bytes_after < done.bytes_before
    assert not left.exists()
    assert project.rows() == rows
    assert len(publications(project.store)) == 3


def test_nothing_is_done_while_a_refresh_holds_the_store(project: Project) -> None:
    with (
        refresh_lock(project.store, run="other", now=project.now),
        pytest.raises(RefreshRunning, match="run other"),
    ):
        maintain(project.config, now=project.now, run_id="maintain")


def test_store_that_is_not_there_needs_no_maintenance(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.configure()
    done = maintain(project.config, now=project.now, run_id="maintain")
    assert (done.publication, done.kept, done.bytes_after) == (None, 0, 0)
    assert not (tmp_path / "store").exists()

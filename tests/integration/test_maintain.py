"""Maintenance of a store that no refresh has published to for long."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from pipelines.errors import RefreshRunning
from pipelines.knowledge import (
    insert_until_won,
    model_folder,
    newest,
    publications,
    refresh_lock,
)
from pipelines.maintain import maintain
from pipelines.registry import registry_lock, versions
from pipelines.registry.folder import checkpoint_folder
from tests.project import Project
from tests.versioned import MODEL, make_versioned


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


@pytest.mark.slow
def test_old_versions_of_models_go_and_none_that_a_kept_state_was_made_with(
    tmp_path: Path,
) -> None:
    versioned = make_versioned(tmp_path)
    project = Project(versioned.root)
    project.configure(more=f'[[models]]\nname = "{MODEL}"\nkeep_versions = 2')
    project.write("a.md", "# A\n\nIt is one.\n")
    project.refresh()
    for text in ("one", "two", "three", "four"):
        assert versioned.retrain(text, run=text)
    served = newest(project.store)
    assert served
    insert_until_won(project.store, lambda last: replace(last, models={MODEL: "v0.0.1"}))
    for name in ("v0.0.1", "v0.0.2", "v0.0.4"):
        (versioned.root / model_folder(MODEL, name)).mkdir(parents=True)
    left = checkpoint_folder(versioned.root) / MODEL / "of-a-training"
    left.mkdir(parents=True)
    soon = maintain(project.config, now=project.now, run_id="soon")
    assert left.is_dir()
    assert soon.retired == ()  # its weights were fetched just now: it may be on its way in
    later = project.now + timedelta(days=9)
    with registry_lock(versioned.root, "other"):
        assert maintain(project.config, now=later, run_id="busy").retired == ()
    done = maintain(project.config, now=later, run_id="maintain")
    assert done.retired == (f"{MODEL}@v0.0.2",)
    assert not left.exists()
    assert [one.version for one in versions(versioned.root, MODEL)] == [
        "v0.0.4",
        "v0.0.3",
        "v0.0.1",
    ]
    assert [one.name for one in (versioned.root / "data/models" / MODEL).iterdir()] == ["v0.0.1"]


def test_project_that_is_not_in_git_has_no_versions_to_remove(project: Project) -> None:
    project.configure(more='[[models]]\nname = "tuned"')
    assert maintain(project.config, now=project.now, run_id="maintain").retired == ()

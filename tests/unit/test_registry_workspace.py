"""A run gets a work tree of its own, or a clear sentence; one run at a time."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from pipelines.errors import NotVersioned, RegistryBusy, StaleproofError
from pipelines.registry import registry_lock, workspace
from pipelines.registry.folder import own_folder
from tests.versioned import MODEL, TARGETS, Versioned, make_versioned


def refused(root: Path, stages: tuple[str, ...] = TARGETS) -> str:
    with pytest.raises(NotVersioned) as caught, workspace(root, "run-1", MODEL, stages=stages):
        pass
    error: StaleproofError = caught.value
    assert error.exit_code == 2
    assert error.hint
    return error.message


def test_folder_without_git_is_refused(tmp_path: Path) -> None:
    assert "not in a git repository" in refused(tmp_path)


def test_repository_without_a_commit_is_refused(tmp_path: Path) -> None:
    Versioned(tmp_path).git("init", "--quiet")
    assert "has no commit HEAD" in refused(tmp_path)


def test_folder_inside_another_repository_is_refused(tmp_path: Path) -> None:
    project = make_versioned(tmp_path)
    assert "a folder inside the git repository" in refused(project.root / "pipelines")


def test_project_without_dvc_is_refused(tmp_path: Path) -> None:
    project = make_versioned(tmp_path)
    project.git("rm", "-r", "--quiet", ".dvc")
    project.commit()
    assert "is not a DVC project" in refused(project.root)


def test_stage_that_no_commit_has_is_refused(tmp_path: Path) -> None:
    project = make_versioned(tmp_path)
    assert "dvc.yaml of the commit" in refused(project.root, (f"distil@{MODEL}",))
    assert "has no stage distil" in refused(project.root, (f"distil@{MODEL}",))
    assert "params.yaml of the commit" in refused(project.root, ("train@voice",))
    project.write("params.yaml", "models: {voice: {seed: 1}}\n")
    assert "has no models.voice" in refused(project.root, ("train@voice",))


def test_work_tree_is_a_clean_commit_and_what_is_not_used_is_listed(tmp_path: Path) -> None:
    project = make_versioned(tmp_path)
    project.write("params.yaml", "models: {handbook: {seed: 99}}\n")
    project.write("pipelines/new.py", "half_written =\n")
    project.write("notes.txt", "not of interest\n")
    before = project.print_of_tree()
    with project.space() as space:
        assert space.not_used == ("params.yaml", "pipelines/new.py")
        assert "99" not in (space.folder / "params.yaml").read_text()
        assert not (space.folder / "pipelines/new.py").exists()
        assert project.print_of_tree() == before
    assert project.print_of_tree() == before
    assert len(project.git("worktree", "list").splitlines()) == 1
    assert not space.own.exists()


def test_work_tree_is_gone_also_after_an_error(tmp_path: Path) -> None:
    project = make_versioned(tmp_path)
    with pytest.raises(ValueError, match="broken"), project.space() as space:
        raise ValueError("broken")
    assert not space.own.exists()
    assert len(project.git("worktree", "list").splitlines()) == 1


def test_what_the_project_keeps_out_of_git_reaches_the_work_tree_for_its_owner_alone(
    tmp_path: Path,
) -> None:
    project = make_versioned(tmp_path)
    far = "['remote \"far\"']\n    url = s3://bucket/path\n    secret_access_key = 'a, # b'\n"
    project.write(".dvc/config.local", far)
    with project.space() as space:
        file = space.folder / ".dvc/config.local"
        assert 'secret_access_key = "a, # b"' in file.read_text()
        assert f"url = {project.remote}\n" in file.read_text()
        assert f"dir = {project.cache}\n" in file.read_text()
        assert file.stat().st_mode & 0o077 == 0


def test_second_run_is_told_who_is_at_work(tmp_path: Path) -> None:
    project = make_versioned(tmp_path)
    with registry_lock(project.root, "run-1"):
        with (
            pytest.raises(RegistryBusy, match=r"run-1 \(process \d+, since ") as caught,
            registry_lock(project.root, "run-2"),
        ):
            pass
        assert caught.value.retryable
    with registry_lock(project.root, "run-3"):
        pass


def test_lock_of_a_killed_run_is_free(tmp_path: Path) -> None:
    project = make_versioned(tmp_path)
    code = (
        "import os, sys; from pathlib import Path; from pipelines.registry import registry_lock\n"
        "with registry_lock(Path(sys.argv[1]), 'killed'): os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", code, str(project.root)], check=False)
    holder = project.root / ".staleproof/registry/holder.json"
    assert json.loads(holder.read_text())["run"] == "killed"
    with registry_lock(project.root, "run-2"):
        assert json.loads(holder.read_text())["run"] == "run-2"
    assert project.git("status", "--porcelain") == ""


def test_folders_of_killed_processes_go_and_those_of_others_stay(tmp_path: Path) -> None:
    dead = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True
    )
    killed = tmp_path / f".v0.0.1.{int(dead.stdout)}.abcd"
    killed.mkdir()
    with own_folder(tmp_path, ".v0.0.1") as one, own_folder(tmp_path, ".v0.0.1") as two:
        assert sorted(tmp_path.iterdir()) == sorted([one, two])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "left", ["outs:\n- md5: 0a1b.dir\n", "stages: {train@handbook: [", "- a\n"]
)
def test_file_that_dvc_was_killed_while_writing_stops_no_later_run(
    tmp_path: Path, left: str
) -> None:
    project = make_versioned(tmp_path)
    tree = project.root / ".staleproof/registry/runs/killed/tree"
    for path in ("dvc.lock", f"data/training/{MODEL}/snapshot.dvc"):
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_text(left)
    with project.space():
        assert not tree.exists()


def test_stage_that_was_taken_out_of_dvc_yaml_is_not_laid_over(tmp_path: Path) -> None:
    project = make_versioned(tmp_path)
    lock = "schema: '2.0'\nstages:\n" + "".join(
        f"  {name}: {{cmd: x}}\n" for name in ("train@handbook", "gone@handbook")
    )
    project.write("dvc.lock", lock)
    project.commit("As a run leaves it")
    project.git("tag", "--annotate", "--message", "{}", "handbook@v0.0.1")
    project.write("dvc.lock", "schema: '2.0'\nstages:\n  train@other: {cmd: y}\n")
    project.commit("Of another model")
    with project.space() as space:
        laid = yaml.safe_load((space.folder / "dvc.lock").read_text())["stages"]
    assert laid == {"train@handbook": {"cmd": "x"}, "train@other": {"cmd": "y"}}

"""A retraining killed anywhere, and once more: the rerun ends right and nothing of the killed one stays."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from pipelines.registry import registry_lock, retire, versions
from tests.versioned import MODEL, Versioned, make_versioned, missing_objects

STEPS = ("commit", "push", "verify", "tag", "branch", "origin", "end")
_PATIENCE_SECONDS = 60


@pytest.fixture
def project(tmp_path: Path) -> Versioned:
    """A project with one version, an ``origin``, and a person's half-done work."""
    made = make_versioned(tmp_path)
    made.add_origin()
    assert made.retrain("before", run="first") is not None
    made.write("params.yaml", "half: written\n")
    made.write("pipelines/new.py", "half_written =\n")
    made.write("README.md", "Staged.\n")
    made.git("add", "README.md")
    return made


def start(project: Versioned, run: str, *step: str, **env: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.faults.registry_runner", project.root, run, "after", *step],
        cwd=Path(__file__).parents[2],
        env=os.environ | env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def killed_before(project: Versioned, run: str, step: str) -> None:
    process = start(project, run, step)
    said, _ = process.communicate(timeout=_PATIENCE_SECONDS)
    assert process.returncode == -signal.SIGKILL, said


def killed_in_stage(project: Versioned, run: str, stage: str) -> int:
    """Kills the run, not the stage; the stage's process id."""
    sleeping = project.root.parent / f"{run}.pid"
    process = start(project, run, SLEEPS_IN=stage, SLEEPING=str(sleeping))
    until(lambda: sleeping.exists() and sleeping.read_text() != "")
    process.kill()
    process.communicate()
    return int(sleeping.read_text())


def rerun(project: Versioned) -> str:
    process = start(project, "rerun")
    said, _ = process.communicate(timeout=_PATIENCE_SECONDS)
    assert process.returncode == 0, said
    return str(said).splitlines()[-1]


def until(seen: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not seen():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def is_alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def processes_of(project: Versioned) -> list[int]:
    """Whatever works below the project's folder."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.pid != os.getpid() and process.cwd().startswith(str(project.root)):
                found.append(process.pid)
    return found


def check_all_is_right(project: Versioned, before: dict[str, str]) -> None:
    assert project.print_of_tree() == before
    assert [one.version for one in versions(project.root, MODEL)] == ["v0.0.2", "v0.0.1"]
    assert missing_objects(project) == []
    newest = versions(project.root, MODEL)[0]
    assert project.git("rev-parse", "staleproof/handbook") == newest.commit
    there = project.git("ls-remote", "origin")
    assert f"{newest.commit}\trefs/heads/staleproof/handbook" in there
    assert "refs/tags/handbook@v0.0.2" in there
    assert len(project.git("worktree", "list").splitlines()) == 1
    assert list((project.root / ".staleproof/registry/runs").iterdir()) == []
    assert processes_of(project) == []


def test_run_killed_while_it_trains_leaves_no_process_and_its_rerun_ends_right(
    project: Versioned,
) -> None:
    before = project.print_of_tree()
    stage = killed_in_stage(project, "killed", "train")
    until(lambda: not is_alive(stage))
    assert project.print_of_tree() == before
    assert len(versions(project.root)) == 1
    assert rerun(project) == "v0.0.2"
    check_all_is_right(project, before)


@pytest.mark.slow
def test_stage_whose_keeper_was_killed_as_well_is_ended_by_the_next_run(
    project: Versioned,
) -> None:
    before = project.print_of_tree()
    sleeping = project.root.parent / "stage.pid"
    process = start(project, "killed", SLEEPS_IN="train", SLEEPING=str(sleeping))
    until(lambda: sleeping.exists() and sleeping.read_text() != "")
    stage = int(sleeping.read_text())
    keeper = next(
        p for p in psutil.Process(process.pid).children() if "keeper.py" in " ".join(p.cmdline())
    )
    keeper.kill()
    process.kill()
    process.communicate()
    assert is_alive(stage)
    assert rerun(project) == "v0.0.2"
    assert not is_alive(stage)
    check_all_is_right(project, before)


@pytest.mark.slow
@pytest.mark.parametrize("step", ["tag", "branch"])
def test_run_killed_twice_ends_right(project: Versioned, step: str) -> None:
    before = project.print_of_tree()
    killed_before(project, "killed", "push")
    killed_before(project, "again", step)
    assert missing_objects(project) == []
    rerun(project)
    check_all_is_right(project, before)


@pytest.mark.slow
@pytest.mark.parametrize("step", STEPS)
def test_run_killed_before_a_step_ends_right(project: Versioned, step: str) -> None:
    before = project.print_of_tree()
    killed_before(project, "killed", step)
    assert project.print_of_tree() == before
    assert missing_objects(project) == []
    made = len(versions(project.root)) == 2
    assert made == (STEPS.index(step) > STEPS.index("tag"))
    assert rerun(project) == ("nothing changed" if made else "v0.0.2")
    check_all_is_right(project, before)


@pytest.mark.slow
def test_run_killed_at_any_moment_ends_right(project: Versioned) -> None:
    before = project.print_of_tree()
    started = time.monotonic()
    process = start(project, "whole", SLEEPS_IN="nowhere")
    process.communicate(timeout=_PATIENCE_SECONDS)
    whole = time.monotonic() - started
    check_all_is_right(project, before)
    project.git("tag", "--delete", "handbook@v0.0.2")
    project.git("push", "--quiet", "origin", ":refs/tags/handbook@v0.0.2")
    project.git("update-ref", "refs/heads/staleproof/handbook", versions(project.root)[0].commit)
    project.git("push", "--quiet", "--force", "origin", "staleproof/handbook")
    with registry_lock(project.root, "gc"):
        retire(project.root, MODEL, 10)
    for moment in range(1, 16):
        process = start(project, f"killed-{moment}")
        time.sleep(whole * moment / 16)
        process.kill()
        process.communicate()
        assert missing_objects(project) == []
        assert project.print_of_tree() == before
    rerun(project)
    check_all_is_right(project, before)


@pytest.mark.slow
def test_removal_killed_between_tags_and_data_is_finished_by_the_next(project: Versioned) -> None:
    project.git("checkout", "--quiet", "--", "params.yaml")
    assert project.retrain("after", run="second") is not None
    # What a removal has done when it is killed after the tags.
    project.git("push", "--quiet", "origin", ":refs/tags/handbook@v0.0.1")
    project.git("tag", "--delete", "handbook@v0.0.1")
    with registry_lock(project.root, "gc"):
        retired = retire(project.root, MODEL, 10)
    assert retired.versions == ()
    assert retired.objects > 0
    assert missing_objects(project) == []
    texts = [file.read_bytes() for file in project.remote.rglob("*") if file.is_file()]
    assert b"before" not in texts
    assert b"after" in texts

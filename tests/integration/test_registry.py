"""Versions of a small model, made, published, fetched, reproduced and retired with real git, DVC and GTO."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from pipelines.errors import (
    DataMissing,
    NotVersioned,
    RegistryError,
    RemoteUnavailable,
    RunCancelled,
    StageFailed,
    UnknownName,
)
from pipelines.registry import (
    Version,
    assign_champion,
    champion,
    changed,
    checkout_model,
    checkout_path,
    publish_version,
    read_text,
    registry_lock,
    reproduce_stages,
    reproduce_version,
    retire,
    versions,
)
from pipelines.registry.share import share_versions
from tests.versioned import (
    MODEL,
    SNAPSHOT,
    TARGETS,
    Versioned,
    make_versioned,
    missing_objects,
    write_snapshot,
)

WEIGHTS = f"data/training/{MODEL}/weights"


@pytest.fixture(scope="module")
def two_versions(tmp_path_factory: pytest.TempPathFactory) -> Versioned:
    """A project that has learned twice, beside a person's half-done work, with an ``origin``."""
    project = make_versioned(tmp_path_factory.mktemp("two"))
    project.add_origin()
    project.write("params.yaml", "half: written\n")
    project.write("pipelines/new.py", "half_written =\n")
    project.write("README.md", "Staged.\n")
    project.git("add", "README.md")
    before = project.print_of_tree()
    assert project.retrain("abc") is not None
    assert project.retrain("axc", run="run-2") is not None
    assert project.print_of_tree() == before
    return project


@pytest.fixture
def project(two_versions: Versioned, tmp_path: Path) -> Versioned:
    """A copy of it that a test may spoil."""
    folder = two_versions.root.parent
    shutil.copytree(folder, tmp_path / "copy", symlinks=True)
    copy = Versioned(tmp_path / "copy" / "project")
    copy.git("remote", "set-url", "origin", str(tmp_path / "copy" / "origin.git"))
    return copy


def newest(project: Versioned) -> Version:
    return versions(project.root, MODEL)[0]


# What a version is.


def test_version_names_code_data_parameters_and_results_by_one_commit(
    two_versions: Versioned,
) -> None:
    second, first = versions(two_versions.root, MODEL)
    assert (second.version, first.version) == ("v0.0.2", "v0.0.1")
    assert second.base == first.base == two_versions.git("rev-parse", "main")
    parents = two_versions.git("show", "--no-patch", "--format=%P", second.commit).split()
    assert parents == [second.base, first.commit]
    metrics = f"data/training/{MODEL}/evaluation/metrics.json"
    assert json.loads(read_text(two_versions.root, second, metrics)) == {"mrr": {"all": 3}}
    assert "seed: 1" in read_text(two_versions.root, second, "params.yaml")
    assert missing_objects(two_versions) == []
    author = two_versions.git("show", "--no-patch", "--format=%an %ae", second.commit)
    assert author == "staleproof staleproof@localhost"


def test_branch_and_tags_are_at_the_git_remote(two_versions: Versioned) -> None:
    there = two_versions.git("ls-remote", "origin")
    assert "refs/tags/handbook@v0.0.1" in there
    branch = two_versions.git("rev-parse", "staleproof/handbook")
    assert branch == newest(two_versions).commit
    assert f"{branch}\trefs/heads/staleproof/handbook" in there
    assert not share_versions(two_versions.root, MODEL)


def test_nothing_of_a_run_stays(two_versions: Versioned) -> None:
    assert len(two_versions.git("worktree", "list").splitlines()) == 1
    assert list((two_versions.root / ".staleproof/registry/runs").iterdir()) == []
    assert ".staleproof" not in two_versions.git("status", "--porcelain")


def test_nothing_changed_makes_no_version_and_runs_no_stage(project: Versioned) -> None:
    lines: list[str] = []
    assert project.retrain("axc", run="run-3", on_line=lines.append) is None
    assert not [line for line in lines if line.startswith("Running stage")]
    assert len(versions(project.root)) == 2


@pytest.mark.slow
def test_user_commit_that_changes_no_input_makes_no_version(project: Versioned) -> None:
    project.git("checkout", "--quiet", "--", "params.yaml")
    project.commit("Only words")
    assert project.retrain("axc", run="run-3") is None


@pytest.mark.slow
def test_changed_parameter_makes_a_version_though_caches_are_gone(project: Versioned) -> None:
    shutil.rmtree(project.cache)
    project.write("params.yaml", f"models:\n  {MODEL}: {{seed: 7}}\n")
    project.commit("Another seed")
    made = project.retrain("axc", run="run-3")
    assert made is not None
    assert made.version == "v0.0.3"
    assert missing_objects(project) == []


@pytest.mark.slow
def test_stages_that_did_not_change_are_not_run_and_their_results_are_there(
    project: Versioned,
) -> None:
    project.git("checkout", "--quiet", "--", "params.yaml")
    stages = (project.root / "dvc.yaml").read_text()
    project.write(
        "dvc.yaml", stages.replace("stage.py evaluate ${key}", "stage.py  evaluate ${key}")
    )
    project.commit("Evaluated otherwise")
    damage(project.cache, b"CXA")
    lines: list[str] = []
    with project.space("run-3") as space:
        write_snapshot(space, "axc")
        for target in (f"dataset@{MODEL}", *TARGETS):
            reproduce_stages(space, (target,), lines.append)
        assert changed(space)
        assert (space.folder / f"data/training/{MODEL}/dataset/pairs.txt").read_text() == "AXC"
        assert (space.folder / WEIGHTS / "model.txt").read_text() == "CXA"
    ran = [line for line in lines if line.startswith("Running stage")]
    assert ran == [f"Running stage 'evaluate@{MODEL}':"]


# What can go wrong.


def test_failing_stage_is_named_with_its_last_words_and_leaves_nothing(project: Versioned) -> None:
    with pytest.raises(StageFailed, match="train@handbook") as caught:
        project.retrain("other", run="run-3", env={"FAILS_IN": "train"})
    assert "it is broken" in caught.value.hint
    assert len(versions(project.root)) == 2
    assert len(project.git("worktree", "list").splitlines()) == 1


def test_cancelled_run_ends_its_stages(project: Versioned, tmp_path: Path) -> None:
    sleeping = tmp_path / "pid"
    env = {"SLEEPS_IN": "train", "SLEEPING": str(sleeping)}
    with pytest.raises(RunCancelled):
        project.retrain("other", run="run-3", env=env, cancelled=lambda: has_text(sleeping))
    assert not alive(int(sleeping.read_text()))


@pytest.mark.slow
def test_error_of_who_listens_ends_the_stages(project: Versioned, tmp_path: Path) -> None:
    sleeping = tmp_path / "pid"
    env = {"SLEEPS_IN": "evaluate", "SLEEPING": str(sleeping)}

    def listen(line: str) -> None:
        if line.startswith("evaluate of"):
            while not has_text(sleeping):
                pass
            raise ValueError("no more")

    with pytest.raises(ValueError, match="no more"):
        project.retrain("other", run="run-3", env=env, on_line=listen)
    assert not alive(int(sleeping.read_text()))


@pytest.mark.slow
def test_data_remote_that_is_away_makes_no_version(project: Versioned) -> None:
    def goes_away(step: str = "push") -> None:
        if step == "push":
            project.remote.rename(project.root / "away")
            project.remote.write_text("not a folder")

    with pytest.raises(RemoteUnavailable, match="could not be sent") as caught:
        project.retrain("other", run="run-3", on_step=goes_away)
    assert caught.value.retryable
    lines: list[str] = []
    with pytest.raises(RemoteUnavailable, match="cannot be reached"):
        project.retrain("other", run="run-4", on_line=lines.append)
    assert lines == []
    assert len(versions(project.root)) == 2
    project.remote.unlink()
    (project.root / "away").rename(project.remote)
    assert project.retrain("other", run="run-5") is not None


@pytest.mark.slow
def test_git_remote_that_is_away_leaves_the_version_to_be_pushed(project: Versioned) -> None:
    bare = project.root.parent / "origin.git"
    bare.rename(bare.with_suffix(".away"))
    with pytest.raises(RemoteUnavailable, match="origin"):
        project.retrain("other", run="run-3")
    assert newest(project).version == "v0.0.3"
    bare.with_suffix(".away").rename(bare)
    assert project.retrain("other", run="run-4") is None
    assert "refs/tags/handbook@v0.0.3" in project.git("ls-remote", "origin")


@pytest.mark.slow
def test_damaged_object_of_the_cache_is_not_published(project: Versioned) -> None:
    with project.space("run-3") as space:
        write_snapshot(space, "other")
        reproduce_stages(space, TARGETS)
        assert changed(space)
        damage(project.cache, b"REHTO")
        with pytest.raises(DataMissing, match="cache"):
            publish_version(space, "Learned", "{}")
    assert len(versions(project.root)) == 2
    assert project.retrain("other", run="run-4") is not None
    assert missing_objects(project) == []


@pytest.mark.slow
def test_version_made_elsewhere_is_followed(project: Versioned, tmp_path: Path) -> None:
    clone = tmp_path / "elsewhere"
    subprocess.run(
        ["git", "clone", "--quiet", "--no-tags", str(project.root), str(clone)], check=True
    )
    other = Versioned(clone)
    other.git("remote", "set-url", "origin", project.git("remote", "get-url", "origin"))
    other.write(".dvc/config.local", f"['remote \"local\"']\n    url = {project.remote}\n")
    assert other.retrain("axc", run="run-3") is None
    made = other.retrain("from elsewhere", run="run-4")
    assert made is not None
    assert made.version == "v0.0.3"
    assert project.retrain("from elsewhere", run="run-5") is None
    assert newest(project).commit == made.commit


def test_two_versions_of_one_name_are_told_apart(project: Versioned) -> None:
    project.git("tag", "--annotate", "--message", "{}", "handbook@v0.0.3", "main")
    project.git("push", "--quiet", "origin", "handbook@v0.0.3")
    project.git("tag", "--delete", "handbook@v0.0.3")
    project.git("tag", "--annotate", "--message", "[]", "handbook@v0.0.3", "staleproof/handbook")
    with pytest.raises(RegistryError, match=r"another handbook@v0\.0\.3"):
        share_versions(project.root, MODEL)


# What is got from a version.


def test_weights_are_fetched_from_the_cache_or_the_remote(
    project: Versioned, tmp_path: Path
) -> None:
    first = versions(project.root)[1]
    one = checkout_model(project.root, first, tmp_path / "models" / "one")
    assert (one / "model.txt").read_text() == "CBA"
    assert (one / "1_Pooling/config.json").is_file()
    assert (one / "model.txt").stat().st_nlink == 1
    shutil.rmtree(project.cache)
    two = checkout_model(project.root, first, tmp_path / "models" / "two")
    assert (two / "model.txt").read_text() == "CBA"
    assert sorted(path.name for path in (tmp_path / "models").iterdir()) == ["one", "two"]


def test_damaged_object_never_becomes_a_model(project: Versioned, tmp_path: Path) -> None:
    into = tmp_path / "model"
    damage(project.cache, b"CXA")
    checkout_model(project.root, newest(project), into)
    assert (into / "model.txt").read_text() == "CXA"
    damage(project.remote, b"CXA")
    (into / "model.txt").write_text("spoilt")
    with pytest.raises(DataMissing):
        checkout_model(project.root, newest(project), into)
    assert [path.name for path in tmp_path.iterdir() if path.name != "copy"] == ["model"]


def test_model_that_was_changed_in_its_place_is_made_anew(
    project: Versioned, tmp_path: Path
) -> None:
    into = checkout_model(project.root, newest(project), tmp_path / "model")
    (into / "model.txt").write_text("spoilt")
    (into / "more.txt").write_text("more")
    checkout_model(project.root, newest(project), into)
    assert (into / "model.txt").read_text() == "CXA"
    assert not (into / "more.txt").exists()


def test_file_and_folder_of_a_version_are_got_by_path(project: Versioned, tmp_path: Path) -> None:
    file = checkout_path(project.root, newest(project), f"{SNAPSHOT}/000.txt", tmp_path / "s.txt")
    assert file.read_text() == "axc"
    inside = f"{WEIGHTS}/1_Pooling"
    folder = checkout_path(project.root, newest(project), inside, tmp_path / "pooling")
    assert [one.name for one in folder.iterdir()] == ["config.json"]
    with pytest.raises(UnknownName, match="nothing"):
        checkout_path(project.root, newest(project), "nothing", tmp_path / "x")


# Who is champion.


def test_champion_goes_forth_and_back_as_gto_itself_sees_it(project: Versioned) -> None:
    import gto.api

    second, first = versions(project.root)
    for one in (first, second, first):
        assert assign_champion(project.root, one)
        assert not assign_champion(project.root, one)
        served = champion(project.root, MODEL)
        assert served is not None
        assert served.version == one.version
        assert gto.api.show(project.root, f"{MODEL}#champion")[0]["version"] == one.version
    assert "refs/tags/handbook#champion#3" in project.git("ls-remote", "origin")


# What is taken away.


@pytest.mark.slow
def test_old_versions_lose_tags_and_data_but_not_those_in_use(project: Versioned) -> None:
    second, first = versions(project.root)
    theirs = first_of_a_person(project)
    third = project.retrain("three", run="run-3")
    fourth = project.retrain("four", run="run-4")
    assert third is not None
    assert fourth is not None
    for one in (first, third):
        assign_champion(project.root, one)
    with registry_lock(project.root, "gc"):
        planned = retire(project.root, MODEL, 1, dry=True)
        retired = retire(project.root, MODEL, 1)
    # The newest stays, the champion, and the champion before it.
    assert planned.versions == retired.versions == (second.tag,)
    assert {one.tag for one in versions(project.root)} == {first.tag, third.tag, fourth.tag}
    assert second.tag not in project.git("ls-remote", "origin")
    assert retired.objects > 0
    assert missing_objects(project) == []
    for folder in (project.cache, project.remote):
        assert not holds(folder, b"axc")
        assert holds(folder, b"abc")
        assert holds(folder, theirs) or folder == project.remote
    assert retire(project.root, MODEL, 1).objects == 0
    assert project.retrain("five", run="run-5") is not None


def test_protected_version_stays(project: Versioned) -> None:
    with registry_lock(project.root, "gc"):
        assert retire(project.root, MODEL, 1, {"v0.0.1"}).versions == ()


def test_data_of_a_run_without_a_version_goes_with_the_next_removal(project: Versioned) -> None:
    with project.space("run-3") as space:
        write_snapshot(space, "never published")
    assert holds(project.cache, b"never published")
    with registry_lock(project.root, "gc"):
        retire(project.root, MODEL, 10)
    assert not holds(project.cache, b"never published")
    assert missing_objects(project) == []


# Once more.


def test_version_is_made_again_byte_for_byte_from_its_commit(project: Versioned) -> None:
    shutil.rmtree(project.cache)
    before = project.print_of_tree()
    again = reproduce_version(project.root, newest(project))
    assert (again.metrics_equal, again.weights_equal, again.erased) == (True, True, False)
    assert again.differences == ()
    assert project.print_of_tree() == before
    assert list((project.root / ".staleproof/registry/clones").iterdir()) == []


@pytest.mark.slow
def test_version_that_comes_out_otherwise_says_what_differs(
    project: Versioned, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOISE", "!!")
    again = reproduce_version(project.root, newest(project))
    assert (again.metrics_equal, again.weights_equal) == (False, False)
    assert again.differences == (f"{WEIGHTS} differs", "mrr.all: 3 -> 5")


def test_version_whose_inputs_are_erased_cannot_be_made_again(project: Versioned) -> None:
    for folder in (project.cache, project.remote):
        remove(folder, b"axc")
    again = reproduce_version(project.root, newest(project))
    assert again.erased
    assert "not reproducible: erased" in again.differences[0]


def test_project_without_a_data_remote_is_refused(project: Versioned) -> None:
    project.write(".dvc/config", "[core]\n    analytics = false\n")
    with pytest.raises(NotVersioned, match="no default DVC remote"):
        checkout_model(project.root, newest(project), project.root / "x")


@pytest.mark.slow
def test_run_keeps_no_notes_outside_of_the_project(
    project: Versioned, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("DVC_SITE_CACHE_DIR", raising=False)
    (tmp_path / "home").mkdir()
    assert project.retrain("other", run="run-3") is not None
    assert list((tmp_path / "home").iterdir()) == []


def first_of_a_person(project: Versioned) -> bytes:
    """Data of the user's own that only an older commit of theirs names."""
    project.git("checkout", "--quiet", "--", "params.yaml")
    project.write("data/own/table.csv", "a table of their own")
    subprocess.run(
        [sys.executable, "-m", "dvc", "add", "--quiet", "data/own/table.csv"],
        cwd=project.root,
        env=os.environ | {"DVC_SITE_CACHE_DIR": str(project.root / ".dvc/tmp/site")},
        check=True,
    )
    project.commit("Their data")
    (project.root / "data/own/table.csv.dvc").unlink()
    project.commit("Not needed now")
    return b"a table of their own"


def objects(folder: Path, content: bytes) -> Iterator[Path]:
    for file in folder.rglob("*"):
        if file.is_file() and file.read_bytes() == content:
            yield file


def holds(folder: Path, content: bytes) -> bool:
    return any(objects(folder, content))


def damage(folder: Path, content: bytes) -> None:
    """Writes other bytes of the same length."""
    found = list(objects(folder, content))
    assert found
    for file in found:
        file.unlink()
        file.write_bytes(b"?" * len(content))


def remove(folder: Path, content: bytes) -> None:
    for file in list(objects(folder, content)):
        file.unlink()


def has_text(file: Path) -> bool:
    return file.exists() and bool(file.read_text())


def alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False

"""Versions, stages and the champion are read from git tags."""

import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.errors import NotVersioned, UnknownName
from pipelines.registry import champion, find_version, newest_version, read_text, versions
from tests.versioned import Versioned


@pytest.fixture
def project(tmp_path: Path) -> Versioned:
    made = Versioned(tmp_path)
    made.git("init", "--quiet", "--initial-branch=main")
    return made


def tag(project: Versioned, name: str, commit: str = "HEAD") -> None:
    project.git("tag", "--annotate", "--message", "{}", name, commit)


def add(project: Versioned, name: str) -> str:
    commit = project.commit(name)
    tag(project, name)
    return commit


def test_versions_come_newest_first_by_number_not_by_spelling(project: Versioned) -> None:
    for number in (1, 2, 10, 9):
        add(project, f"handbook@v0.0.{number}")
    add(project, "voice@v0.0.1")
    found = versions(project.root, "handbook")
    assert [one.version for one in found] == ["v0.0.10", "v0.0.9", "v0.0.2", "v0.0.1"]
    assert newest_version(project.root, "handbook") == found[0]
    assert {one.model for one in versions(project.root)} == {"handbook", "voice"}


def test_base_of_a_version_is_the_first_parent_of_its_commit(project: Versioned) -> None:
    base = project.commit()
    commit = add(project, "handbook@v0.0.1")
    (one,) = versions(project.root)
    assert (one.commit, one.base, one.stage) == (commit, base, None)


def test_other_tags_and_registrations_taken_back_are_no_versions(project: Versioned) -> None:
    add(project, "handbook@v0.0.1")
    for name in ("v1.0", "handbook@1.0", "release@v1", "handbook@deprecated", "x#prod#1"):
        add(project, name)
    add(project, "handbook@v0.0.2")
    tag(project, "handbook@v0.0.2!#7")
    project.git("tag", "lightweight@v0.0.1")
    assert {one.tag for one in versions(project.root)} == {
        "handbook@v0.0.1",
        "lightweight@v0.0.1",
    }


def test_champion_is_whoever_was_assigned_last_whatever_the_second(project: Versioned) -> None:
    first, second = add(project, "handbook@v0.0.1"), add(project, "handbook@v0.0.2")
    assert champion(project.root, "handbook") is None
    for count, commit in enumerate([first, second, first], start=9):
        tag(project, f"handbook#champion#{count}", commit)
    served = champion(project.root, "handbook")
    assert served is not None
    assert (served.version, served.stage) == ("v0.0.1", "champion")


def test_champion_that_is_unassigned_gives_way_to_the_one_before(project: Versioned) -> None:
    first, second = add(project, "handbook@v0.0.1"), add(project, "handbook@v0.0.2")
    tag(project, "handbook#champion#1", first)
    tag(project, "handbook#champion#2", second)
    tag(project, "handbook#champion!#3", second)
    served = champion(project.root, "handbook")
    assert served is not None
    assert served.version == "v0.0.1"


@pytest.mark.parametrize("name", ["v0.0.1", "0.0.1", "handbook@v0.0.1"])
def test_version_is_found_by_any_spelling_of_its_name(project: Versioned, name: str) -> None:
    add(project, "handbook@v0.0.1")
    assert find_version(project.root, "handbook", name).version == "v0.0.1"


def test_unknown_version_is_refused_and_the_known_ones_are_named(project: Versioned) -> None:
    add(project, "handbook@v0.0.1")
    with pytest.raises(UnknownName, match=r"v0\.0\.7.*Known: v0\.0\.1\."):
        find_version(project.root, "handbook", "v0.0.7")


def test_file_of_a_version_is_read_from_its_commit(project: Versioned) -> None:
    project.write("params.yaml", "seed: 1\n")
    add(project, "handbook@v0.0.1")
    project.write("params.yaml", "seed: 2\n")
    (one,) = versions(project.root)
    assert read_text(project.root, one, "params.yaml") == "seed: 1\n"
    with pytest.raises(UnknownName, match=r"card\.md"):
        read_text(project.root, one, "card.md")


def test_project_without_git_is_refused_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(NotVersioned, match="git init"):
        versions(tmp_path)


def test_reading_versions_loads_nothing_heavy() -> None:
    code = (
        "import sys, pipelines.registry\n"
        "print({'dvc', 'gto', 'torch', 'lancedb', 'numpy', 'fsspec'} & set(sys.modules))"
    )
    printed = subprocess.check_output([sys.executable, "-c", code], text=True)
    assert printed.strip() == "set()"

"""A project for each test that asks for one."""

from pathlib import Path

import pytest

from tests.project import Project


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = Project(tmp_path)
    (tmp_path / "docs").mkdir()
    made.configure()
    return made

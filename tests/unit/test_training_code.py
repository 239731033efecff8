"""Which sources stages run."""

from pathlib import Path

from pipelines.training.code import code_hash, own_sources

ROOT = Path(__file__).parents[2]


def write(project: Path, name: str) -> None:
    (project / "pipelines" / "training").mkdir(parents=True)
    (project / "pipelines" / "training" / "one.py").write_text("what = 1\n")
    (project / "pyproject.toml").write_text(f'[project]\nname = "{name}"\n')


def test_checkout_of_staleproof_runs_its_own_sources(tmp_path: Path) -> None:
    write(tmp_path, "staleproof")
    assert own_sources(tmp_path) == tmp_path
    assert own_sources(ROOT) == ROOT
    before = code_hash(tmp_path)
    (tmp_path / "pipelines" / "training" / "one.py").write_text("what = 2\n")
    assert code_hash(tmp_path) != before


def test_any_other_project_runs_the_installed_ones_whatever_its_folders_are_called(
    tmp_path: Path,
) -> None:
    assert own_sources(tmp_path) is None
    write(tmp_path, "wiki")
    assert own_sources(tmp_path) is None
    assert code_hash(tmp_path) == code_hash(ROOT)

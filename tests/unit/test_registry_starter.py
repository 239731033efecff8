"""What init writes so that a project can train models."""

from pathlib import Path

import yaml

from pipelines.registry.starter import project_files

ROOT = Path(__file__).parents[2]


def test_demo_has_the_files_that_init_writes() -> None:
    written = project_files("handbook-embedder")
    for path in ("dvc.yaml", ".dvc/config", ".dvc/.gitignore"):
        assert (ROOT / path).read_text("utf-8") == written[path]
    # The demo has a generator as well.
    assert (ROOT / "params.yaml").read_text("utf-8").startswith(written["params.yaml"])


def test_model_of_the_project_has_parameters() -> None:
    params = yaml.safe_load(project_files("wiki-embedder")["params.yaml"])
    assert list(params["models"]) == ["wiki-embedder"]

"""Writes what a new project needs to train models: stages, parameters, and DVC's own files."""

from importlib.resources import files

FILES = {
    "dvc.yaml": "dvc.yaml",
    "params.yaml": "params.yaml",
    ".dvc/config": "dvc-config",
    ".dvc/.gitignore": "dvc-gitignore",
    ".dvcignore": "dvcignore",
}
"""Path in the project -> name of its template."""
IGNORED = ("data/models/", "data/dvc-remote/")
"""Lines of .gitignore: weights that serve, and the default remote."""


def project_files(model: str) -> dict[str, str]:
    """The text of each file, by its path below the project's folder.

    Args:
        model: Name of the model that ``params.yaml`` begins with.
    """
    folder = files("pipelines.registry") / "project"
    texts = {path: folder.joinpath(name).read_text("utf-8") for path, name in FILES.items()}
    # Not a template of Python's: dvc.yaml has placeholders of its own.
    return texts | {"params.yaml": texts["params.yaml"].replace("${model}", model)}

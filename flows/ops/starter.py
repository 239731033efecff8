"""Writes the prefect.yaml that a new project starts with."""

from importlib.resources import files
from string import Template

FILE_NAME = "prefect.yaml"


def prefect_yaml(*, knowledge: str, config: str, pool: str = "staleproof") -> str:
    """The text of a ``prefect.yaml``.

    Args:
        knowledge: Name of the knowledge base.
        config: Name of the configuration file, in the same folder.
        pool: Name of the work pool.
    """
    text = files("flows.ops").joinpath(FILE_NAME).read_text("utf-8")
    return Template(text).substitute(knowledge=knowledge, config=config, pool=pool)

"""Where documents come from: one kind of source a file, all of them listed, read and dated alike."""

from collections.abc import Callable
from pathlib import Path

from pipelines.config import FilesSource, GitSource
from pipelines.records import Source
from pipelines.sources.files import Files
from pipelines.sources.git import Git
from pipelines.sources.globs import Globs, compile_globs

__all__ = ["KINDS", "Globs", "compile_globs", "open_source"]


def _files(settings: FilesSource, root: Path, cache: Path) -> Files:
    del cache
    folder = settings.resolved_path(root)
    return Files(settings.name, folder, settings.include, settings.exclude)


def _git(settings: GitSource, root: Path, cache: Path) -> Git:
    return Git(
        settings.name,
        settings.resolved_url(root),
        settings.ref,
        settings.subfolder,
        settings.include,
        settings.exclude,
        cache,
    )


KINDS: dict[str, Callable[..., Source]] = {"files": _files, "git": _git}
"""By the ``kind`` of a source's settings."""


def open_source(settings: FilesSource | GitSource, *, root: Path, cache: Path) -> Source:
    """Open a source; nothing is read yet.

    Args:
        settings: One source of the configuration.
        root: The folder of the configuration file; paths in it are relative to that.
        cache: A local folder for copies of remote sources, made when the first is needed.

    Raises:
        ConfigError: A glob, URL, ref or subfolder that cannot be meant.
    """
    return KINDS[settings.kind](settings, root, cache)

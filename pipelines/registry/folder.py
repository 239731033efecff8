"""Where the registry keeps what only this machine needs: its lock, and a folder for each run."""

import contextlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil

_ODD = re.compile(r"[^A-Za-z0-9._-]")


def registry_folder(root: Path) -> Path:
    """``.staleproof/registry`` of a project, made if need be; git does not see it."""
    folder = root / ".staleproof" / "registry"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    ignore = folder / ".gitignore"
    if not ignore.exists():
        ignore.write_text("*\n")
    return folder


def run_folders(root: Path) -> Path:
    """The folder with one folder for each run that is at work, or was killed."""
    return registry_folder(root) / "runs"


def run_folder(root: Path, run: str) -> Path:
    """Where one run keeps what is its own; it need not be there."""
    return run_folders(root) / _ODD.sub("-", run)


def checkpoint_folder(root: Path) -> Path:
    """The folder with one folder a model, for trainings that were ended to go on from."""
    return registry_folder(root) / "checkpoints"


@contextlib.contextmanager
def own_folder(beside: Path, name: str) -> Iterator[Path]:
    """An empty folder of this call, gone at the end; what killed processes left is removed first.

    Args:
        beside: The folder that it is made in.
        name: What the names of all such folders start with.
    """
    beside.mkdir(parents=True, exist_ok=True)
    for left in beside.glob(f"{name}.*.*"):
        pid = left.suffixes[-2][1:]
        if pid.isdigit() and not psutil.pid_exists(int(pid)):
            shutil.rmtree(left, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=f"{name}.{os.getpid()}.", dir=beside))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)

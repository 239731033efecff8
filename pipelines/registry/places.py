"""Where the data of a project lies: DVC's cache on this machine, and its remote."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines import quiet
from pipelines.errors import NotVersioned


@dataclass(frozen=True, slots=True)
class Places:
    """Both, with DVC's own layout of objects below them."""

    cache: Path
    filesystem: Any
    """Of the remote: one of DVC's, with ``info``, ``get_file``, ``open``, ``remove``."""
    remote: str
    """The path in it."""

    def in_cache(self, oid: str) -> Path:
        """Where the cache keeps an object."""
        return self.cache / "files" / "md5" / oid[:2] / oid[2:]

    def in_remote(self, oid: str) -> str:
        """Where the remote keeps it."""
        path: str = self.filesystem.join(self.remote, "files", "md5", oid[:2], oid[2:])
        return path


def find_places(root: Path) -> Places:
    """Where a project keeps its data.

    Raises:
        NotVersioned: It is no DVC project, or names no default remote.
    """
    config = _read(root)
    name = config["core"].get("remote")
    if not name or name not in config["remote"]:
        raise NotVersioned(
            f"{root} has no default DVC remote, so that the data of a version has no place.",
            hint="dvc remote add --default local FOLDER, and commit .dvc/config.",
        )
    from dvc.fs import get_cloud_fs

    kind, settings, path = get_cloud_fs(config, name=name)
    return Places(_cache(root, config), kind(**settings), str(path))


def remote_folder(root: Path) -> Path | None:
    """The folder that is the default remote; None where it is no folder of this machine.

    Raises:
        NotVersioned: It is no DVC project, or names no default remote.
    """
    places = find_places(root)
    return Path(places.remote) if places.filesystem.protocol == "local" else None


def write_local_config(root: Path, tree: Path, *, own_cache: bool = False) -> None:
    """Let a work tree use the project's own cache and remotes, wherever it lies.

    A work tree has a cache of its own otherwise, and relative addresses start from it. Settings that
    the project keeps out of git, its secrets among them, are taken over; the file is for its owner alone.

    Args:
        root: The project's folder.
        tree: The work tree's.
        own_cache: Leave it its own cache: then all data comes from the remote.
    """
    from dvc.config import Config

    config = _read(root)
    file = tree / ".dvc" / "config.local"
    file.touch(mode=0o600)
    with Config(dvc_dir=str(file.parent)).edit("local") as local:
        local["core"] |= {"analytics": False, "check_update": False, "autostage": True}
        if name := config["core"].get("remote"):
            local["core"]["remote"] = name
        cache = tree / ".dvc" / "cache" if own_cache else _cache(root, config)
        local["cache"] |= {"dir": str(cache)}
        for name, settings in config["remote"].items():
            # DVC would write its own kind of path as one that starts from the file.
            local["remote"][name] = {
                key: str(value) if isinstance(value, str) else value
                for key, value in settings.items()
            }


def _cache(root: Path, config: Any) -> Path:
    return Path(config["cache"].get("dir") or root / ".dvc" / "cache")


def _read(root: Path) -> Any:
    folder = root / ".dvc"
    if not folder.is_dir():
        raise NotVersioned(
            f"{root} is not a DVC project.", hint="Run dvc init in it, and commit what it wrote."
        )
    quiet.silence()
    from dvc.config import Config, ConfigError

    try:
        return Config(dvc_dir=str(folder))
    except ConfigError as error:
        raise NotVersioned(f"DVC cannot read its settings in {folder}: {error}.") from error

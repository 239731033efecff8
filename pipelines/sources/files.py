"""A folder as a source of documents."""

import contextlib
import errno
import logging
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path

from pipelines.errors import SourceUnavailable
from pipelines.records import Entry, Listing, SourceVersion
from pipelines.sources.globs import Globs, compile_globs, is_hidden, spell, unspell

logger = logging.getLogger(__name__)

RACY_SECONDS = 2
"""A file modified so shortly before it was listed may change again without a new token."""

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
# Not blocking: a pipe that took a file's place must not hold the run up.
_FILE = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC

Scandir = Callable[[int], AbstractContextManager[Iterator[os.DirEntry[str]]]]


@dataclass(frozen=True, slots=True)
class _Folder:
    """A folder still to be looked into."""

    shown: str
    """Path below the root as documents spell it, with a ``/`` at its end; empty for the root."""
    real: str
    """Path below the root without links in it, as the operating system spells it."""
    linked: bool = False
    """Whether it was reached through a link."""
    beside: frozenset[str] = frozenset()
    """The names that were listed together with it."""


@dataclass(frozen=True, slots=True)
class _Look:
    """What stays the same during one listing."""

    root: int
    """The open root folder."""
    real_root: str
    racy_ns: int
    """Files modified from here on are not trusted."""


class _CannotListError(Exception):
    """An error and where it happened, in words that name no path outside the root."""


@dataclass(frozen=True)
class Files:
    """Documents below a folder.

    Nothing outside the root is ever listed or read: links that lead out of it are skipped with a
    warning. A link inside it is followed once: below a linked folder no further link to a folder
    is, and none that leads back to where it stands, so that listings end.

    A token is mtime (nanoseconds), size and inode. A file is not trusted when it was modified
    less than ``RACY_SECONDS`` before ``now``, or later.
    """

    name: str
    root: Path
    include: tuple[str, ...]
    exclude: tuple[str, ...] = ()
    scandir: Scandir = os.scandir
    """How an open folder is listed; tests put failing ones here."""

    def __post_init__(self) -> None:
        """Refuse bad globs when the source is opened, not in the middle of a run."""
        _ = self._globs

    @cached_property
    def _globs(self) -> Globs:
        return compile_globs(self.include, self.exclude)

    def list(self, *, now: datetime) -> Listing:
        """List the folder. Never raises: any error is a listing broken off that says where."""
        racy_ns = int((now.timestamp() - RACY_SECONDS) * 1e9)
        entries: list[Entry] = []
        error = None
        try:
            with _opened(os.open(self.root, _FOLDER)) as root:
                look = _Look(root, os.path.realpath(self.root, strict=True), racy_ns)
                for entry in self._walk(look):
                    entries.append(entry)  # noqa: PERF402 (what was seen before an error stays)
        except _CannotListError as broken:
            error = f"Source {self.name}: {broken}."
        except OSError as broken:
            error = f"The folder of source {self.name} cannot be opened: {broken.strerror}."
        entries.sort(key=lambda entry: entry.path)
        return Listing(self.name, now, tuple(entries), complete=error is None, error=error)

    def read(self, entry: Entry, *, most: int | None = None) -> bytes:
        """The bytes of one document as they are now, ``most`` of them or all.

        Raises:
            SourceUnavailable: It vanished, cannot be read, or now leads out of the root.
        """
        uri = f"{self.name}/{entry.path}"
        try:
            with _opened(os.open(self.root, _FOLDER)) as root:
                real = _real(os.path.realpath(self.root, strict=True), unspell(entry.path))
                if real is None:
                    raise SourceUnavailable(f"{uri} now leads out of its source's folder.")
                with _opened(_open_beneath(root, real, _FILE)) as file:
                    if not stat.S_ISREG(os.fstat(file).st_mode):
                        raise SourceUnavailable(f"{uri} is not a file any more.")
                    with os.fdopen(file, "rb", closefd=False) as stream:
                        return stream.read(-1 if most is None else most)
        except FileNotFoundError as error:
            hint = "The next refresh lists its source again."
            raise SourceUnavailable(f"{uri} vanished after it was listed.", hint=hint) from error
        except OSError as error:
            raise SourceUnavailable(f"{uri} cannot be read: {error.strerror}.") from error

    def versions(self, entries: Sequence[Entry]) -> dict[str, SourceVersion]:
        """A file has no version but the time when it was modified, which its token holds."""
        found = {}
        for entry in entries:
            # A file system may claim a year that no calendar has.
            with contextlib.suppress(OverflowError):
                found[entry.path] = _version(entry.token)
        return found

    def _walk(self, look: _Look) -> Iterator[Entry]:
        waiting = [_Folder("", "")]
        while waiting:
            folder = waiting.pop()
            try:
                for found in self._look_into(look, folder):
                    if isinstance(found, Entry):
                        yield found
                    else:
                        waiting.append(found)
            except OSError as error:
                where = f"its folder {folder.shown}" if folder.shown else "its folder"
                raise _CannotListError(f"{where} cannot be listed: {error.strerror}") from error

    def _look_into(self, look: _Look, folder: _Folder) -> Iterator[Entry | _Folder]:
        try:
            opened = _open_beneath(look.root, folder.real, _FOLDER)
        except FileNotFoundError:
            parent, _, name = folder.real.rpartition("/")
            with _opened(_open_beneath(look.root, parent, _FOLDER)) as above:
                self._must_be_gone(above, name, folder.beside)
            return
        with _opened(opened):
            with self.scandir(opened) as listed:
                children = [child for child in listed if not is_hidden(child.name)]
            names = frozenset(child.name for child in children)
            for child in children:
                try:
                    found = self._consider(look, folder, child, names)
                except FileNotFoundError:
                    self._must_be_gone(opened, child.name, names)
                else:
                    if found is not None:
                        yield found

    def _must_be_gone(self, opened: int, name: str, listed_with: frozenset[str]) -> None:
        """Tell a deletion from a fault or a renaming, after which something is seen nowhere.

        Raises:
            FileNotFoundError: The folder still names it, or has new names.
        """
        with self.scandir(opened) as listed:
            names = {child.name for child in listed if not is_hidden(child.name)}
        if name in names or not names <= listed_with:
            raise FileNotFoundError(errno.ENOENT, "it changed while it was listed")

    def _consider(
        self, look: _Look, folder: _Folder, child: os.DirEntry[str], names: frozenset[str]
    ) -> Entry | _Folder | None:
        shown = folder.shown + spell(child.name)
        real = f"{folder.real}/{child.name}" if folder.real else child.name
        if child.is_symlink():
            return self._follow(look, folder, shown, real)
        if child.is_dir(follow_symlinks=False):
            below = _Folder(f"{shown}/", real, folder.linked, names)
            return None if self._globs.prunes(shown) else below
        if not self._globs.match(shown):
            return None
        return _entry(shown, child.stat(follow_symlinks=False), look.racy_ns)

    def _follow(
        self, look: _Look, folder: _Folder, shown: str, link: str
    ) -> Entry | _Folder | None:
        """What a link leads to, if that is inside the root and no way back."""
        real = _real(look.real_root, link)
        if real is None:
            logger.warning("%s/%s leads out of its source's folder; skipped", self.name, shown)
            return None
        try:
            status = _stat_beneath(look.root, real)
        except (FileNotFoundError, NotADirectoryError):
            if real == link or real != _real(look.real_root, link):
                raise FileNotFoundError(errno.ENOENT, "it changed while it was listed") from None
            return None  # It leads nowhere, now as before.
        if not stat.S_ISDIR(status.st_mode):
            return _entry(shown, status, look.racy_ns) if self._globs.match(shown) else None
        if folder.linked or f"{folder.real}/".startswith(f"{real}/" if real else ""):
            logger.warning("%s/%s is a link that is not followed again", self.name, shown)
            return None
        return None if self._globs.prunes(shown) else _Folder(f"{shown}/", real, linked=True)


def _entry(path: str, status: os.stat_result, racy_ns: int) -> Entry | None:
    if not stat.S_ISREG(status.st_mode):
        return None
    token = f"{status.st_mtime_ns}-{status.st_size}-{status.st_ino}"
    return Entry(path, token, trusted=status.st_mtime_ns < racy_ns, size=status.st_size)


def _version(token: str) -> SourceVersion:
    modified_ns = int(token.rsplit("-", 2)[0])
    at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=modified_ns // 1000)
    return SourceVersion(at.isoformat(), at)


def _real(real_root: str, path: str) -> str | None:
    """The path below the root without links in it; None where it leads out."""
    real = os.path.realpath(Path(real_root, path))
    if real == real_root:
        return ""
    return os.path.relpath(real, real_root) if Path(real).is_relative_to(real_root) else None


def _stat_beneath(root: int, path: str) -> os.stat_result:
    parent, _, name = path.rpartition("/")
    with _opened(_open_beneath(root, parent, _FOLDER)) as above:
        return os.stat(name or ".", dir_fd=above, follow_symlinks=False)


def _open_beneath(root: int, path: str, flags: int) -> int:
    """Open what has no link on its path, step by step: nothing swapped meanwhile leads out."""
    opened = os.open(".", _FOLDER, dir_fd=root)
    *folders, last = path.split("/")
    for name, how in [*((folder, _FOLDER) for folder in folders), (last or ".", flags)]:
        above = opened
        try:
            opened = os.open(name, how | os.O_NOFOLLOW, dir_fd=above)
        finally:
            os.close(above)
    return opened


@contextlib.contextmanager
def _opened(descriptor: int) -> Iterator[int]:
    try:
        yield descriptor
    finally:
        os.close(descriptor)

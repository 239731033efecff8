"""A git repository (local path, URL or bundle) as a source of documents."""

import contextlib
import hashlib
import re
import shutil
import subprocess
import weakref
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

import filelock

from pipelines.errors import ConfigError, ListingBrokenOff, SourceUnavailable
from pipelines.records import Entry, Listing, SourceVersion
from pipelines.sources.git_program import (
    GitFailedError,
    Memory,
    end,
    read_blob,
    remove_stale_locks,
    start,
    started,
    text_of,
    words_of,
)
from pipelines.sources.globs import Globs, compile_globs, is_hidden, spell

NETWORK_SECONDS = 600.0
"""How long one call of git may take before it counts as hung."""

_OWN_HEAD = "refs/staleproof/HEAD"
_UPLOAD_PACK = "--upload-pack=git -c safe.directory=* upload-pack"
_FETCH = (
    *("--quiet", "--prune", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules"),
    # A checkout of a build server often has only the newest commits.
    "--update-shallow",
)
_REFSPECS = ("+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*")
_LOG = [
    *("log", "--format=%x01%H %ct", "--name-status", "-z", "--first-parent", "-m", "--no-renames"),
    # What a user's own settings might add to it.
    *("--no-ext-diff", "--no-show-signature", "--no-notes", "--no-color"),
]
_LAST_SECOND = 253402300799  # of the year 9999
_EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
_LINE = re.compile(rb"([0-7]{6}) (\w+) ([0-9a-f]{40,64})\t(.+)", re.DOTALL)
_COMMIT = re.compile(rb"\x01([0-9a-f]{40,64}) (\d+)")
_ID = re.compile(r"[0-9a-f]{40,64}")


@dataclass(frozen=True)
class Git:
    """Documents at one commit of a repository, read from a bare copy of it.

    The copy holds all branches and tags, lies below ``cache`` and is shared by all sources with
    the same URL. It is only a cache: a damaged one is made again, a deleted one costs a fetch.
    Tokens are blob ids. Hidden names, links and submodules are no documents.
    """

    name: str
    url: str
    ref: str
    subfolder: str
    include: tuple[str, ...]
    exclude: tuple[str, ...]
    cache: Path
    timeout_seconds: float = NETWORK_SECONDS
    _memory: Memory = field(default_factory=Memory, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Refuse what git would misunderstand, before any of it reaches git."""
        _ = self._globs
        for key, value in (("url", self.url), ("ref", self.ref), ("subfolder", self.subfolder)):
            if value.startswith("-") or not value.isprintable():
                raise ConfigError(f"Source {self.name}: {key} starts with '-' or is unprintable.")
        if not self.url or re.match(r"[\w+.-]+::", self.url):
            raise ConfigError(f"Source {self.name}: url is no path and no URL that git knows.")
        if not self.ref or re.search(r"[\s~^:?*\[\\]|\.\.|@\{", self.ref):
            raise ConfigError(f"Source {self.name}: ref {self.ref!r} is no branch, tag or commit.")
        if self._below and not {"", ".", ".."}.isdisjoint(self._below.split("/")):
            raise ConfigError(f"Source {self.name}: subfolder has '//', '.' or '..' in it.")
        weakref.finalize(self, self._memory.close)

    @cached_property
    def _globs(self) -> Globs:
        return compile_globs(self.include, self.exclude)

    @property
    def _below(self) -> str:
        return self.subfolder.strip("/")

    @cached_property
    def _bare(self) -> Path:
        return self.cache / hashlib.sha256(self.url.encode()).hexdigest()[:16]

    @property
    def _suspect(self) -> Path:
        """Exists when reading from the local copy failed, until somebody looked after it."""
        return self._bare / "suspect"

    def list(self, *, now: datetime) -> Listing:
        """Fetch, and list the ref as it is now.

        Never raises: an unreachable repository, a ref or subfolder that is not there (any more),
        and any failure of git are a listing broken off that says so, without secrets or paths.
        """
        self._memory.close()
        try:
            self.cache.mkdir(parents=True, exist_ok=True)
            with filelock.FileLock(f"{self._bare}.lock", timeout=self.timeout_seconds):
                commit, entries = self._look_mended()
        except filelock.Timeout:
            error = "somebody else has been fetching it for too long"
        except ListingBrokenOff as broken:
            error = self._without_secrets(broken.message)
        except OSError as broken:
            error = f"its local copy cannot be written: {broken.strerror}"
        else:
            self._memory.commit = commit
            return Listing(self.name, now, entries, complete=True, version=commit)
        return Listing(self.name, now, (), complete=False, error=f"Source {self.name}: {error}.")

    def read(self, entry: Entry, *, most: int | None = None) -> bytes:
        """The bytes of one document, exactly as listed, ``most`` of them or all.

        Raises:
            SourceUnavailable: The local copy has lost them; the next listing mends it.
        """
        if not _ID.fullmatch(entry.token):
            raise ValueError(f"{entry.token!r} is no blob id")
        with self._memory.lock:
            try:
                if self._memory.blobs is None:
                    self._memory.blobs = start(self._bare, "cat-file", "--batch")
                return read_blob(self._memory.blobs, entry.token)[:most]
            except (OSError, GitFailedError) as error:
                if self._memory.blobs is not None:
                    end(self._memory.blobs)
                self._memory.blobs = None
                with contextlib.suppress(OSError):
                    self._suspect.touch()
                message = (
                    f"{self.name}/{entry.path} cannot be read from the copy of its repository."
                )
                hint = "The next refresh looks after the copy."
                raise SourceUnavailable(message, hint=hint) from error

    def versions(self, entries: Sequence[Entry]) -> dict[str, SourceVersion]:
        """For each path the commit of the ref's first-parent line that last changed it.

        That line is the history of the branch itself. Each listed path was brought in by one of
        its commits, at that commit's time, and is unchanged since; the commits of a merged branch
        may lie in any order and may have lost to the other side of the merge.

        Raises:
            SourceUnavailable: The history cannot be read to the end.
        """
        if self._memory.commit is None:
            raise ValueError("versions() tells of a listing: call list() first")
        wanted = {entry.path for entry in entries}
        found: dict[str, SourceVersion] = {}
        if not wanted:
            return found
        below = [self._below] if self._below else []
        cut = len(f"{self._below}/".encode()) if self._below else 0
        with started(self._bare, *_LOG, self._memory.commit, "--", *below) as process:
            for path, version in _touched(process, cut):
                if path in wanted:
                    wanted.remove(path)
                    found[path] = version
                    if not wanted:
                        return found
            if process.wait() != 0:
                raise SourceUnavailable(f"The history of source {self.name} cannot be read.")
        return found

    def _look_mended(self) -> tuple[str, tuple[Entry, ...]]:
        if self._suspect.exists():
            if not self._is_sound("--full"):
                self._rebuild()
            self._suspect.unlink(missing_ok=True)
        try:
            return self._look()
        except GitFailedError:
            if self._is_sound("--connectivity-only"):
                raise
        self._rebuild()
        return self._look()

    def _look(self) -> tuple[str, tuple[Entry, ...]]:
        commit = self._commit(self._fetch(self._bare))
        return commit, self._entries(commit)

    def _is_sound(self, how: str) -> bool:
        try:
            self._git("fsck", "--no-dangling", "--no-progress", how)
        except GitFailedError:
            return False
        return True

    def _rebuild(self) -> None:
        """Fetch anew, and only then let go of the old copy."""
        fresh, old = self._bare.with_suffix(".new"), self._bare.with_suffix(".old")
        for left_behind in (fresh, old):
            shutil.rmtree(left_behind, ignore_errors=True)
        self._fetch(fresh)
        if self._bare.exists():
            self._bare.rename(old)
        fresh.rename(self._bare)
        shutil.rmtree(old, ignore_errors=True)

    def _fetch(self, bare: Path) -> str:
        """Bring the copy up to date; returns the ref that is meant, by its full name if known."""
        remove_stale_locks(bare)
        self._git("init", "--quiet", "--bare", "--template=", bare=bare)
        wanted = self._default_branch(bare) if self.ref == "HEAD" else self.ref
        refspecs = [*_REFSPECS, *([f"+HEAD:{_OWN_HEAD}"] if wanted == _OWN_HEAD else [])]
        self._git("fetch", *_FETCH, _UPLOAD_PACK, "--", self.url, *refspecs, bare=bare)
        return wanted

    def _default_branch(self, bare: Path) -> str:
        listed = self._git("ls-remote", _UPLOAD_PACK, "--", self.url, bare=bare)
        refs = [line.partition("\t")[2] for line in text_of(listed).splitlines()]
        if "HEAD" in refs:
            return _OWN_HEAD
        branches = [ref for ref in refs if ref.startswith("refs/heads/")]
        for usual in ("refs/heads/main", "refs/heads/master", *branches[: len(branches) == 1]):
            if usual in branches:
                return usual
        raise ListingBrokenOff(f"it names no default branch; {_there_are(refs)}")

    def _commit(self, wanted: str) -> str:
        refs = text_of(self._git("for-each-ref", "--format=%(refname)")).splitlines()
        names = (wanted, f"refs/heads/{wanted}", f"refs/tags/{wanted}")
        ref = next((name for name in names if name in refs), None)
        unknown = ListingBrokenOff(
            f"there is no branch, tag or commit {wanted}; {_there_are(refs)}"
        )
        if ref is None and not re.fullmatch(r"[0-9a-f]{4,64}", wanted):
            raise unknown
        try:
            return self._id("rev-parse", "--verify", "--quiet", f"{ref or wanted}^{{commit}}")
        except GitFailedError as error:
            if ref is None and error.code == 1:
                raise unknown from error
            raise

    def _tree(self, commit: str) -> str:
        if not self._below:
            return self._id("rev-parse", "--verify", "--quiet", f"{commit}^{{tree}}")
        found = _lines(self._git("ls-tree", "-z", commit, self._below))
        for _, kind, tree, _ in found:
            if kind == "tree":
                return tree
        what = "is not a folder" if found else "is not there"
        raise ListingBrokenOff(f"subfolder {self._below} {what} at {self.ref} ({commit[:12]})")

    def _entries(self, commit: str) -> tuple[Entry, ...]:
        tree = self._tree(commit)
        lines = _lines(self._git("ls-tree", "-r", "-z", tree))
        if not lines and tree != _EMPTY_TREE:
            raise GitFailedError("git ls-tree printed nothing of a tree that is not empty")
        found = {}
        for mode, kind, blob, path in lines:
            is_file = kind == "blob" and mode != "120000"
            if is_file and not is_hidden(path) and self._globs.match(path):
                found[path] = Entry(path, blob)
        return tuple(found[path] for path in sorted(found))

    def _id(self, *arguments: str) -> str:
        answer = text_of(self._git(*arguments)).strip()
        if not _ID.fullmatch(answer):
            raise GitFailedError(f"git {arguments[0]} printed no object id")
        return answer

    def _git(self, *arguments: str, bare: Path | None = None) -> bytes:
        """What git prints.

        Raises:
            GitFailedError: It failed, took too long, or cannot be started.
        """
        with started(bare or self._bare, *arguments, stderr=subprocess.PIPE) as process:
            try:
                printed, complaints = process.communicate(timeout=self.timeout_seconds)
            except subprocess.TimeoutExpired:
                message = f"git {arguments[0]} took over {self.timeout_seconds:.0f} seconds"
                raise GitFailedError(message) from None
        if process.returncode != 0:
            lines = [line for line in text_of(complaints).splitlines() if line.strip()]
            why = " ".join(line for line in lines if not line.startswith(("warning:", "hint:")))
            why = why[:400].rstrip(". ") or f"exit code {process.returncode}"
            raise GitFailedError(f"git {arguments[0]} failed: {why}", code=process.returncode)
        return printed

    def _without_secrets(self, text: str) -> str:
        """Cut user, password and query out of URLs, and paths of this machine down to names."""
        text = re.sub(r"://[^/\s]*@", "://***@", text)
        text = re.sub(r"(://[^\s?]*)\?[^\s']*", r"\1?***", text).replace(str(self.cache), "cache")
        if Path(self.url).is_absolute():
            for path in (str(Path(self.url).resolve()), self.url):
                text = text.replace(path, Path(path).name)
        return text


def _there_are(refs: Sequence[str]) -> str:
    names = sorted(
        ref.removeprefix(kind)
        for kind in ("refs/heads/", "refs/tags/")
        for ref in refs
        if ref.startswith(kind)
    )
    if not names:
        return "there is no branch at all"
    more = f" and {len(names) - 10} more" if len(names) > 10 else ""
    return f"there are {', '.join(names[:10])}{more}"


def _path(raw: bytes) -> str:
    return "/".join(map(spell, raw.decode("utf-8", "surrogateescape").split("/")))


def _lines(printed: bytes) -> list[tuple[str, str, str, str]]:
    """Mode, kind, id and path of what ``ls-tree -z`` printed.

    Raises:
        GitFailedError: It is cut off.
    """
    *lines, rest = printed.split(b"\0")
    matches = [_LINE.fullmatch(line) for line in lines]
    found = [match for match in matches if match]
    if rest or len(found) < len(lines):
        raise GitFailedError("git ls-tree printed only a part")
    return [
        (match[1].decode(), match[2].decode(), match[3].decode(), _path(match[4]))
        for match in found
    ]


def _touched(process: subprocess.Popen[bytes], cut: int) -> Iterator[tuple[str, SourceVersion]]:
    """Paths that commits touched, newest first; ``cut`` bytes of each name the subfolder."""
    words = words_of(process.stdout)
    version = None
    for word in words:
        commit = _COMMIT.fullmatch(word)
        if commit:
            at = datetime.fromtimestamp(min(int(commit[2]), _LAST_SECOND), UTC)
            version = SourceVersion(commit[1].decode(), at)
        elif version is not None:  # The word is a status; the path follows.
            yield _path(next(words, b"")[cut:]), version

"""What every source must do, checked for each kind, with an error at every point of a listing."""

import itertools
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pipelines.errors import SourceError, SourceUnavailable
from pipelines.records import Source
from pipelines.sources.files import Files
from pipelines.sources.git import Git

NOW = datetime(2030, 1, 1, tzinfo=UTC)
DOCUMENTS = {
    "a.md": b"# A\n",
    "a/b.md": b"same\n",
    "finance/prices 2024.md": b"12 EUR\r\n",
    "finance/deep/er/same.md": b"same\n",
    "hr/empty.md": b"",
    "hr/caf\u00e9.md": b"composed\n",
    "hr/cafe\u0301.md": b"decomposed\n",
    "hr/new\nline \\ tab\t.md": b"odd name\n",
    "hr/binary.md": bytes(range(256)) * 300,
}
NO_DOCUMENTS = {".hidden.md": b"x", ".git2/x.md": b"x", "a/pic.png": b"x", "drafts/d.md": b"x"}
INCLUDE, EXCLUDE = ("**/*.md",), ("drafts/**",)


@dataclass(frozen=True)
class World:
    """A source of one kind with ``DOCUMENTS``, and the ways to change and to break it."""

    opened: Callable[[], Source]
    write: Callable[[dict[str, bytes]], None]
    remove: Callable[[str], None]
    destroy: Callable[[], None]
    folder: str
    """A path of this machine that nobody should be told."""
    faults: Callable[[], Iterator[Source]]
    """Sources of which each has one fault, at every point of a listing in turn."""


# What every source must do.


def check_lists_the_documents(world: World) -> None:
    listing = world.opened().list(now=NOW)
    assert (listing.complete, listing.error, listing.started_at) == (True, None, NOW)
    paths = [entry.path for entry in listing.entries]
    assert paths == sorted(DOCUMENTS)


def check_listing_is_deterministic(world: World) -> None:
    source = world.opened()
    first = source.list(now=NOW)
    assert source.list(now=NOW) == first
    assert world.opened().list(now=NOW) == first


def check_reads_what_it_lists(world: World) -> None:
    source = world.opened()
    listing = source.list(now=NOW)
    assert {entry.path: source.read(entry) for entry in listing.entries} == DOCUMENTS
    last_first = reversed(listing.entries)
    assert {entry.path: source.read(entry) for entry in last_first} == DOCUMENTS


def check_token_changes_with_the_bytes(world: World) -> None:
    source = world.opened()
    before = {entry.path: entry for entry in source.list(now=NOW).entries}
    world.write({"a.md": b"# B\n"})  # as long as before
    after = {entry.path: entry for entry in source.list(now=NOW).entries}
    assert after["a.md"].token != before["a.md"].token or not after["a.md"].trusted
    assert source.read(after["a.md"]) == b"# B\n"
    assert {p: e for p, e in after.items() if p != "a.md"} == {
        p: e for p, e in before.items() if p != "a.md"
    }


def check_every_path_has_a_version(world: World) -> None:
    source = world.opened()
    listing = source.list(now=NOW)
    versions = source.versions(listing.entries)
    assert set(versions) == set(DOCUMENTS)
    for version in versions.values():
        assert version.id
        assert version.at.utcoffset() == timedelta(0)
    some = listing.entries[2:4]
    assert source.versions(some) == {entry.path: versions[entry.path] for entry in some}
    assert source.versions(()) == {}


def check_removed_document_is_gone_and_others_stay(world: World) -> None:
    world.remove("a/b.md")
    listing = world.opened().list(now=NOW)
    assert listing.complete
    assert {entry.path for entry in listing.entries} == set(DOCUMENTS) - {"a/b.md"}


def check_emptied_source_is_complete_and_empty(world: World) -> None:
    for path in DOCUMENTS:
        world.remove(path)
    listing = world.opened().list(now=NOW)
    assert (listing.complete, listing.entries) == (True, ())


def check_destroyed_source_is_broken_off(world: World) -> None:
    source = world.opened()
    source.list(now=NOW)
    world.destroy()
    for opened in (source, world.opened()):
        listing = opened.list(now=NOW)
        assert not listing.complete
        assert listing.error
        assert world.folder not in listing.error


def check_vanished_document_is_an_outage(world: World) -> None:
    source = world.opened()
    entry = source.list(now=NOW).entries[0]
    missing = replace(entry, path="gone.md", token="0" * 40)
    with pytest.raises(SourceUnavailable) as raised:
        source.read(missing)
    assert raised.value.retryable
    assert "gone.md" in str(raised.value)
    assert source.read(entry) == DOCUMENTS[entry.path]


def check_no_fault_looks_like_deletions(world: World) -> None:
    broken_off = 0
    for source in world.faults():
        try:
            listing = source.list(now=NOW)
        except SourceError:
            broken_off += 1
            continue
        paths = {entry.path for entry in listing.entries}
        assert paths <= set(DOCUMENTS)
        assert listing.complete == (listing.error is None)
        assert not listing.complete or paths == set(DOCUMENTS)
        broken_off += not listing.complete
    assert broken_off > 10


CHECKS = [check for name, check in sorted(globals().items()) if name.startswith("check_")]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("kind", ["files", "git"])
def test_source_keeps_the_contract(
    kind: str, check: Callable[[World], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = _files(tmp_path) if kind == "files" else _git(tmp_path, monkeypatch)
    world.write(NO_DOCUMENTS | DOCUMENTS)
    check(world)


# A folder.


def _write(root: Path, documents: dict[str, bytes]) -> None:
    for path, content in documents.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(content)


def _files(tmp_path: Path) -> World:
    root = tmp_path / "root"
    return World(
        opened=lambda: Files("s", root, INCLUDE, EXCLUDE),
        write=lambda documents: _write(root, documents),
        remove=lambda path: (root / path).unlink(),
        destroy=lambda: shutil.rmtree(root),
        folder=str(tmp_path),
        faults=lambda: _failing_folders(root),
    )


def _failing_folders(root: Path) -> Iterator[Source]:
    for error in (PermissionError(13, "Permission denied"), FileNotFoundError(2, "No such file")):
        for nth in itertools.count(1):
            scandir = FailingScandir(nth, error)
            yield Files("s", root, INCLUDE, EXCLUDE, scandir)
            if not scandir.failed:  # The listing just made was shorter than nth.
                break
            assert nth < 200


class FailingScandir:
    """Lists folders, and fails once, at the n-th question to the operating system."""

    def __init__(self, nth: int, error: OSError) -> None:
        self.left = nth
        self.error = error
        self.failed = False

    def ask(self) -> None:
        self.left -= 1
        if self.left == 0:
            self.failed = True
            raise self.error

    def __call__(self, folder: int) -> "FailingScandir.Opened":
        self.ask()
        return self.Opened(self, folder)

    class Opened:
        def __init__(self, parent: "FailingScandir", folder: int) -> None:
            self.parent = parent
            self.listed = os.scandir(folder)

        def __enter__(self) -> "Iterator[FailingEntry]":
            return (FailingEntry(self.parent, entry) for entry in self._each())

        def _each(self) -> Iterator[os.DirEntry[str]]:
            for entry in self.listed:
                self.parent.ask()
                yield entry
            self.parent.ask()

        def __exit__(self, *_: object) -> None:
            self.listed.close()


class FailingEntry:
    """An ``os.DirEntry`` that asks before it answers."""

    def __init__(self, parent: FailingScandir, entry: os.DirEntry[str]) -> None:
        self.parent = parent
        self.entry = entry
        self.name = entry.name

    def is_symlink(self) -> bool:
        self.parent.ask()
        return self.entry.is_symlink()

    def is_dir(self, *, follow_symlinks: bool = True) -> bool:
        self.parent.ask()
        return self.entry.is_dir(follow_symlinks=follow_symlinks)

    def stat(self, *, follow_symlinks: bool = True) -> os.stat_result:
        self.parent.ask()
        return self.entry.stat(follow_symlinks=follow_symlinks)


# A repository.


def _git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    repository, cache = tmp_path / "repository", tmp_path / "cache"
    for who in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{who}_NAME", "Test")
        monkeypatch.setenv(f"GIT_{who}_EMAIL", "test@example.com")
        monkeypatch.setenv(f"GIT_{who}_DATE", "2024-05-01T12:00:00+02:00")
    _run("init", "-q", "-b", "main", str(repository))

    def commit() -> None:
        _run("-C", str(repository), "add", "-A", "-f")
        _run("-C", str(repository), "commit", "-q", "-m", "change")

    def write(documents: dict[str, bytes]) -> None:
        _write(repository / "docs", documents)
        _write(repository, {"outside.md": b"not below the subfolder"})
        commit()

    def remove(path: str) -> None:
        (repository / "docs" / path).unlink()
        commit()

    def opened(cache: Path = cache) -> Git:
        return Git("s", str(repository), "HEAD", "docs", INCLUDE, EXCLUDE, cache)

    return World(
        opened=opened,
        write=write,
        remove=remove,
        destroy=lambda: shutil.rmtree(repository),
        folder=str(tmp_path),
        faults=lambda: _failing_gits(tmp_path, opened, monkeypatch),
    )


def _run(*arguments: str) -> None:
    subprocess.run(["git", "-c", "core.autocrlf=false", *arguments], check=True)


FAILING_GIT = """#!/bin/sh
count=$(($(cat {counter}) + 1)); echo $count > {counter}
[ $count = {nth} ] || exec {git} "$@"
: > {failed}
{how}
"""
HALF = '{git} "$@" > {out}; head -c $(($(wc -c < {out}) / 2)) {out}; exit '
WAYS_TO_FAIL = ("exit 128", "exit 0", HALF + "141", HALF + "0")


def _failing_gits(
    tmp_path: Path, opened: Callable[[Path], Source], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Source]:
    real = shutil.which("git")
    folder, cache = tmp_path / "bin", tmp_path / "faulty"
    folder.mkdir()
    names = {"git": real, "out": tmp_path / "out", "counter": tmp_path / "counter"}
    names["failed"] = tmp_path / "failed"
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    opened(tmp_path / "warm").list(now=NOW)
    cold = [(None, how) for how in WAYS_TO_FAIL]
    for before, how in [*cold, (tmp_path / "warm", HALF + "141")]:
        for nth in itertools.count(1):
            shutil.rmtree(cache, ignore_errors=True)
            if before:
                shutil.copytree(before, cache)
            names["counter"].write_text("0")
            names["failed"].unlink(missing_ok=True)
            script = FAILING_GIT.format(nth=nth, how=how.format(**names), **names)
            (folder / "git").write_text(script)
            (folder / "git").chmod(0o755)
            yield opened(cache)
            if not names["failed"].exists():
                break
            assert nth < 50

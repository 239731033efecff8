"""A repository as a source: refs, subfolders, history, and a local copy that gets damaged."""

import gc
import os
import shutil
import subprocess
import time
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import filelock
import pytest

from pipelines.config import GitSource
from pipelines.errors import ConfigError, SourceUnavailable
from pipelines.records import Entry, Listing
from pipelines.sources import open_source
from pipelines.sources.git import Git
from tests.machine import wait_until

NOW = datetime(2030, 1, 1, tzinfo=UTC)


class Repository:
    """A small repository; every commit is a day later than the one before."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.day = 0
        self.run("init", "-q", "-b", "main", str(folder))

    def run(self, *arguments: str) -> str:
        self.day += arguments[0] in {"commit", "merge"}
        names = {f"GIT_{who}_{what}": "t" for who in ("AUTHOR", "COMMITTER") for what in NAMES}
        days = {
            f"GIT_{who}_DATE": f"2024-01-{self.day:02}T00:00:00Z" for who in ("AUTHOR", "COMMITTER")
        }
        where = [] if arguments[0] == "init" else ["-C", str(self.folder)]
        done = subprocess.run(
            ["git", *where, *arguments],
            check=True,
            capture_output=True,
            text=True,
            env=os.environ | names | days,
        )
        return done.stdout.strip()

    def commit(self, documents: dict[str, str]) -> str:
        for path, text in documents.items():
            (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / path).write_text(text)
        self.run("add", "-A")
        self.run("commit", "-q", "--allow-empty", "-m", "m")
        return self.run("rev-parse", "HEAD")


NAMES = ("NAME", "EMAIL")


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    made = Repository(tmp_path / "repository")
    made.commit({"a.md": "one", "docs/b.md": "two"})
    return made


@pytest.fixture
def opened(tmp_path: Path, repository: Repository) -> Callable[..., Git]:
    def make(
        url: object = repository.folder, ref: str = "HEAD", subfolder: str = "", seconds: float = 60
    ) -> Git:
        globs = ("**/*.md",), ()
        return Git("s", str(url), ref, subfolder, *globs, tmp_path / "cache", seconds)

    return make


def paths(listing: Listing) -> list[str]:
    assert listing.complete, listing.error
    return [entry.path for entry in listing.entries]


def error(listing: Listing) -> str:
    assert (listing.complete, listing.entries) == (False, ())
    return str(listing.error)


def test_branch_tag_and_commit_are_listed(
    repository: Repository, opened: Callable[..., Git]
) -> None:
    first = repository.run("rev-parse", "HEAD")
    repository.run("tag", "-a", "v1", "-m", "annotated")
    repository.run("tag", "light")
    repository.run("checkout", "-q", "-b", "topic/new")
    second = repository.commit({"c.md": "three"})
    for ref in ("main", "refs/heads/main", "v1", "light", first, first[:8]):
        listing = opened(ref=ref).list(now=NOW)
        assert paths(listing) == ["a.md", "docs/b.md"]
        assert listing.version == first
    for ref in ("HEAD", "topic/new"):
        assert opened(ref=ref).list(now=NOW).version == second


def test_detached_head_is_followed(repository: Repository, opened: Callable[..., Git]) -> None:
    repository.run("checkout", "-q", "--detach")
    alone = repository.commit({"c.md": "three"})
    assert opened().list(now=NOW).version == alone
    repository.run("checkout", "-q", "main")
    assert paths(opened().list(now=NOW)) == ["a.md", "docs/b.md"]


def test_bare_repository_url_and_bundle_are_sources(
    tmp_path: Path, repository: Repository, opened: Callable[..., Git]
) -> None:
    repository.run("clone", "-q", "--bare", ".", str(tmp_path / "bare"))
    repository.run("bundle", "create", "-q", str(tmp_path / "with-head.bundle"), "HEAD", "main")
    repository.run("bundle", "create", "-q", str(tmp_path / "no-head.bundle"), "main")
    repository.run("clone", "-q", "--depth=1", f"file://{repository.folder}", str(tmp_path / "new"))
    urls = ("bare", "with-head.bundle", "no-head.bundle", "new")
    for url in (f"file://{repository.folder}", *(tmp_path / url for url in urls)):
        source = opened(url=url)
        listing = source.list(now=NOW)
        assert paths(listing) == ["a.md", "docs/b.md"]
        assert [source.read(entry) for entry in listing.entries] == [b"one", b"two"]


def test_local_url_is_relative_to_the_configuration_file(
    tmp_path: Path, repository: Repository
) -> None:
    settings = GitSource(name="s", url="repository", domain="hr", labels=("public",))
    source = open_source(settings, root=tmp_path, cache=tmp_path / "cache")
    assert paths(source.list(now=NOW)) == ["a.md", "docs/b.md"]


def test_fetch_follows_new_forced_and_replaced_branches(
    repository: Repository, opened: Callable[..., Git]
) -> None:
    source = opened(ref="main")
    first = source.list(now=NOW).version
    repository.run("branch", "x")
    repository.commit({"c.md": "three"})
    assert paths(source.list(now=NOW)) == ["a.md", "c.md", "docs/b.md"]
    repository.run("reset", "-q", "--hard", str(first))
    repository.run("branch", "-D", "x")
    repository.run("branch", "x/below")
    assert source.list(now=NOW).version == first
    assert opened(ref="x/below").list(now=NOW).version == first


def test_deleted_branch_is_broken_off_and_names_those_that_exist(
    repository: Repository, opened: Callable[..., Git]
) -> None:
    repository.run("branch", "gone")
    source = opened(ref="gone")
    assert source.list(now=NOW).complete
    repository.run("branch", "-D", "gone")
    assert "gone; there are main" in error(source.list(now=NOW))
    assert "abcdef12" in error(opened(ref="abcdef12").list(now=NOW))


def test_repository_without_commits_is_broken_off(
    tmp_path: Path, opened: Callable[..., Git]
) -> None:
    Repository(tmp_path / "empty")
    assert "no branch" in error(opened(url=tmp_path / "empty").list(now=NOW))


def test_unclear_default_branch_is_broken_off(
    tmp_path: Path, repository: Repository, opened: Callable[..., Git]
) -> None:
    for name in ("x", "y"):
        repository.run("branch", name)
    repository.run("bundle", "create", "-q", str(tmp_path / "two.bundle"), "x", "y")
    assert "there are x, y" in error(opened(url=tmp_path / "two.bundle").list(now=NOW))


def test_empty_commit_is_a_complete_listing(
    repository: Repository, opened: Callable[..., Git]
) -> None:
    repository.run("rm", "-q", "-r", ".")
    repository.commit({})
    assert paths(opened().list(now=NOW)) == []


def test_subfolder_is_the_root_of_paths(repository: Repository, opened: Callable[..., Git]) -> None:
    repository.commit({"docs/x/c.md": "three", "docs2/d.md": "four"})
    for subfolder in ("docs", "docs/"):
        source = opened(subfolder=subfolder)
        listing = source.list(now=NOW)
        assert paths(listing) == ["b.md", "x/c.md"]
        assert {p: v.at.day for p, v in source.versions(listing.entries).items()} == {
            "b.md": 1,
            "x/c.md": 2,
        }
    assert paths(opened(subfolder="docs/x").list(now=NOW)) == ["c.md"]


@pytest.mark.parametrize("subfolder", ["absent", "docs/absent", "a.md", "link"])
def test_absent_subfolder_is_broken_off(
    repository: Repository, opened: Callable[..., Git], subfolder: str
) -> None:
    (repository.folder / "link").symlink_to("docs")
    repository.commit({})
    assert subfolder in error(opened(subfolder=subfolder).list(now=NOW))


def test_links_submodules_and_hidden_names_are_no_documents(
    repository: Repository, opened: Callable[..., Git]
) -> None:
    (repository.folder / "link.md").symlink_to("a.md")
    commit = repository.commit({".hidden.md": "x", "docs/.x/c.md": "x"})
    repository.run("update-index", "--add", "--cacheinfo", f"160000,{commit},module.md")
    repository.run("commit", "-q", "-m", "m")
    assert paths(opened().list(now=NOW)) == ["a.md", "docs/b.md"]


def test_name_that_is_not_utf8_is_listed_read_and_dated(
    repository: Repository, opened: Callable[..., Git]
) -> None:
    repository.commit({os.fsdecode(b"docs/caf\xe9\n.md"): "latin"})
    source = opened(subfolder="docs")
    entry = source.list(now=NOW).entries[1]
    assert entry.path == "caf\\xe9\n.md"
    assert source.read(entry) == b"latin"
    assert source.versions([entry])[entry.path].at.day == 2


@pytest.mark.parametrize(
    "bad",
    [
        *({"url": url} for url in ("", "-u", "--upload-pack=x", "ext::sh -c x", "a\nb", "x::y")),
        *({"ref": ref} for ref in ("", "-x", "main~1", "main:a", "a..b", "main@{1}", "a b", ":/x")),
        *({"subfolder": folder} for folder in ("-x", "../x", "a//b", "./a")),
    ],
)
def test_what_git_would_misunderstand_is_refused_at_opening(
    opened: Callable[..., Git], bad: dict[str, str]
) -> None:
    with pytest.raises(ConfigError):
        opened(**bad)


def test_version_is_the_commit_that_brought_the_content_to_the_branch(
    repository: Repository, opened: Callable[..., Git]
) -> None:
    repository.run("checkout", "-q", "-b", "side")
    repository.commit({"side.md": "x", "a.md": "side"})
    repository.run("checkout", "-q", "main")
    mine = repository.commit({"main.md": "y", "a.md": "main"})
    repository.run("merge", "-q", "--no-ff", "-s", "ours", "side")
    repository.run("checkout", "side", "--", "side.md")
    repository.run("commit", "-q", "--amend", "-m", "merged")
    merge = repository.run("rev-parse", "HEAD")
    repository.run("mv", "docs/b.md", "docs/renamed.md")
    renamed = repository.commit({})
    source = opened()
    versions = source.versions(source.list(now=NOW).entries)
    assert {path: version.id for path, version in versions.items()} == {
        "a.md": mine,
        "main.md": mine,
        "side.md": merge,
        "docs/renamed.md": renamed,
    }
    assert versions["a.md"].at == datetime(2024, 1, 3, tzinfo=UTC)


def test_users_own_git_settings_do_not_change_what_is_found(
    tmp_path: Path,
    repository: Repository,
    opened: Callable[..., Git],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = tmp_path / "gitconfig"
    settings.write_text(
        "[log]\nshowRoot=false\nfollow=true\nshowSignature=true\ndiffMerges=off\n[diff]\nrenames=copies\n"
        "[color]\nui=always\n[core]\nquotePath=true\n[safe]\nbareRepository=explicit\n[fetch]\nprune=false\n"
    )
    repository.commit({"c.md": "one"})
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(settings))
    for name in ("GIT_DIR", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY"):
        monkeypatch.setenv(name, str(tmp_path / "elsewhere"))
    source = opened()
    listing = source.list(now=NOW)
    assert paths(listing) == ["a.md", "c.md", "docs/b.md"]
    assert set(source.versions(listing.entries)) == set(paths(listing))
    assert not (tmp_path / "elsewhere").exists()
    source = opened(subfolder="docs")
    assert set(source.versions(source.list(now=NOW).entries)) == {"b.md"}


def test_listing_stays_at_its_commit_while_others_fetch(
    repository: Repository, opened: Callable[..., Git]
) -> None:
    source = opened()
    listing = source.list(now=NOW)
    repository.commit({"a.md": "changed"})
    repository.run("commit", "-q", "--amend", "--allow-empty", "-m", "forced")
    opened().list(now=NOW)
    assert source.read(listing.entries[0]) == b"one"
    assert source.versions(listing.entries)["a.md"].id == listing.version


def test_one_process_reads_for_all_threads_and_ends_with_the_source(
    repository: Repository, opened: Callable[..., Git]
) -> None:
    documents = {f"{number:03}.md": str(number) * number for number in range(100)}
    repository.commit(documents)
    source = opened()
    entries = [entry for entry in source.list(now=NOW).entries if entry.path in documents]
    with ThreadPoolExecutor(4) as threads:
        texts = list(threads.map(source.read, entries))
    assert [text.decode() for text in texts] == list(documents.values())
    process = source._memory.blobs
    assert process is not None
    assert process.poll() is None
    source.read(entries[0])
    assert source._memory.blobs is process
    ended = weakref.ref(source)
    del source, threads
    gc.collect()
    assert ended() is None
    assert process.returncode is not None


def test_read_goes_on_after_its_process_was_killed(opened: Callable[..., Git]) -> None:
    source = opened()
    entry = source.list(now=NOW).entries[0]
    source.read(entry)
    process = source._memory.blobs
    assert process is not None
    process.kill()
    process.wait()
    with pytest.raises(SourceUnavailable):
        source.read(entry)
    assert source.read(entry) == b"one"


def test_token_that_is_no_blob_id_is_refused(opened: Callable[..., Git]) -> None:
    source = opened()
    source.list(now=NOW)
    with pytest.raises(ValueError, match="blob"):
        source.read(Entry("a.md", "HEAD\nHEAD"))


def test_versions_need_a_listing(opened: Callable[..., Git]) -> None:
    with pytest.raises(ValueError, match="list"):
        opened().versions([Entry("a.md", "0" * 40)])


def test_unreadable_history_is_an_outage(opened: Callable[..., Git]) -> None:
    source = opened()
    listing = source.list(now=NOW)
    shutil.rmtree(source._bare)
    with pytest.raises(SourceUnavailable):
        source.versions(listing.entries)
    assert source.list(now=NOW) == listing


def everything_but_objects(bare: Path) -> None:
    for name in ("HEAD", "config"):
        (bare / name).unlink()
    shutil.rmtree(bare / "refs")


def empty_objects(bare: Path) -> None:
    for path in (bare / "objects").rglob("*"):
        if path.is_file():
            path.chmod(0o644)
            path.write_bytes(b"")


def no_objects(bare: Path) -> None:
    shutil.rmtree(bare / "objects")


def bad_config(bare: Path) -> None:
    (bare / "config").write_text("[broken")


@pytest.mark.parametrize("damage", [everything_but_objects, empty_objects, no_objects, bad_config])
def test_damaged_copy_is_made_again(
    tmp_path: Path, opened: Callable[..., Git], damage: Callable[[Path], None]
) -> None:
    source = opened()
    listing = source.list(now=NOW)
    damage(source._bare)
    assert source.list(now=NOW) == listing
    assert [source.read(entry) for entry in listing.entries] == [b"one", b"two"]
    assert sorted(path.name for path in (tmp_path / "cache").iterdir()) == [
        source._bare.name,
        f"{source._bare.name}.lock",
    ]


def test_document_lost_from_the_copy_is_there_again_after_the_next_listing(
    opened: Callable[..., Git],
) -> None:
    source = opened()
    listing = source.list(now=NOW)
    blob = listing.entries[0].token
    for path in (source._bare / "objects").rglob(blob[2:]):
        path.unlink()
    for pack in list((source._bare / "objects").rglob("*.pack")):
        pack.unlink()
    with pytest.raises(SourceUnavailable):
        source.read(listing.entries[0])
    assert source.list(now=NOW) == listing
    assert source.read(listing.entries[0]) == b"one"
    assert not source._suspect.exists()


def test_damaged_copy_is_kept_while_the_repository_is_out_of_reach(
    repository: Repository, opened: Callable[..., Git]
) -> None:
    source = opened()
    source.list(now=NOW)
    (source._bare / "HEAD").unlink()
    no_objects(source._bare)
    repository.folder.rename(repository.folder.with_name("away"))
    assert "failed" in error(source.list(now=NOW))
    assert source._bare.exists()


def test_lock_files_of_a_killed_git_are_taken_away_when_they_are_old(
    repository: Repository, opened: Callable[..., Git]
) -> None:
    source = opened(ref="main")
    source.list(now=NOW)
    lock = source._bare / "refs" / "heads" / "main.lock"
    lock.touch()
    repository.commit({"c.md": "three"})
    assert "lock" in error(source.list(now=NOW))
    os.utime(lock, (time.time() - 700, time.time() - 700))
    assert paths(source.list(now=NOW)) == ["a.md", "c.md", "docs/b.md"]


def test_fetches_of_one_copy_wait_for_each_other(opened: Callable[..., Git]) -> None:
    opened().list(now=NOW)
    source = opened(seconds=0.2)
    with filelock.FileLock(f"{source._bare}.lock"):
        assert "somebody else" in error(source.list(now=NOW))
    with ThreadPoolExecutor(3) as threads:
        listings = list(threads.map(lambda _: opened().list(now=NOW), range(3)))
    assert all(listing.complete for listing in listings)


def test_hung_git_is_ended_with_its_children(
    tmp_path: Path, opened: Callable[..., Git], monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = tmp_path / "bin" / "git"
    fake.parent.mkdir()
    fake.write_text(f"#!/bin/sh\nsleep 600 & echo $! >> {tmp_path}/pids; wait\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{fake.parent}:{os.environ['PATH']}")
    started = time.monotonic()
    assert "took over" in error(opened(seconds=0.3).list(now=NOW))
    assert time.monotonic() - started < 300  # it did not wait for the child

    def is_gone(pid: str) -> bool:
        state = Path(f"/proc/{pid}/stat")
        return not state.exists() or state.read_text().split()[2] == "Z"

    pids = (tmp_path / "pids").read_text().split()
    wait_until(lambda: all(is_gone(pid) for pid in pids))


def test_missing_git_program_is_told(
    tmp_path: Path, opened: Callable[..., Git], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "cannot be started" in error(opened().list(now=NOW))


def test_unreachable_url_is_broken_off(opened: Callable[..., Git]) -> None:
    assert "127.0.0.1" in error(opened(url="http://127.0.0.1:1/x.git").list(now=NOW))


@pytest.mark.parametrize(
    "url", ["https://me:hush@host/x.git?token=hush", "ssh://hush@host/x", "{tmp_path}/hush/x"]
)
def test_error_tells_no_secret_and_no_path_of_the_machine(
    tmp_path: Path, opened: Callable[..., Git], monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    fake = tmp_path / "bin" / "git"
    fake.parent.mkdir()
    fake.write_text('#!/bin/sh\necho "fatal: unable to access $*" >&2; exit 128\n')
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{fake.parent}:{os.environ['PATH']}")
    source = opened(url=url.format(tmp_path=tmp_path))
    told = source._without_secrets(f"unable to access '{source.url}' in {source._bare}")
    assert "unable to access '" in told
    for text in (told, error(source.list(now=NOW))):
        assert "hush" not in text
        assert str(tmp_path) not in text


def test_no_hook_runs(
    tmp_path: Path, opened: Callable[..., Git], monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in (tmp_path / "repository" / ".git" / "hooks", tmp_path / "template" / "hooks"):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "reference-transaction").write_text(f"#!/bin/sh\necho ran >> {tmp_path}/ran\n")
        (folder / "reference-transaction").chmod(0o755)
    monkeypatch.setenv("GIT_TEMPLATE_DIR", str(tmp_path / "template"))
    (tmp_path / "gitconfig").write_text(f"[core]\nhooksPath={tmp_path}/template/hooks\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    assert opened().list(now=NOW).complete
    assert not (tmp_path / "ran").exists()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give files away")
def test_repository_of_another_user_is_listed(
    repository: Repository, opened: Callable[..., Git]
) -> None:
    for path in (repository.folder, *repository.folder.rglob("*")):
        os.chown(path, 12345, 12345)
    assert paths(opened().list(now=NOW)) == ["a.md", "docs/b.md"]

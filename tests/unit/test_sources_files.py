"""A folder as a source: globs, links, odd names, and files that change while they are listed."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipelines.config import FilesSource
from pipelines.errors import ConfigError, SourceUnavailable
from pipelines.records import Entry
from pipelines.sources import open_source
from pipelines.sources.files import Files, Scandir
from pipelines.sources.globs import compile_globs, spell, unspell

NOW = datetime(2030, 1, 1, tzinfo=UTC)


def write(path: Path, content: str = "text") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


def listed(root: Path, scandir: Scandir = os.scandir) -> list[str]:
    listing = Files("s", root, ("**/*.md",), (), scandir).list(now=NOW)
    assert listing.complete, listing.error
    return [entry.path for entry in listing.entries]


@pytest.mark.parametrize(
    ("glob", "yes", "no"),
    [
        ("**/*.md", ["a.md", "x/a.md", "x/y/a.md", "n\n.md"], ["a.mdx", "a.md/b", "a.MD"]),
        ("*.md", ["a.md"], ["x/a.md"]),
        ("hr/**", ["hr/a", "hr/x/a"], ["hr", "hrx/a", "x/hr/a"]),
        ("**/hr/**", ["hr/a", "x/hr/y/a"], ["hr", "x/hr"]),
        ("hr/**/a.md", ["hr/a.md", "hr/x/y/a.md"], ["hra.md", "hr/xa.md"]),
        ("**/**/a", ["a", "x/a", "x/y/a"], ["xa"]),
        ("**", ["a", "x/a"], []),
        ("a**b", ["ab", "axxb"], ["a/b"]),
        ("?.md", ["a.md", "\u00e9.md"], ["ab.md", "/.md"]),
        ("[ab].md", ["a.md", "b.md"], ["c.md", "[ab].md"]),
        ("[!ab].md", ["c.md"], ["a.md", "/.md"]),
        ("[a-c]x", ["bx"], ["dx", "-x"]),
        ("[]x]", ["]", "x"], ["[]x]"]),
        ("a+(b).$x|y", ["a+(b).$x|y"], ["aa(b).$x", "y"]),
        ("[x", ["[x"], ["x"]),
    ],
)
def test_glob_matches_the_whole_path(glob: str, yes: list[str], no: list[str]) -> None:
    globs = compile_globs((glob,), ())
    assert [path for path in yes + no if globs.match(path)] == yes


def test_exclude_beats_include() -> None:
    globs = compile_globs(("**/*.md", "*.txt"), ("drafts/**", "**/README.md"))
    paths = ["a.md", "a.txt", "x/a.txt", "drafts/a.md", "x/drafts/a.md", "README.md", "x/README.md"]
    assert [path for path in paths if globs.match(path)] == ["a.md", "a.txt", "x/drafts/a.md"]


@pytest.mark.parametrize(
    "glob", ["", "drafts/", "/abs/*.md", "a//b", "./a.md", "../a", "!a.md", "*.{md,txt}", "[z-a]"]
)
def test_glob_that_can_never_match_is_refused_at_opening(glob: str) -> None:
    for include, exclude in (((glob,), ()), (("**/*.md",), (glob,))):
        with pytest.raises(ConfigError):
            Files("s", Path("nowhere"), include, exclude)


def test_no_include_is_refused() -> None:
    with pytest.raises(ConfigError):
        Files("s", Path("nowhere"), ())


@pytest.mark.parametrize(
    "raw",
    [
        *(b"plain.md", b"100%.md", b"back\\slash", "\u00e9".encode(), b"\xff.md", b"\\xff.md"),
        *(b"\\x5cxff", b"\\x5cx5cxff", b"\\\xff\\x5c", b"\xed\xa0\x80", b"caf\xe9 \\n"),
    ],
)
def test_every_name_has_a_spelling_of_its_own_that_leads_back(raw: bytes) -> None:
    name = raw.decode("utf-8", "surrogateescape")
    spelled = spell(name)
    assert spelled.encode().decode() == spelled
    assert unspell(f"x/{spelled}/y") == f"x/{name}/y"


def test_ordinary_names_are_spelled_as_they_are() -> None:
    for name in ("caf\u00e9.md", "cafe\u0301.md", "100%25.md", "a\\b.md", "\\x41.md"):
        assert spell(name) == name


def test_name_that_is_not_utf8_is_listed_and_read(tmp_path: Path) -> None:
    for raw, content in ((b"caf\xe9.md", b"latin"), (b"caf\\xe9.md", b"backslash")):
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + raw)).write_bytes(content)
    source = Files("s", tmp_path, ("**/*.md",))
    listing = source.list(now=NOW)
    assert listing.complete
    assert {entry.path: source.read(entry) for entry in listing.entries} == {
        "caf\\xe9.md": b"latin",
        "caf\\x5cxe9.md": b"backslash",
    }


def test_open_source_takes_paths_from_the_configuration_file(tmp_path: Path) -> None:
    write(tmp_path / "docs" / "a.txt")
    settings = FilesSource(
        name="s", path="docs", include=("*.txt",), domain="hr", labels=("public",)
    )
    source = open_source(settings, root=tmp_path, cache=tmp_path / "cache")
    assert [entry.path for entry in source.list(now=NOW).entries] == ["a.txt"]
    assert not (tmp_path / "cache").exists()


def test_hidden_names_and_special_files_are_no_documents(tmp_path: Path) -> None:
    for path in ("a.md", ".hidden.md", ".git/a.md", "x/.y/a.md"):
        write(tmp_path / path)
    os.mkfifo(tmp_path / "pipe.md")
    (tmp_path / "folder.md").mkdir()
    assert listed(tmp_path) == ["a.md"]


def test_links_out_of_the_root_are_skipped_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    root = tmp_path / "root"
    write(root / "a.md")
    secret = write(tmp_path / "root-secrets" / "s.md")
    (root / "file.md").symlink_to(secret)
    (root / "folder").symlink_to(secret.parent)
    (root / "up.md").symlink_to("../root-secrets/s.md")
    (root / "hop").symlink_to("a")
    (root / "a").symlink_to(secret.parent)
    (root / "nowhere.md").symlink_to(tmp_path / "absent" / "x.md")
    assert listed(root) == ["a.md"]
    assert len([r for r in caplog.records if r.levelname == "WARNING"]) == 6
    assert str(tmp_path) not in caplog.text


def test_links_inside_the_root_are_followed_once(tmp_path: Path) -> None:
    write(tmp_path / "..data" / "k.md")
    write(tmp_path / "real" / "b.md")
    write(tmp_path / "other" / "c.md")
    (tmp_path / "a.md").symlink_to("real/b.md")
    (tmp_path / "k.md").symlink_to("..data/k.md")
    (tmp_path / "dangling.md").symlink_to("real/none.md")
    (tmp_path / "through.md").symlink_to("real/b.md/x.md")
    (tmp_path / "self.md").symlink_to("self.md")
    (tmp_path / "below-self.md").symlink_to("self.md/x.md")
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "real" / "up").symlink_to("..")
    (tmp_path / "real" / "again").symlink_to("../real")
    (tmp_path / "real" / "to-other").symlink_to("../other")
    (tmp_path / "other" / "to-real").symlink_to(tmp_path / "real")
    assert listed(tmp_path) == [
        "a.md",
        "k.md",
        "link/b.md",
        "other/c.md",
        "other/to-real/b.md",
        "real/b.md",
        "real/to-other/c.md",
    ]
    source = Files("s", tmp_path, ("**/*.md",))
    assert {source.read(entry) for entry in source.list(now=NOW).entries} == {b"text"}


def test_linked_root_is_followed(tmp_path: Path) -> None:
    write(tmp_path / "real" / "a.md")
    (tmp_path / "root").symlink_to("real")
    assert listed(tmp_path / "root") == ["a.md"]


@pytest.mark.parametrize(
    "path", ["../secret.md", "link.md", "folder/secret.md", "x/../../secret.md"]
)
def test_nothing_outside_the_root_is_read(tmp_path: Path, path: str) -> None:
    root = tmp_path / "root"
    write(root / "x" / "a.md")
    secret = write(tmp_path / "secret.md", "secret")
    (root / "link.md").symlink_to(secret)
    (root / "folder").symlink_to(tmp_path)
    with pytest.raises(SourceUnavailable, match="leads out"):
        Files("s", root, ("**/*.md",)).read(Entry(path, "1-1-1"))


def test_pipe_in_place_of_a_document_does_not_hang_the_run(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.md")
    with pytest.raises(SourceUnavailable):
        Files("s", tmp_path, ("**/*.md",)).read(Entry("a.md", "1-1-1"))


def test_descriptors_are_closed(tmp_path: Path) -> None:
    write(tmp_path / "x" / "a.md")
    (tmp_path / "l.md").symlink_to("x/a.md")
    before = os.listdir("/dev/fd")  # noqa: PTH208
    source = Files("s", tmp_path, ("**/*.md",))
    for entry in source.list(now=NOW).entries:
        source.read(entry)
    with pytest.raises(SourceUnavailable):
        source.read(Entry("none/a.md", "1-1-1"))
    assert os.listdir("/dev/fd") == before  # noqa: PTH208


@pytest.mark.parametrize("age", [-3600, 0, 1.9, 2.1, 3600])
def test_file_modified_close_to_the_listing_is_not_trusted(tmp_path: Path, age: float) -> None:
    modified = NOW.timestamp() - age
    os.utime(write(tmp_path / "a.md"), (modified, modified))
    (entry,) = Files("s", tmp_path, ("**/*.md",)).list(now=NOW).entries
    assert entry.trusted == (age > 2)


def test_version_is_the_time_of_modification(tmp_path: Path) -> None:
    source = Files("s", tmp_path, ("**/*.md",))
    for name, at in (("a.md", NOW), ("old.md", datetime(1960, 5, 1, tzinfo=UTC))):
        os.utime(write(tmp_path / name), (at.timestamp(), at.timestamp()))
    versions = source.versions(source.list(now=NOW).entries)
    assert {path: version.at.year for path, version in versions.items()} == {
        "a.md": 2030,
        "old.md": 1960,
    }
    assert versions["a.md"].id == "2030-01-01T00:00:00+00:00"


@pytest.mark.parametrize("make", [lambda root: None, write], ids=["missing", "a file"])
def test_missing_root_is_broken_off(tmp_path: Path, make: Callable[[Path], object]) -> None:
    make(tmp_path / "root")
    listing = Files("s", tmp_path / "root", ("**/*.md",)).list(now=NOW)
    assert (listing.complete, listing.entries) == (False, ())
    assert str(tmp_path) not in str(listing.error)


def test_too_deep_a_tree_is_listed(tmp_path: Path) -> None:
    here = os.open(tmp_path, os.O_RDONLY)
    for _ in range(300):
        os.mkdir("d" * 20, dir_fd=here)
        below = os.open("d" * 20, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(os.open("a.md", os.O_CREAT, dir_fd=here))
    os.close(here)
    (path,) = listed(tmp_path)
    assert path.count("/") == 300


def meanwhile(act: Callable[[], object]) -> Scandir:
    """Lists folders, and acts right after the first names were listed."""
    calls = iter(range(1000))

    @contextmanager
    def scandir(folder: int) -> Iterator[Iterator[os.DirEntry[str]]]:
        with os.scandir(folder) as listed:
            found = list(listed)
        yield iter(found)
        if next(calls) == 0:
            act()

    return scandir


def test_document_deleted_while_it_is_listed_is_gone(tmp_path: Path) -> None:
    for name in ("a.md", "b.md"):
        write(tmp_path / name)
    assert listed(tmp_path, meanwhile((tmp_path / "a.md").unlink)) == ["b.md"]


def test_folder_deleted_while_it_is_listed_is_gone(tmp_path: Path) -> None:
    write(tmp_path / "a.md")
    (tmp_path / "x").mkdir()
    assert listed(tmp_path, meanwhile((tmp_path / "x").rmdir)) == ["a.md"]


@pytest.mark.parametrize("name", ["a.md", "x", "link.md"])
def test_renaming_while_it_is_listed_breaks_off(tmp_path: Path, name: str) -> None:
    write(tmp_path / "a.md")
    write(tmp_path / "x" / "b.md")
    (tmp_path / "link.md").symlink_to("x/b.md")
    rename = meanwhile(lambda: (tmp_path / name).rename(tmp_path / "new.md"))
    listing = Files("s", tmp_path, ("**/*.md",), (), rename).list(now=NOW)
    assert not listing.complete
    assert "changed while" in str(listing.error)


def test_link_that_is_led_elsewhere_while_it_is_listed_stays(tmp_path: Path) -> None:
    for version in (".1", ".2"):
        write(tmp_path / version / "a.md")
    (tmp_path / ".data").symlink_to(".1")
    (tmp_path / "a.md").symlink_to(".data/a.md")

    def swap() -> None:
        (tmp_path / ".new").symlink_to(".2")
        (tmp_path / ".new").replace(tmp_path / ".data")
        (tmp_path / ".1" / "a.md").unlink()

    assert listed(tmp_path, meanwhile(swap)) == ["a.md"]


def test_excluded_folder_is_not_looked_into(tmp_path: Path) -> None:
    write(tmp_path / "a.md")
    write(tmp_path / "x" / "private" / "b.md")
    looked: list[str] = []

    def scandir(folder: int) -> object:
        looked.append(os.readlink(f"/dev/fd/{folder}"))  # noqa: PTH115
        return os.scandir(folder)

    Files("s", tmp_path, ("**/*.md",), ("**/private/**",), scandir).list(now=NOW)
    assert len(looked) == 2

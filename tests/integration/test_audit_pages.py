"""The pages that a store keeps of its publications' audits."""

import logging

import pytest

from pipelines.decide import withhold
from pipelines.pages import audit_page_path, keep_audit_page, remove_audit_pages
from tests.expectations import write_few
from tests.project import Project

WORD = "quokkas"


@pytest.fixture(autouse=True)
def few(project: Project) -> None:
    write_few(project.config.expectations)


def refreshed(project: Project, *texts: str) -> None:
    """A publication for each text."""
    for text in texts:
        project.write("a.md", f"# A\n\nAll {WORD} like {text}.\n")
        project.refresh()


def kept(project: Project, number: int) -> str:
    file = keep_audit_page(project.store, number, knowledge="kb")
    assert file == audit_page_path(project.config.store_uri, number)
    return file.read_text()


def test_page_says_what_let_a_publication_through(project: Project) -> None:
    suite = project.config.expectations / "documents.json"
    suite.write_text(suite.read_text().replace('"min_value": 1', '"min_value": 10'))
    project.write("short.md", "# B\n")
    refreshed(project, "grass", "leaves")
    first, second = kept(project, 1), kept(project, 2)
    assert "Audit of kb #1" in first
    assert "what this publication changed" in first
    assert "what failed 1 of 3 expectations critically is in quarantine" in first
    assert "docs/short.md" in first
    assert "Passed: all 3 expectations hold." in second
    assert ">#1<" in second
    assert "1 over 2 publications, #1 to #2" in second
    assert WORD not in first + second


def test_page_can_be_made_again_later_and_stays_the_same(project: Project) -> None:
    refreshed(project, "grass", "leaves")
    before = kept(project, 1)
    refreshed(project, "roots")
    assert kept(project, 1) == before


def test_publication_that_audited_nothing_has_no_page(project: Project) -> None:
    refreshed(project, "grass")
    withhold(project.config, "docs/a.md", reason="wrong", signed=project.signed())
    assert keep_audit_page(project.store, 2, knowledge="kb") is None
    assert not audit_page_path(project.config.store_uri, 2).exists()


def test_page_that_cannot_be_written_is_told_and_harms_nothing(
    project: Project, caplog: pytest.LogCaptureFixture
) -> None:
    refreshed(project, "grass")
    folder = audit_page_path(project.config.store_uri, 1).parent
    for page in folder.glob("*"):
        page.unlink()
    if folder.exists():
        folder.rmdir()
    folder.touch()
    with caplog.at_level(logging.WARNING):
        assert keep_audit_page(project.store, 1, knowledge="kb") is None
    assert "page of the audit of #1 cannot be written" in caplog.text
    remove_audit_pages(project.store, now=project.now, keep_publications=1, keep_days=0)


def test_pages_go_with_their_publications(project: Project) -> None:
    refreshed(project, "grass", "leaves", "roots")
    for number in (1, 2, 3):
        kept(project, number)
    folder = audit_page_path(project.config.store_uri, 1).parent
    for name in ("notes.txt", "x.html", ".2.html-abc.new"):
        (folder / name).touch()
    project.later()
    remove_audit_pages(project.store, now=project.now, keep_publications=2, keep_days=0)
    assert {path.name for path in folder.iterdir()} == {"2.html", "3.html", "notes.txt", "x.html"}
    remove_audit_pages(project.store, now=project.now, keep_publications=1, keep_days=0)
    assert not (folder / "2.html").exists()
    assert (folder / "3.html").exists()

"""Every kind of bad input ends where it should, and the good documents beside it are published."""

from pathlib import Path

import pytest

from pipelines.decide import quarantined, release_quarantined, retry_quarantined, show_quarantined
from pipelines.errors import ConfigError
from pipelines.knowledge import newest
from pipelines.refresh import Report
from tests.bad_inputs import Bad, FaultyEncoder, bad_documents, good_documents, page
from tests.project import Project, source

BAD = bad_documents()
AUDIT = '[audit]\nlanguages = ["en"]\n'


def made(root: Path) -> Project:
    project = Project(root, encoder=FaultyEncoder())
    (root / "docs").mkdir(exist_ok=True)
    project.configure(source(labels='["staff"]').replace('["**/*.md"]', '["**/*"]'), more=AUDIT)
    return project


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, Report]:
    project = made(tmp_path_factory.mktemp("bad"))
    for path, text in good_documents().items():
        project.write(path, text)
    for bad in BAD:
        project.write(bad.name, bad.data)
    return project, project.refresh()


def test_there_are_enough_kinds_and_good_documents() -> None:
    assert len(BAD) >= 25
    assert len(good_documents()) == 40


def test_good_documents_are_published_in_the_same_run(run: tuple[Project, Report]) -> None:
    project, report = run
    assert report.published
    assert {f"docs/{path}" for path in good_documents()} <= project.uris()
    told = {f"docs/{bad.name}" for bad in BAD if bad.fails is None}
    assert project.uris() == told | {f"docs/{path}" for path in good_documents()}
    assert report.documents["quarantined"] == sum(bad.fails is not None for bad in BAD)


@pytest.mark.parametrize("bad", [b for b in BAD if b.fails], ids=lambda b: b.kind)
def test_bad_document_is_in_quarantine_for_what_it_fails(
    run: tuple[Project, Report], bad: Bad
) -> None:
    project, _ = run
    failed = {q.uri: q.failure.expectation for q in quarantined(project.config)}
    assert failed.get(f"docs/{bad.name}") == bad.fails


@pytest.mark.parametrize("bad", [b for b in BAD if b.warns], ids=lambda b: b.kind)
def test_doubtful_document_is_told_and_published(run: tuple[Project, Report], bad: Bad) -> None:
    _, report = run
    assert any(bad.warns in line and bad.name in line for line in report.attention)


def test_nothing_of_a_secret_is_kept_or_told(run: tuple[Project, Report]) -> None:
    project, report = run
    rows = quarantined(project.config)
    said = repr(rows) + repr(report) + repr(project.events)
    assert "Q3EGRIOR2NVZ4XJH" not in said
    assert "MIIEowIBAAKCAQEA" not in said
    assert "4929-1273" not in said
    shown = show_quarantined(
        project.config, "docs/bad/an-API-key.md", labels=["staff"], on=project.now.date()
    )
    assert shown.excerpt is not None
    assert "Use the key" in shown.excerpt


def test_vectors_of_a_failed_document_are_not_kept_for_the_next_try(tmp_path: Path) -> None:
    project = made(tmp_path)
    project.write("a.md", page("A good page."))
    project.write("b.md", page("brokenvector"))
    project.refresh()
    assert project.uris() == {"docs/a.md"}
    project.encoder.faults = False  # type: ignore[attr-defined]
    retry_quarantined(project.config, ["docs/b.md"])
    project.refresh()
    assert project.uris() == {"docs/a.md", "docs/b.md"}


def test_failing_version_leaves_the_published_one_alone(tmp_path: Path) -> None:
    project = made(tmp_path)
    project.write("a.md", page("A good page."))
    project.refresh()
    before = project.rows()
    project.write("a.md", b"# 404 Not Found\n\nThe page you requested could not be found.\n")
    report = project.refresh()
    assert not report.published
    assert report.exit_code == 0
    assert project.rows() == before
    assert project.refresh().documents["quarantined"] == 1


def test_document_cut_in_half_is_published_and_told(tmp_path: Path) -> None:
    project = made(tmp_path)
    text = page("A long page. " * 200)
    project.write("a.md", text)
    project.refresh()
    project.write("a.md", text[: len(text) // 4])
    report = project.refresh()
    assert report.published
    assert any("is_not_cut_short" in line and "docs/a.md" in line for line in report.attention)


def test_quarantine_is_tried_again_when_a_suite_changes(tmp_path: Path) -> None:
    project = made(tmp_path)
    project.write("a.md", page("A good page."))
    project.write("b.md", "---\neffective: 2099-01-01\n---\n\n" + page("Later."))
    project.refresh()
    assert [q.uri for q in quarantined(project.config)] == ["docs/b.md"]
    assert not project.refresh().published
    suite = Path(__file__).parents[2] / "pipelines/quality/builtin/documents.json"
    text = suite.read_text().replace('"max_value": 366', '"max_value": 36600')
    folder = project.root / "data/expectations"
    folder.mkdir(parents=True)
    (folder / "documents.json").write_text(text)
    project.refresh()
    assert project.uris() == {"docs/a.md", "docs/b.md"}
    assert quarantined(project.config) == []


def test_release_publishes_that_version_and_no_other(tmp_path: Path) -> None:
    project = made(tmp_path)
    card = "-".join(("4929", "1273", "6251", "4" + "110"))
    project.write("a.md", page(f"Pay with {card}."))
    project.write("b.md", page("A good page."))
    project.refresh()
    with pytest.raises(ConfigError, match="needs a reason"):
        release_quarantined(project.config, "docs/a.md", reason=" ", signed=project.signed())
    release_quarantined(
        project.config, "docs/a.md", reason="made up for training", signed=project.signed()
    )
    assert quarantined(project.config) == []
    report = project.refresh()
    assert project.uris() == {"docs/a.md", "docs/b.md"}
    last = newest(project.store)
    assert last is not None
    assert last.audit["released"] == [
        {
            "uri": "docs/a.md",
            "expectation": "has_no_personal_data",
            "actor": "somebody",
            "reason": "made up for training",
        }
    ]
    assert report.documents["quarantined"] == 0
    assert not project.refresh().published
    project.write("a.md", page(f"Or pay with {card}!"))
    assert project.refresh().documents["quarantined"] == 1


def test_what_leaves_no_text_cannot_be_released(tmp_path: Path) -> None:
    project = made(tmp_path)
    project.write("a.md", page("café").encode("latin-1"))
    project.write("b.md", page("A good page."))
    project.refresh()
    with pytest.raises(ConfigError, match="leaves nothing that could be published"):
        release_quarantined(project.config, "docs/a.md", reason="why not", signed=project.signed())


def test_empty_listing_is_held(tmp_path: Path) -> None:
    project = made(tmp_path)
    for number in range(12):
        project.write(f"{number}.md", page(f"Page number {number}."))
    project.refresh()
    project.remove(*(f"{number}.md" for number in range(12)))
    report = project.refresh()
    assert [h.kind for h in report.holds] == ["deletions"]
    assert len(project.uris()) == 12

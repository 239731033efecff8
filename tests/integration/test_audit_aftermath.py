"""What an audit leaves behind: holds, releases and candidates, some runs or a kill later."""

import json
from typing import Any

import pytest

from pipelines.answers import Question, search_knowledge
from pipelines.audit import audit_publication
from pipelines.decide import decide, roll_back, unpin
from pipelines.decide.quarantine import quarantined, release_quarantined, show_quarantined
from pipelines.knowledge import audits, find_hold, newest
from pipelines.records import Happened
from pipelines.refresh import ending
from tests.project import Project, source

REVIEW = '[[domains]]\nname = "finance"\nreview = true\n'
FINANCE = '[[sources.rules]]\nmatch = "finance/**"\ndomain = "finance"\n'
LOST = "# Bad {}\n\nText of {} \ufffd\ufffd\ufffd\ufffd.\n"
LONG = "".join(f"## Part {n}\n\n{'words of part ' * 12}{n}\n\n" for n in range(12))


def mostly_broken(project: Project) -> None:
    for number in range(8):
        project.write(f"good{number}.md", f"# Good {number}\n\nWords of number {number} here.\n")
    for number in range(12):
        project.write(f"bad{number}.md", LOST.format(number, number))


def two_sources(project: Project, *, other: str = "Text of the other.") -> None:
    project.configure(source(), source("other", path="other"))
    (project.root / "other").mkdir(exist_ok=True)
    (project.root / "other/x.md").write_text(f"# X\n\n{other}\n")


def texts(project: Project, publication: str) -> str:
    question = Question("budget", k=50, publication=publication)
    load = project.ports().load_encoder
    found = search_knowledge(project.config, question, now=project.now, load_encoder=load)
    return " ".join(hit.text for hit in found.hits)


def test_mostly_broken_source_stays_held_when_the_run_is_killed_at_its_end(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    mostly_broken(project)

    def killed(*_: Any, **__: Any) -> None:
        raise SystemExit

    for write in ("put_in_quarantine", "forget_mended"):
        with monkeypatch.context() as patch:
            patch.setattr(ending, write, killed)
            with pytest.raises(SystemExit):
                project.refresh()
    report = project.refresh()
    assert not report.published
    assert [hold.kind for hold in report.holds] == ["audit"]


def test_mostly_broken_source_stays_held_when_a_good_document_is_edited(project: Project) -> None:
    mostly_broken(project)
    held = project.refresh().holds[0]
    assert "few_documents_are_in_quarantine" in held.why
    project.write("good0.md", "# Good 0\n\nOther words.\n")
    report = project.refresh()
    assert not report.published
    assert [hold.kind for hold in report.holds] == ["audit"]
    for number in range(8):
        project.write(f"bad{number}.md", f"# Mended {number}\n\nText of {number}.\n")
    assert project.refresh().published


def test_mostly_broken_source_is_published_when_accepted(project: Project) -> None:
    mostly_broken(project)
    held = project.refresh().holds[0]
    decide(project.config, held.id, accept=True, reason="known", signed=project.signed())
    assert project.refresh().published
    project.write("good0.md", "# Good 0\n\nOther words.\n")
    assert project.refresh().published


@pytest.fixture
def reviewed(project: Project) -> Project:
    project.configure(source(more=FINANCE), more=REVIEW)
    project.write("a.md", "# A\n\nText of a.\n")
    project.refresh()
    return project


def test_review_first_seen_by_a_run_that_shall_not_publish_can_be_searched(
    reviewed: Project,
) -> None:
    reviewed.write("finance/budget.md", "# Budget\n\nThe budget is ten.\n")
    reviewed.write("a.md", "# A\n\nText of a, edited.\n")
    for publish in (False, True):
        holds = reviewed.refresh(publish=publish).holds
        review = next(hold for hold in holds if hold.source == "docs")
        assert "ten" in texts(reviewed, review.id)


def test_review_first_seen_under_a_pin_is_built_after_it(reviewed: Project) -> None:
    reviewed.write("b.md", "# B\n\nText of b.\n")
    reviewed.refresh()
    roll_back(reviewed.config, signed=reviewed.signed())
    reviewed.write("finance/budget.md", "# Budget\n\nThe budget is ten.\n")
    assert [hold.kind for hold in reviewed.refresh().holds] == ["review"]
    unpin(reviewed.config, signed=reviewed.signed())
    review = next(hold for hold in reviewed.refresh().holds if hold.kind == "review")
    assert "ten" in texts(reviewed, review.id)


def test_quarantine_is_shown_before_anything_is_published(project: Project) -> None:
    project.configure(source(labels='["staff"]'))
    project.write("a.md", LOST.format("a", "a"))
    assert project.refresh().publication is None
    today = project.now.date()
    shown = show_quarantined(project.config, "docs/a.md", labels=["staff"], on=today)
    assert shown.excerpt is not None
    assert "Text of a" in shown.excerpt
    assert show_quarantined(project.config, "docs/a.md", labels=[], on=today).excerpt is None


def test_documents_of_the_same_bytes_may_go_together(project: Project) -> None:
    for number in range(12):
        project.write(f"{number}.md", f"# Number {number}\n\nText of {number}.\n")
    for name in "xyz":
        project.write(f"{name}.md", "# Same\n\nThe same words.\n")
    project.refresh()
    project.remove("x.md", "y.md", "z.md")
    assert project.refresh().published
    load = project.ports().load_encoder
    report = audit_publication(project.config, now=project.now, load_encoder=load)
    assert [v for v in report.verdicts if not v.passed and v.severity == "critical"] == []


def test_released_version_that_fails_in_another_way_is_in_quarantine_again(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.write("a.md", LOST.format("poisoned", "a"))
    project.write("b.md", "# B\n\nText of b.\n")
    project.refresh()
    vector = project.encoder._vector

    def broken(text: str) -> Any:
        return vector(text) * float("nan") if "poisoned" in text else vector(text)

    monkeypatch.setattr(project.encoder, "_vector", broken)
    release_quarantined(project.config, "docs/a.md", reason="fine", signed=project.signed())
    assert [r.failure.expectation for r in project.refresh().rejected] == ["vector_is_finite"]
    report = project.refresh()
    assert (report.rejected, project.encoder.encoded) == ((), [])
    assert [q.failure.expectation for q in quarantined(project.config)] == ["vector_is_finite"]
    assert project.uris() == {"docs/b.md"}


def test_acceptance_over_all_sources_outlives_a_run_over_one(project: Project) -> None:
    two_sources(project)
    project.write("a.md", "# A\n\nText of a.\n")
    project.refresh()
    two_sources(project, other="Edited.")
    project.write("a.md", "# A\n\nText of a, edited.\n")
    held = project.refresh(publish=False).holds[0]
    decide(project.config, held.id, accept=True, reason="agreed", signed=project.signed())
    assert project.refresh(sources=("docs",)).published
    assert find_hold(project.store, held.id).state == "accepted"
    assert project.refresh().published
    assert find_hold(project.store, held.id).state == "closed"
    last = newest(project.store)
    assert last is not None
    assert [one["hold"] for one in last.audit["accepted"]] == [held.id]


def test_accepted_hold_is_not_opened_again(project: Project) -> None:
    project.write("a.md", "# A\n\nText of a.\n")
    held = project.refresh(publish=False).holds[0]
    decide(project.config, held.id, accept=True, reason="agreed", signed=project.signed())
    project.events.clear()
    project.refresh(publish=False)
    happened = [e.event for e in project.events if isinstance(e, Happened)]
    assert "hold.opened" not in happened


def test_document_of_a_second_build_is_counted_once(project: Project) -> None:
    two_sources(project)
    mostly_broken(project)
    report = project.refresh()
    assert report.published
    assert [hold.source for hold in report.holds] == ["docs"]
    verdicts = audits(project.store)[0].report["verdicts"]
    checked = {v["expectation"]: v["checked"] for v in verdicts if v["grain"] == "documents"}
    assert checked["has_text"] == 21


def test_what_failed_before_holds_nobody_else(project: Project) -> None:
    two_sources(project)
    project.write("a.md", "# A\n\nText of a.\n")
    project.refresh()
    bound = {"column": "documents", "min_value": 2}
    suite = {
        "name": "publication",
        "expectations": [
            {
                "type": "expect_column_values_to_be_between",
                "kwargs": bound,
                "severity": "critical",
                "meta": {"name": "has_enough_documents"},
            }
        ],
    }
    folder = project.root / "data/expectations"
    folder.mkdir(parents=True)
    (folder / "publication.json").write_text(json.dumps(suite))
    project.write("a.md", "# A\n\nText of a, edited.\n")
    project.write("b.md", "# B\n\nText of b.\n")
    report = project.refresh()
    assert (report.published, report.holds) == (True, ())
    assert any("has_enough_documents: other" in line for line in report.attention)
    last = newest(project.store)
    assert last is not None
    assert last.audit["failed"] == ["has_enough_documents"]


def test_accepted_source_that_still_fails_holds_nobody_else(project: Project) -> None:
    test_what_failed_before_holds_nobody_else(project)
    two_sources(project, other="Edited.")
    held = project.refresh().holds[0]
    assert held.source == "other"
    decide(project.config, held.id, accept=True, reason="small", signed=project.signed())
    project.write("a.md", "# A\n\nText of a, edited again.\n")
    report = project.refresh()
    assert (report.published, report.holds) == (True, ())


def test_accepted_after_weeks_nothing_is_embedded_again(project: Project) -> None:
    two_sources(project)
    for number in range(6):
        project.write(f"{number}.md", f"# Number {number}\n\n{LONG}")
    project.refresh()
    for number in range(6):
        project.write(f"{number}.md", f"# Number {number}\n\nShort.\n")
    held = project.refresh().holds[0]
    assert held.kind == "audit"
    project.later(days=60)
    two_sources(project, other="Edited meanwhile.")
    assert project.refresh().published
    decide(project.config, held.id, accept=True, reason="agreed", signed=project.signed())
    assert project.refresh().published
    assert project.encoder.encoded == []


def test_who_accepts_the_cost_has_not_accepted_what_fails(project: Project) -> None:
    for number in range(6):
        project.write(f"{number}.md", f"# Document {number}\n\n{LONG}")
    project.refresh()
    project.configure(more="[limits]\nmax_embed_tokens = 1\n")
    for number in range(6):
        project.write(f"{number}.md", f"# Document {number}\n\nNow short.\n")
    (cost,) = project.refresh().holds
    decide(project.config, cost.id, accept=True, reason="dear", signed=project.signed())
    report = project.refresh()
    assert not report.published
    assert [hold.kind for hold in report.holds] == ["audit"]
    assert "passages_are_about_as_many" in report.holds[0].why

"""What a domain wants reviewed waits as a candidate; accepted, exactly that set is published."""

import pytest

from pipelines.answers import Question, search_knowledge
from pipelines.decide import decide, open_holds
from pipelines.errors import PublicationNotFound
from pipelines.knowledge import newest
from tests.project import Project, source

REVIEW = '[[domains]]\nname = "finance"\nreview = true\n'
FINANCE = '[[sources.rules]]\nmatch = "finance/**"\ndomain = "finance"\n'


@pytest.fixture
def reviewed(project: Project) -> Project:
    project.configure(source(more=FINANCE), more=REVIEW)
    project.write("finance/budget.md", "# Budget\n\nThe budget is ten.\n")
    project.write("a.md", "# A\n\nText of a.\n")
    held = project.refresh().holds
    decide(project.config, held[0].id, accept=True, reason="first", signed=project.signed())
    project.refresh()
    assert project.uris() == {"docs/a.md", "docs/finance/budget.md"}
    return project


def texts(project: Project, publication: str | None = None) -> str:
    question = Question("budget", k=50, publication=publication)
    load = project.ports().load_encoder
    found = search_knowledge(project.config, question, now=project.now, load_encoder=load)
    return " ".join(hit.text for hit in found.hits)


def test_changes_of_a_reviewed_domain_wait_and_the_rest_is_published(reviewed: Project) -> None:
    reviewed.write("finance/budget.md", "# Budget\n\nThe budget is twenty.\n")
    reviewed.write("a.md", "# A\n\nText of a, edited.\n")
    report = reviewed.refresh()
    assert report.published
    assert report.exit_code == 3
    assert [(h.kind, h.source) for h in report.holds] == [("review", "docs")]
    assert "edited" in texts(reviewed)
    assert "ten" in texts(reviewed)
    candidate = texts(reviewed, report.holds[0].id)
    assert "twenty" in candidate
    assert "edited" in candidate
    assert texts(reviewed, "candidate") == candidate


def test_waiting_review_is_not_built_twice(reviewed: Project) -> None:
    reviewed.write("finance/budget.md", "# Budget\n\nThe budget is twenty.\n")
    report = reviewed.refresh()
    assert not report.published
    version = reviewed.store.table(newest(reviewed.store).generation).version  # type: ignore[union-attr]
    again = reviewed.refresh()
    assert again.holds == report.holds
    assert reviewed.encoder.encoded == []
    assert reviewed.store.table(newest(reviewed.store).generation).version == version  # type: ignore[union-attr]


def test_accepted_over_ten_other_publications_it_takes_nothing_of_theirs_back(
    reviewed: Project,
) -> None:
    reviewed.write("finance/budget.md", "# Budget\n\nThe budget is twenty.\n")
    held = reviewed.refresh().holds[0]
    for number in range(10):
        reviewed.write(f"{number}.md", f"# Number {number}\n\nText {number}.\n")
        assert reviewed.refresh().published
    decide(reviewed.config, held.id, accept=True, reason="agreed", signed=reviewed.signed())
    report = reviewed.refresh()
    assert report.published
    assert reviewed.encoder.encoded == []
    assert reviewed.uris() == {
        "docs/a.md", "docs/finance/budget.md", *(f"docs/{n}.md" for n in range(10)),
    }  # fmt: skip
    assert "twenty" in texts(reviewed)
    assert open_holds(reviewed.config) == []
    last = newest(reviewed.store)
    assert last is not None
    assert last.audit["accepted"][0]["reason"] == "agreed"
    with pytest.raises(PublicationNotFound):
        texts(reviewed, held.id)


def test_what_changed_meanwhile_is_struck_off_and_held_anew(reviewed: Project) -> None:
    reviewed.write("finance/budget.md", "# Budget\n\nThe budget is twenty.\n")
    reviewed.write("finance/plan.md", "# Plan\n\nThe plan.\n")
    held = reviewed.refresh().holds[0]
    decide(reviewed.config, held.id, accept=True, reason="agreed", signed=reviewed.signed())
    reviewed.write("finance/budget.md", "# Budget\n\nThe budget is thirty.\n")
    report = reviewed.refresh()
    assert "docs/finance/plan.md" in reviewed.uris()
    assert "ten" in texts(reviewed)
    assert [dict(h.items).keys() for h in report.holds] == [{"docs/finance/budget.md"}]
    assert "thirty" in texts(reviewed, report.holds[0].id)


def test_deletion_and_move_in_a_reviewed_domain_wait(reviewed: Project) -> None:
    reviewed.rename("finance/budget.md", "finance/costs.md")
    held = reviewed.refresh().holds[0]
    assert {uri for uri, _ in held.items} == {"docs/finance/budget.md", "docs/finance/costs.md"}
    assert "docs/finance/budget.md" in reviewed.uris()
    decide(reviewed.config, held.id, accept=True, reason="", signed=reviewed.signed())
    reviewed.refresh()
    assert reviewed.uris() == {"docs/a.md", "docs/finance/costs.md"}
    reviewed.remove("finance/costs.md")
    assert [h.kind for h in reviewed.refresh().holds] == ["review"]
    assert "docs/finance/costs.md" in reviewed.uris()


def test_bad_document_to_be_reviewed_is_in_quarantine_instead(reviewed: Project) -> None:
    reviewed.write("finance/budget.md", "# Budget\n\nThe budget is twenty.\n")
    reviewed.write("finance/odd.md", "# Odd\n\n\x08\x08 characters\n")
    report = reviewed.refresh()
    assert report.documents["quarantined"] == 1
    assert [dict(h.items).keys() for h in report.holds] == [{"docs/finance/budget.md"}]
    assert reviewed.refresh().holds == report.holds


def test_narrowed_label_does_not_wait_for_review(reviewed: Project) -> None:
    reviewed.configure(source(labels='["staff"]', more=FINANCE), more=REVIEW)
    reviewed.refresh()
    assert reviewed.seen() == set()
    assert "docs/finance/budget.md" in reviewed.seen(["staff"])


def test_refresh_that_shall_not_publish_leaves_a_candidate(project: Project) -> None:
    project.configure()
    project.write("a.md", "# A\n\nText of a.\n")
    project.refresh()
    project.write("a.md", "# A\n\nThe budget of a.\n")
    report = project.refresh(publish=False)
    assert [h.kind for h in report.holds] == ["review"]
    assert "budget" not in texts(project)
    assert "budget" in texts(project, "candidate")
    assert project.refresh().published
    assert open_holds(project.config) == []


EXPIRED = "---\nvalid_until: 2020-01-31\n---\n\n# Old\n\nAn old rule.\n"


def test_document_past_its_date_is_named(project: Project) -> None:
    project.configure()
    project.write("old.md", EXPIRED)
    assert any("Past their valid_until: docs/old.md" in a for a in project.refresh().attention)
    assert any("docs/old.md" in a for a in project.refresh().attention)
    assert project.seen() == {"docs/old.md"}


def test_document_past_its_date_is_withheld_where_its_domain_says_so(project: Project) -> None:
    project.configure()
    project.write("old.md", EXPIRED)
    project.write("new.md", "# New\n\nA new rule.\n")
    project.refresh()
    project.configure(more='[[domains]]\nname = "general"\nexpired = "withhold"\n')
    report = project.refresh()
    assert project.seen() == {"docs/new.md"}
    assert report.documents["withheld"] == 1
    project.write("old.md", EXPIRED.replace("2020", "2120"))
    project.refresh()
    assert project.seen() == {"docs/new.md", "docs/old.md"}


def trained(project: Project) -> set[str]:
    return {row["uri"] for row in project.rows() if row["train"]}


def test_what_is_found_may_forbid_training(project: Project) -> None:
    card = "-".join(("4929", "1273", "6251", "4" + "110"))
    policy = '[[domains]]\nname = "general"\npersonal_data = "{}"\n'
    project.configure(more=policy.format("no-training"))
    project.write("a.md", f"# A\n\nPay with {card} today.\n")
    project.write("b.md", "# B\n\nText of b.\n")
    report = project.refresh()
    assert project.uris() == {"docs/a.md", "docs/b.md"}
    assert trained(project) == {"docs/b.md"}
    assert any("has_no_personal_data" in line for line in report.attention)
    assert not project.refresh().published
    project.rename("a.md", "c.md")
    project.refresh()
    assert trained(project) == {"docs/b.md"}
    project.configure(more=policy.format("warn"))
    project.refresh()
    assert trained(project) == {"docs/b.md", "docs/c.md"}
    project.configure(more=policy.format("no-training"))
    project.refresh()
    assert trained(project) == {"docs/b.md"}

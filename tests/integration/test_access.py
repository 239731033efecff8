"""Who sees what: decided in the data, narrowed at once, never widened by accident."""

import pytest

from pipelines.decide import lift_takedown, roll_back, unpin, withhold
from pipelines.errors import UnknownName
from tests.project import Project, rule, source


def managers(text: str) -> str:
    return f"---\nlabels: [managers]\n---\n# Pay\n\n{text}\n"


def test_relabelled_by_configuration_alone_embeds_nothing(project: Project) -> None:
    project.write("hr/pay.md", "# Pay\n\nGrade four earns a lot.\n")
    project.write("it/vpn.md", "# VPN\n\nUse it.\n")
    project.refresh()
    project.configure(source(more=rule("hr/**", '["hr"]')))
    report = project.refresh()
    assert report.documents["relabelled"] == 1
    assert report.chunks["embedded"] == 0
    assert project.encoder.encoded == []
    assert project.seen() == {"docs/it/vpn.md"}
    assert project.seen(["hr"]) == {"docs/it/vpn.md", "docs/hr/pay.md"}


def test_widened_by_configuration_is_published_under_the_new_labels(project: Project) -> None:
    project.configure(source(labels='["hr"]'))
    project.write("pay.md", "# Pay\n\nA lot.\n")
    project.refresh()
    assert project.seen() == set()
    project.configure(source())
    project.refresh()
    assert project.seen() == {"docs/pay.md"}


def test_narrowed_and_broken_in_one_edit_is_unseen_at_once(project: Project) -> None:
    project.write("pay.md", "# Pay\n\nEveryone reads this.\n")
    project.refresh()
    project.write("pay.md", b"---\nlabels: [managers]\n---\n# Pay\n\n\xff\xfe broken\n")
    report = project.refresh()
    assert report.documents["quarantined"] == 1
    assert project.seen() == set()
    assert project.seen(["managers"]) <= {"docs/pay.md"}
    roll_back(project.config, signed=project.signed(), to=1)
    assert project.seen() == set()
    project.refresh()
    assert project.seen() == set()
    unpin(project.config, signed=project.signed())
    project.refresh()
    assert project.seen() == set()
    project.write("pay.md", managers("Whole again."))
    project.refresh()
    assert project.seen() == set()
    assert project.seen(["managers"]) == {"docs/pay.md"}


def test_truncated_managers_only_file_never_gets_wider(project: Project) -> None:
    project.write("pay.md", managers("Grade four earns a lot."))
    project.refresh()
    project.write("pay.md", "# Pay\n\nGrade four earns a lot.\n")
    project.refresh()
    assert project.seen() == set()
    assert project.seen(["managers"]) == {"docs/pay.md"}
    project.rename("pay.md", "wages.md")
    project.refresh()
    assert project.seen() == set()
    project.write("wages.md", "# Pay\n\nGrade four earns more.\n")
    project.refresh()
    assert project.seen() == set()
    assert project.seen(["managers"]) == {"docs/wages.md"}
    project.write("wages.md", "---\n---\n# Pay\n\nNow for everyone.\n")
    project.refresh()
    assert project.seen() == {"docs/wages.md"}


def test_half_a_front_matter_block_withholds_the_document(project: Project) -> None:
    project.write("pay.md", managers("Grade four."))
    project.refresh()
    project.write("pay.md", "---\nlabels: [mana")
    report = project.refresh()
    assert report.documents["quarantined"] == 1
    assert report.documents["withheld"] == 1
    assert project.seen(["managers"]) == set()


def test_asking_for_more_than_granted_is_quarantined_and_withheld(project: Project) -> None:
    project.configure(source(labels='["hr"]'))
    project.write("pay.md", "# Pay\n\nGrade four.\n")
    project.refresh()
    assert project.seen(["hr"]) == {"docs/pay.md"}
    project.write("pay.md", "---\nlabels: [hr, board]\n---\n# Pay\n\nGrade four.\n")
    report = project.refresh()
    assert report.documents["quarantined"] == 1
    assert project.seen(["hr", "board"]) == set()


def test_withheld_document_stays_unseen_through_rename_edit_and_rollback(project: Project) -> None:
    project.write("pay.md", "# Pay\n\nGrade four.\n")
    project.write("vpn.md", "# VPN\n\nUse it.\n")
    project.refresh()
    told = withhold(project.config, "docs/pay.md", reason="wrong", signed=project.signed())
    assert not told.seen
    assert project.seen() == {"docs/vpn.md"}
    project.refresh()
    assert project.seen() == {"docs/vpn.md"}
    project.rename("pay.md", "wages.md")
    project.refresh()
    assert "docs/wages.md" in project.uris()
    assert project.seen() == {"docs/vpn.md"}
    project.write("wages.md", "# Pay\n\nGrade four and five.\n")
    project.refresh()
    assert project.seen() == {"docs/vpn.md"}
    roll_back(project.config, signed=project.signed(), to=1)
    assert project.seen() == {"docs/vpn.md"}
    unpin(project.config, signed=project.signed())
    project.refresh()
    assert project.seen() == {"docs/vpn.md"}
    lifted = lift_takedown(
        project.config, "docs/wages.md", reason="mended", signed=project.signed()
    )
    assert lifted.seen
    assert project.seen() == {"docs/vpn.md", "docs/wages.md"}


def test_withholding_what_nobody_knows_is_the_users_mistake(project: Project) -> None:
    project.write("pay.md", "# Pay\n\nGrade four.\n")
    project.refresh()
    with pytest.raises(UnknownName, match=r"Did you mean docs/pay.md"):
        withhold(project.config, "docs/pya.md", reason="wrong", signed=project.signed())


def test_rollback_shows_deleted_documents_again_and_counts_them(project: Project) -> None:
    for name in "abcde":
        project.write(f"{name}.md", f"# {name}\n\nText of {name}.\n")
    project.refresh()
    project.remove("a.md")
    project.refresh()
    assert "docs/a.md" not in project.seen()
    told = roll_back(project.config, signed=project.signed())
    assert told.returned == 1
    assert "docs/a.md" in project.seen()


def test_rollback_to_a_state_with_wider_labels_keeps_todays(project: Project) -> None:
    project.write("pay.md", "# Pay\n\nGrade four.\n")
    project.refresh()
    project.write("pay.md", managers("Grade four."))
    project.refresh()
    assert project.seen() == set()
    told = roll_back(project.config, signed=project.signed())
    assert told.withheld == 1
    assert project.seen() == set()
    assert project.search("pay", publication="1").hits == ()


def test_narrowing_reaches_readers_while_the_store_is_pinned(project: Project) -> None:
    project.write("a.md", "# A\n\nFirst.\n")
    project.write("pay.md", "# Pay\n\nGrade four.\n")
    project.refresh()
    project.write("a.md", "# A\n\nSecond.\n")
    project.refresh()
    roll_back(project.config, signed=project.signed())
    project.write("pay.md", managers("Grade four."))
    report = project.refresh()
    assert report.reason == "pinned"
    assert report.exit_code == 3
    assert project.seen() == {"docs/a.md"}
    project.write("pay.md", "---\n---\n# Pay\n\nGrade four.\n")
    project.refresh()
    assert project.seen() == {"docs/a.md"}, "never wider under a pin"
    unpin(project.config, signed=project.signed())
    project.refresh()
    assert project.seen() == {"docs/a.md", "docs/pay.md"}


def test_source_that_breaks_off_still_withdraws_what_it_showed(project: Project) -> None:
    project.write("pay.md", "# Pay\n\nGrade four.\n")
    project.refresh()
    project.configure(source(labels='["hr"]', path="elsewhere"))
    report = project.refresh()
    assert not report.sources[0].complete
    assert project.seen() == set()
    assert project.seen(["hr"]) == {"docs/pay.md"}


def test_grant_that_comes_later_lets_a_refused_document_in(project: Project) -> None:
    project.configure(source(labels='["hr"]'))
    project.write("pay.md", "---\nlabels: [board]\n---\n# Pay\n\nGrade four.\n")
    assert project.refresh().documents["quarantined"] == 1
    project.configure(source(labels='["hr", "board"]'))
    report = project.refresh()
    assert (report.documents["quarantined"], report.documents["added"]) == (0, 1)
    assert project.seen(["board"]) == {"docs/pay.md"}
    assert project.seen(["hr"]) == set()

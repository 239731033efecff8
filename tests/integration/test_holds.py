"""Unusual deletions and dear runs wait for a person; everything else goes on."""

import pytest

from pipelines.decide import decide, open_holds, unpin
from pipelines.decide import roll_back as back
from pipelines.errors import UnknownName
from tests.project import Project, source


def fill(project: Project, count: int) -> list[str]:
    names = [f"d{n:02}.md" for n in range(count)]
    for name in names:
        project.write(name, f"# {name}\n\nAbout {name} and more.\n")
    project.refresh()
    return names


def held(project: Project) -> set[str]:
    return {uri for hold in open_holds(project.config) for uri, _ in hold.items}


def test_few_deletions_are_ordinary(project: Project) -> None:
    names = fill(project, 30)
    project.remove(*names[:10])
    report = project.refresh()
    assert (report.documents["deleted"], report.holds) == (10, ())


def test_eleven_deletions_within_a_day_are_held_and_the_rest_goes_on(project: Project) -> None:
    names = fill(project, 30)
    project.remove(*names[:11])
    project.write("new.md", "# New\n\nNews.\n")
    report = project.refresh()
    assert report.documents["added"] == 1
    assert (report.documents["held"], report.documents["deleted"]) == (11, 0)
    assert report.exit_code == 3
    assert len(project.uris()) == 31


def test_deletions_of_a_day_add_up(project: Project) -> None:
    names = fill(project, 30)
    project.remove(*names[:8])
    assert project.refresh().documents["deleted"] == 8
    project.remove(*names[8:11])
    assert project.refresh().documents["held"] == 3
    project.later(hours=25)
    assert project.refresh().documents["held"] == 3, "what is held waits until a person decides"


def test_deletions_of_another_day_do_not_add_up(project: Project) -> None:
    names = fill(project, 30)
    project.remove(*names[:8])
    project.refresh()
    project.later(hours=25)
    project.remove(*names[8:11])
    assert project.refresh().documents["deleted"] == 3


def test_growth_of_the_source_does_not_let_a_hold_through(project: Project) -> None:
    names = fill(project, 4)
    project.remove(*names[:3])
    fill(project, 0)
    for n in range(20):
        project.write(f"new{n}.md", f"# New {n}\n\nMore.\n")
    assert project.refresh().documents["held"] == 3
    assert project.refresh().documents["held"] == 3


def test_more_than_half_of_a_small_source_is_held(project: Project) -> None:
    names = fill(project, 4)
    project.remove(*names[:2])
    assert project.refresh().documents["deleted"] == 2
    project.later(hours=25)
    project.remove(names[2])
    project.later(hours=25)
    assert project.refresh().documents["deleted"] == 1


def test_three_of_four_are_held(project: Project) -> None:
    names = fill(project, 4)
    project.remove(*names[:3])
    assert project.refresh().documents["held"] == 3


def test_empty_listing_is_held(project: Project) -> None:
    names = fill(project, 2)
    project.remove(*names)
    report = project.refresh()
    assert report.documents["held"] == 2
    assert "empty" in report.holds[0].why


def test_source_that_left_the_configuration_is_held_and_still_seen(project: Project) -> None:
    (project.root / "more").mkdir()
    (project.root / "more" / "x.md").write_text("# X\n\nMore.\n")
    project.configure(source(), source("more", "more"))
    fill(project, 2)
    project.configure(source())
    report = project.refresh()
    assert report.holds[0].source == "more"
    assert "more/x.md" in project.seen()
    decide(project.config, report.holds[0].id, accept=True, reason="", signed=project.signed())
    assert project.refresh().documents["deleted"] == 1
    assert project.uris() == {"docs/d00.md", "docs/d01.md"}


def test_accepted_hold_is_carried_out_by_the_next_refresh(project: Project) -> None:
    names = fill(project, 30)
    project.remove(*names[:15])
    report = project.refresh()
    hold = report.holds[0].id
    decide(project.config, hold, accept=True, reason="reorganised", signed=project.signed())
    done = project.refresh()
    assert (done.documents["deleted"], done.exit_code) == (15, 0)
    assert open_holds(project.config) == []
    project.remove(*names[15:20])
    later = project.refresh()
    assert later.documents["deleted"] == 5, "accepted deletions leave the 24-hour count"


def test_what_came_back_is_struck_off_an_accepted_hold(project: Project) -> None:
    names = fill(project, 30)
    project.remove(*names[:15])
    hold = project.refresh().holds[0].id
    decide(project.config, hold, accept=True, reason="", signed=project.signed())
    project.write(names[0], f"# {names[0]}\n\nAbout {names[0]} and more.\n")
    done = project.refresh()
    assert done.documents["deleted"] == 14
    assert f"docs/{names[0]}" in project.uris()
    assert open_holds(project.config) == []


def test_changed_set_is_a_new_hold_that_keeps_since(project: Project) -> None:
    names = fill(project, 30)
    project.remove(*names[:15])
    first = project.refresh().holds[0].id
    since = open_holds(project.config)[0].since
    project.remove(names[15])
    second = project.refresh().holds[0].id
    assert second != first
    standing = open_holds(project.config)
    assert [(h.id, h.since) for h in standing] == [(second, since)]
    with pytest.raises(UnknownName, match=second):
        decide(project.config, first, accept=True, reason="", signed=project.signed())


def test_dropped_hold_is_not_asked_again_until_the_source_changes_it(project: Project) -> None:
    names = fill(project, 30)
    project.remove(*names[:15])
    hold = project.refresh().holds[0].id
    decide(project.config, hold, accept=False, reason="no", signed=project.signed())
    report = project.refresh()
    assert (report.holds, report.exit_code) == ((), 0)
    assert len(project.uris()) == 30
    project.write(names[0], f"# {names[0]}\n\nAbout {names[0]} and more.\n")
    project.refresh()
    project.remove(names[0])
    project.later(hours=25)
    assert project.refresh().documents["deleted"] == 1


def test_hold_is_told_once(project: Project) -> None:
    names = fill(project, 30)
    project.remove(*names[:15])
    project.refresh()
    project.refresh()
    opened = [e for e in project.events if getattr(e, "event", "") == "hold.opened"]
    assert len(opened) == 1


def test_accepted_under_a_pin_waits_for_unpin(project: Project) -> None:
    names = fill(project, 30)
    project.write(names[29], "# Changed\n\nChanged.\n")
    project.refresh()
    project.remove(*names[:15])
    hold = project.refresh().holds[0].id
    back(project.config, signed=project.signed())
    decide(project.config, hold, accept=True, reason="", signed=project.signed())
    assert project.refresh().exit_code == 3
    unpin(project.config, signed=project.signed())
    assert project.refresh().documents["deleted"] == 15


def test_moves_are_not_deletions(project: Project) -> None:
    names = fill(project, 30)
    for name in names[:20]:
        project.rename(name, f"new/{name}")
    report = project.refresh()
    assert (report.documents["moved"], report.documents["deleted"]) == (20, 0)
    assert report.holds == ()
    assert project.encoder.encoded == []


def test_move_into_another_source_whichever_is_seen_first(project: Project) -> None:
    (project.root / "more").mkdir()
    project.configure(source(), source("more", "more"))
    names = fill(project, 3)
    text = (project.root / "docs" / names[0]).read_text()
    (project.root / "more" / "copy.md").write_text(text)
    assert project.refresh().documents["added"] == 1
    project.remove(names[0])
    report = project.refresh()
    assert (report.documents["moved"], report.documents["deleted"]) == (1, 0)
    assert f"docs/{names[0]}" not in project.uris()


def test_dear_run_is_held_and_what_costs_nothing_goes_on(project: Project) -> None:
    fill(project, 3)
    project.configure(knowledge="", more="[limits]\nmax_embed_tokens = 20\n")
    project.write("long.md", "# Long\n\n" + "word " * 40)
    project.rename("d00.md", "moved.md")
    report = project.refresh()
    assert report.holds[0].kind == "cost"
    assert report.documents["moved"] == 1
    assert report.documents["held"] == 1
    assert project.encoder.encoded == []
    decide(project.config, report.holds[0].id, accept=True, reason="", signed=project.signed())
    done = project.refresh()
    assert done.documents["added"] == 1
    assert "docs/long.md" in project.uris()


def test_dropped_cost_hold_keeps_the_published_version(project: Project) -> None:
    fill(project, 3)
    project.configure(more="[limits]\nmax_embed_tokens = 20\n")
    project.write("d00.md", "# Long\n\n" + "word " * 40)
    hold = project.refresh().holds[0].id
    decide(project.config, hold, accept=False, reason="too dear", signed=project.signed())
    report = project.refresh()
    assert (report.holds, report.documents["held"]) == ((), 0)
    assert any("About d00" in row["text"] for row in project.rows())

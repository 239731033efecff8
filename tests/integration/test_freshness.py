"""Freshness of a real store: the two clocks, lag, what is unusual, and sources that are paused."""

import pytest

from pipelines.decide import decide, pause_source, resume_source, roll_back
from pipelines.errors import UnknownName
from pipelines.inbox import inbox_of
from pipelines.knowledge import Pause, open_pauses, pauses, publications, record_pause
from pipelines.records import Happened
from pipelines.status import Freshness, SourceFreshness, show_freshness, show_status
from tests.project import Project, rule, source

TWO = (source("docs"), source("wiki", path="wiki"))
DAY = 86_400.0


@pytest.fixture
def both(project: Project) -> Project:
    """Two sources, refreshed once."""
    (project.root / "wiki").mkdir()
    project.configure(*TWO)
    project.write("a.md", "# A\n\nIt says one.\n")
    wiki(project, "b.md", "# B\n\nIt says two.\n")
    project.refresh()
    return project


def wiki(project: Project, path: str, text: str) -> None:
    (project.root / "wiki" / path).write_text(text)


def fresh(project: Project) -> Freshness:
    return show_freshness(project.config, now=project.now)


def of(project: Project, name: str = "docs") -> SourceFreshness:
    return next(s for s in fresh(project).sources if s.name == name)


def many(project: Project, count: int) -> None:
    for number in range(count):
        project.write(f"{number}.md", f"# Number {number}\n\nIt says {number}.\n")


def test_refresh_of_some_sources_leaves_the_clocks_of_the_others(both: Project) -> None:
    before = of(both, "wiki")
    both.later(days=2)
    report = both.refresh(sources=("docs",))
    assert [s.name for s in report.sources] == ["docs"]
    assert of(both, "docs").state == "ok"
    after = of(both, "wiki")
    assert after.last_complete_scan_at == before.last_complete_scan_at
    assert (after.state, fresh(both).health) == ("warn", "warning")
    both.later(days=2)
    both.write("a.md", "# A\n\nIt says three.\n")
    assert both.refresh(sources=("docs",)).published
    assert [(s.name, s.state) for s in fresh(both).sources] == [("docs", "ok"), ("wiki", "error")]
    assert not fresh(both).ok


def test_listing_that_broke_off_leaves_the_scan_clock(both: Project) -> None:
    before = of(both).last_complete_scan_at
    both.later(days=2)
    (both.root / "docs").rename(both.root / "gone")
    both.refresh()
    after = of(both)
    assert (after.last_complete_scan_at, after.state) == (before, "warn")
    assert "broke off" in after.why
    assert of(both, "wiki").state == "ok"


def test_source_that_never_came_to_its_end_is_degraded(project: Project) -> None:
    assert (of(project).state, of(project).health) == ("error", "unknown")
    (project.root / "docs").rmdir()
    project.refresh()
    assert (of(project).state, of(project).health) == ("error", "degraded")
    assert of(project).why.startswith("Never scanned to the end.")


def test_held_change_waits_and_one_in_quarantine_does_not(project: Project) -> None:
    project.write("a.md", "# A\n\nIt says one.\n")
    project.refresh()
    project.write("bad.md", b"\xff\xfe\x00 not text")
    project.refresh()
    assert (of(project).pending, of(project).oldest_pending_at) == (0, None)
    project.write("a.md", "# A\n\nIt says two.\n")
    held = project.refresh(publish=False)
    assert held.holds
    since = of(project).oldest_pending_at
    assert since is not None
    # Scans go on, and the change that a person has to look at goes on waiting.
    for _ in range(2):
        project.later(days=2)
        project.refresh(publish=False)
    assert of(project).oldest_pending_at == since
    assert of(project).state == "error"
    assert "since" in of(project).why
    project.refresh()
    assert (of(project).state, of(project).pending) == ("ok", 0)


def test_document_that_changes_again_while_it_waits_has_waited_all_the_time(
    project: Project,
) -> None:
    project.write("a.md", "# A\n\nIt says one.\n")
    project.refresh()
    project.write("a.md", "# A\n\nIt says two.\n")
    project.refresh()
    roll_back(project.config, signed=project.signed())
    project.refresh()
    since = of(project).oldest_pending_at
    assert since is not None
    for text in ("three", "four"):
        project.later(days=2)
        project.write("a.md", f"# A\n\nIt says {text}.\n")
        project.refresh()
        assert of(project).oldest_pending_at == since
    assert of(project).state == "error"


def test_deletion_lag_is_told_apart_from_the_lag_of_edits(project: Project) -> None:
    many(project, 30)
    project.refresh()
    project.remove("0.md")
    project.refresh()
    row = publications(project.store)[0]
    assert (row.lag, len(row.deletion_lag["docs"])) == ({}, 1)
    assert row.deletion_lag["docs"][0] < DAY
    project.remove(*(f"{number}.md" for number in range(1, 16)))
    first = project.refresh()
    project.later(days=2)
    assert project.refresh().holds[0].id == first.holds[0].id
    signed = project.signed()
    decide(project.config, first.holds[0].id, accept=True, reason="so", signed=signed)
    assert project.refresh().published
    told = of(project)
    lag = told.deletion_lag_seconds
    assert lag["max"] is not None
    assert lag["p50"] is not None
    # Seen two days before they were accepted: from the first sight it counts.
    assert lag["p50"] == lag["max"]
    assert 2 * DAY < lag["max"] < 2.2 * DAY
    assert told.lag_seconds["max"] is None
    assert show_status(project.config, now=project.now).to_dict()["sources"][0][
        "deletion_lag_seconds"
    ] == dict(lag)


def test_lag_is_counted_once_whatever_rows_follow(project: Project) -> None:
    many(project, 30)
    project.refresh()
    project.remove("0.md")
    project.refresh()
    once = of(project).deletion_lag_seconds
    for _ in range(3):
        roll_back(project.config, to=2, signed=project.signed())
    assert of(project).deletion_lag_seconds == once
    assert [p.number for p in publications(project.store) if p.deletion_lag] == [2]


def test_listing_of_almost_nothing_is_never_green(project: Project) -> None:
    many(project, 45)
    for _ in range(3):
        project.refresh()
    assert of(project).state == "ok"
    project.remove(*(f"{number}.md" for number in range(1, 45)))
    for _ in range(3):
        held = project.refresh()
        told = of(project)
        assert (told.state, told.health, fresh(project).ok) == ("warn", "warning", True)
        assert "listed 1 of usually 45 documents" in told.why
        assert any("1 of usually 45" in line for line in held.attention)
        status = show_status(project.config, now=project.now)
        assert status.health == "warning"
        assert any("1 of usually 45" in line for line in status.attention)
    # A person says that it is right.
    decide(project.config, held.holds[0].id, accept=True, reason="so", signed=project.signed())
    assert not any("usual" in line for line in project.refresh().attention)
    assert project.uris() == {"docs/0.md"}
    assert of(project).state == "ok"


def test_listing_of_almost_nothing_stays_in_doubt_after_its_deletions_were_refused(
    project: Project,
) -> None:
    many(project, 25)
    project.refresh()
    project.remove(*(f"{number}.md" for number in range(1, 25)))
    held = project.refresh()
    decide(project.config, held.holds[0].id, accept=False, reason="no", signed=project.signed())
    project.refresh()
    assert (of(project).pending, of(project).state) == (0, "warn")
    many(project, 25)
    project.refresh()
    assert of(project).state == "ok"
    project.remove(*(f"{number}.md" for number in range(1, 25)))
    project.refresh()
    assert of(project).state == "warn"
    # So may somebody who paused it meanwhile.
    pause_source(project.config, "docs", signed=project.signed())
    resume_source(project.config, "docs", signed=project.signed())
    project.refresh()
    assert of(project).state == "ok"


def test_paused_source_is_left_out_and_is_not_late(both: Project) -> None:
    done = pause_source(both.config, "wiki", signed=both.signed(), reason="it moves")
    assert done.changed
    wiki(both, "b.md", "# B\n\nIt says something new.\n")
    both.later(days=5)
    report = both.refresh()
    assert [s.name for s in report.sources] == ["docs"]
    line = next(line for line in report.attention if "wiki" in line)
    assert "by somebody: it moves. To go on: staleproof sources resume wiki." in line
    told = of(both, "wiki")
    assert (told.state, told.health) == ("paused", "unknown")
    assert (fresh(both).ok, fresh(both).health) == (True, "healthy")
    assert told.to_dict()["paused"]["by"] == "somebody"
    assert "It moves" not in told.why
    assert "it moves" in told.why
    status = show_status(both.config, now=both.now)
    assert status.health == "healthy"
    assert [line for line in status.attention if "wiki" in line] == [line]
    assert not both.search("one").overdue
    resumed = resume_source(both.config, "wiki", signed=both.signed())
    assert resumed.pause == done.pause
    assert of(both, "wiki").state == "error"
    assert both.search("one").overdue
    both.refresh()
    assert of(both, "wiki").state == "ok"
    assert any("something new" in row["text"] for row in both.rows())


def test_paused_source_that_is_named_is_refreshed(both: Project) -> None:
    pause_source(both.config, "wiki", signed=both.signed())
    wiki(both, "c.md", "# C\n\nIt is new.\n")
    report = both.refresh(sources=("wiki",))
    assert report.published
    assert not any("paused" in line for line in report.attention)
    assert of(both, "wiki").state == "paused"


def test_policy_reaches_the_documents_of_a_paused_source(both: Project) -> None:
    assert both.seen() == {"docs/a.md", "wiki/b.md"}
    pause_source(both.config, "wiki", signed=both.signed())
    both.configure(TWO[0], TWO[1] + rule("b.md", '["board"]'))
    both.refresh()
    assert both.seen() == {"docs/a.md"}


def test_where_every_source_is_paused_a_refresh_says_so_and_withdraws_only(both: Project) -> None:
    for name in ("docs", "wiki"):
        pause_source(both.config, name, signed=both.signed())
    both.write("new.md", "# New\n\nNews.\n")
    both.events.clear()
    report = both.refresh()
    assert (report.published, report.reason) == (False, "every source is paused")
    # Or the alarm for a knowledge base that nothing refreshes would go off.
    told = [(e.event, e.resource) for e in both.events if isinstance(e, Happened)]
    assert told == [("refresh.completed", "knowledge.kb")]
    assert (report.exit_code, report.sources) == (0, ())
    assert len([line for line in report.attention if "is paused" in line]) == 2
    both.later(days=9)
    assert (fresh(both).ok, fresh(both).health) == (True, "unknown")


def test_receipt_and_freshness_agree_on_what_is_unusual_since_a_source_was_put_back(
    project: Project,
) -> None:
    many(project, 2)
    for _ in range(4):
        project.refresh()
    pause_source(project.config, "docs", signed=project.signed())
    resume_source(project.config, "docs", signed=project.signed())
    many(project, 100)
    project.refresh()
    project.remove(*(f"{number}.md" for number in range(4, 100)))
    report = project.refresh()
    assert "4 of usually 100 documents" in of(project).why
    assert any("4 of usually 100 documents" in line for line in report.attention)


def test_hold_of_a_paused_source_stands(project: Project) -> None:
    project.write("a.md", "# A\n\nIt says one.\n")
    project.refresh()
    project.remove("a.md")
    assert project.refresh().holds
    pause_source(project.config, "docs", signed=project.signed())
    project.refresh()
    status = show_status(project.config, now=project.now)
    assert status.sources[0].held == 1
    assert project.seen() == {"docs/a.md"}


def test_first_pause_counts_and_one_resume_ends_all(project: Project) -> None:
    config, first = project.config, project.signed()
    assert pause_source(config, "docs", signed=first, reason="one").changed
    again = pause_source(config, "docs", signed=project.signed(), reason="two")
    assert (again.changed, again.pause and again.pause.reason) == (False, "one")
    # Two people at the same moment.
    record_pause(project.store, Pause("docs", project.now, "other", "three"))
    assert open_pauses(project.store)["docs"].at == first.at
    assert resume_source(config, "docs", signed=project.signed()).changed
    assert open_pauses(project.store) == {}
    assert not resume_source(config, "docs", signed=project.signed()).changed
    assert [(p.reason, p.resumed_by) for p in pauses(project.store)] == [
        ("one", "somebody"),
        ("three", "somebody"),
    ]


def test_unknown_source_can_be_neither_paused_nor_resumed(project: Project) -> None:
    with pytest.raises(UnknownName, match="dosc"):
        pause_source(project.config, "dosc", signed=project.signed())
    with pytest.raises(UnknownName, match="dosc"):
        resume_source(project.config, "dosc", signed=project.signed())
    assert show_freshness(project.config, now=project.now).health == "unknown"


def test_source_that_left_the_configuration_can_still_be_resumed(both: Project) -> None:
    pause_source(both.config, "wiki", signed=both.signed())
    both.configure(TWO[0])
    assert resume_source(both.config, "wiki", signed=both.signed()).changed


def test_source_that_webhooks_ask_for_is_looked_at_once_it_is_resumed(project: Project) -> None:
    """What was delivered while it was paused was let go: the sender does not say it again."""
    inbox = inbox_of(project.config.store_uri)
    pause_source(project.config, "docs", signed=project.signed())
    resume_source(project.config, "docs", signed=project.signed())
    assert inbox.waiting() == {}, "nobody but a schedule or a person looks"
    endpoint = 'name = "docs"\nkind = "github"\nsource = "docs"\nsecret_env = "HOOK"\n'
    project.configure(source(), more=f"[[webhook.endpoints]]\n{endpoint}")
    pause_source(project.config, "docs", signed=project.signed())
    resume_source(project.config, "docs", signed=project.signed())
    assert set(inbox.waiting()) == {"docs"}

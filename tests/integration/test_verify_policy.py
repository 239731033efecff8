"""What verify makes of domain policies, of the calendar, and of what people decided."""

import os
from datetime import timedelta

import pytest

from pipelines.decide import decide, open_holds, release_quarantined, roll_back, unpin
from tests.by_hand import (
    Corruption,
    corrupt,
    edit,
    kinds,
    named,
    put,
    second_publication,
    unheed,
    verify,
)
from tests.project import Project, rule, source

KEY = "# Key\n\nThe key is AKIA" + "Q3EGRFTBKZJHWLXM.\n"
A, BAD = "docs/a.md", "docs/key.md"


def domain(name: str = "general", **policy: str) -> str:
    """One ``[[domains]]``."""
    return f'[[domains]]\nname = "{name}"\n' + "".join(f"{k} = {v}\n" for k, v in policy.items())


NO_TRAINING, WITHHOLD = domain(secrets='"no-training"'), domain(expired='"withhold"')


def test_finding_that_forbids_training_is_obeyed(project: Project) -> None:
    project.configure(more=NO_TRAINING)
    project.write("key.md", KEY)
    project.write("a.md", "# A\n\nOne.\n")
    project.refresh()
    assert {row["uri"]: row["train"] for row in project.rows()} == {A: True, BAD: False}
    assert verify(project, sources=True).ok
    corrupt(project, put(BAD, None, train=True))
    assert named(verify(project)) == {("train", BAD)}
    assert named(verify(project, sources=True)) == {("train", BAD), ("labels", BAD)}


def test_training_that_a_domain_forbids_since_is_named_until_a_refresh(project: Project) -> None:
    project.configure(more=domain(secrets='"warn"'))
    project.write("key.md", KEY)
    project.refresh()
    project.configure(more=NO_TRAINING)
    assert named(verify(project)) == {("train", BAD)}
    later = project.now.timestamp() + 60
    os.utime(project.root / "staleproof.toml", (later, later))
    found = verify(project)
    assert (found.ok, found.explained) == (True, {"newer": 1})
    project.refresh()
    assert verify(project, sources=True).ok
    project.configure(more=domain(secrets='"warn"'))
    project.refresh()
    assert project.rows()[0]["train"] is True
    assert verify(project, sources=True).ok


def test_finding_forbids_training_in_the_domain_that_the_document_chose(project: Project) -> None:
    chooses = source(more='front_matter_domains = ["open"]')
    project.configure(chooses, more=NO_TRAINING + domain("open", secrets='"warn"'))
    project.write("key.md", "---\ndomain: open\n---\n" + KEY)
    project.refresh()
    assert verify(project, sources=True).ok
    project.configure(chooses, more=domain("open", secrets='"no-training"'))
    assert kinds(verify(project)) == {"train"}


@pytest.mark.parametrize(
    ("text", "configured", "change"),
    [
        ("---\ntrain: false\n---\n# A\n\nOne.\n", source(), put(A, None, train=True)),
        ("# A\n\nOne.\n", source(more="train = false"), put(A, None, train=True)),
    ],
)
def test_training_beyond_grant_or_front_matter_is_named(
    project: Project, text: str, configured: str, change: Corruption
) -> None:
    project.configure(configured)
    project.write("a.md", text)
    project.refresh()
    assert verify(project).ok
    corrupt(project, change)
    assert named(verify(project)) == {("train", A)}


def test_training_waits_behind_a_pin(project: Project) -> None:
    project.write("a.md", "# A\n\nOne.\n")
    project.refresh()
    second_publication(project)
    roll_back(project.config, signed=project.signed())
    project.configure(source(more="train = false"))
    for _ in range(2):
        found = verify(project)
        assert (found.ok, found.explained) == (True, {"pending": 1})
        project.refresh()
    unpin(project.config, signed=project.signed())
    project.refresh()
    assert verify(project, sources=True).explained == {}


def until(day: str, text: str = "One.") -> str:
    return f"---\nvalid_until: {day}\n---\n# A\n\n{text}\n"


def days(project: Project, count: int) -> str:
    return (project.now + timedelta(days=count)).date().isoformat()


def test_document_is_shown_on_its_last_day_and_withheld_after_it(project: Project) -> None:
    project.now = project.now.replace(hour=9)
    project.configure(more=WITHHOLD)
    project.write("a.md", until(days(project, 1)))
    project.refresh()
    project.later(days=1)
    assert verify(project).ok
    project.later(days=1)
    found = verify(project)
    assert named(found) == {("not_withheld", A)}
    assert "valid_until" in found.problems[0].detail
    project.refresh()
    found = verify(project, sources=True)
    assert (found.ok, found.explained) == (True, {"withheld": 1})
    unheed(project)
    assert named(verify(project)) == {("not_withheld", A)}


@pytest.mark.parametrize(
    ("configured", "more", "shown"),
    [
        (source(), "", True),
        (source(), domain(expired='"attention"'), True),
        (source(), domain("other", expired='"withhold"'), True),
        (source(), WITHHOLD, False),
        (source(more=rule("a.md", '["public"]') + 'domain = "other"'), WITHHOLD, True),
        (source(more='front_matter_domains = ["other"]'), WITHHOLD, True),
        (
            source(more='front_matter_domains = ["other"]'),
            domain("other", expired='"withhold"'),
            False,
        ),
    ],
)
def test_domain_decides_what_becomes_of_what_is_past(
    project: Project, configured: str, more: str, shown: bool
) -> None:
    chooses = "domain: other\n" if "front_matter_domains" in configured else ""
    project.configure(configured, more=more)
    project.write("a.md", f"---\n{chooses}valid_until: 2020-01-01\n---\n# A\n\nOne.\n")
    project.write("b.md", "# B\n\nTwo.\n")
    project.refresh()
    assert (A in project.seen()) is shown
    assert verify(project, sources=True).ok
    unheed(project)
    assert verify(project).ok is shown


def test_version_in_quarantine_may_end_a_document_sooner_and_never_later(project: Project) -> None:
    project.configure(more=WITHHOLD)
    project.write("a.md", until(days(project, 30)))
    project.refresh()
    project.write("a.md", until("2020-01-01", KEY))
    project.refresh()
    assert project.seen() == set()
    assert verify(project).ok
    project.write("a.md", until("2100-01-01", KEY))
    project.refresh()
    assert project.seen() == {A}
    project.later(days=40)
    assert named(verify(project)) == {("not_withheld", A)}
    project.refresh()
    assert verify(project).ok


def test_documents_of_a_source_that_left_end_as_well(project: Project) -> None:
    (project.root / "other").mkdir()
    project.configure(source(), source("other", "other"), more=WITHHOLD)
    project.write("a.md", until(days(project, 5)))
    project.refresh()
    project.configure(source("other", "other"), more=WITHHOLD)
    project.refresh()
    found = verify(project)
    assert (found.ok, found.explained) == (True, {"held": 1})
    project.later(days=10)
    assert named(verify(project)) == {("not_withheld", A)}
    project.refresh()
    assert verify(project).ok


def test_restored_document_is_as_narrow_as_where_its_bytes_went(project: Project) -> None:
    project.configure(source(more=rule("secret/**", '["managers"]')))
    project.write("a.md", "# A\n\nOne.\n")
    project.write("b.md", "# B\n\nTwo.\n")
    project.refresh()
    project.rename("a.md", "secret/a.md")
    project.refresh()
    roll_back(project.config, signed=project.signed())
    assert (project.seen(), verify(project).ok) == ({"docs/b.md"}, True)
    unheed(project)
    found = verify(project)
    assert named(found) == {("not_withheld", A)}
    assert "docs/secret/a.md" in found.problems[0].detail


def test_released_version_is_pending_then_published_and_no_problem(project: Project) -> None:
    project.write("a.md", "# A\n\nOne.\n")
    project.write("key.md", KEY)
    project.refresh()
    assert verify(project, sources=True).explained == {"quarantined": 1}
    release_quarantined(project.config, BAD, reason="revoked", signed=project.signed())
    found = verify(project, sources=True)
    assert (found.ok, found.explained) == (True, {"pending": 1})
    project.refresh()
    assert project.uris() == {A, BAD}
    for _ in range(2):
        found = verify(project, sources=True)
        assert (found.ok, found.explained) == (True, {})
        project.refresh()


def test_version_that_failed_when_it_came_back_may_be_restored(project: Project) -> None:
    """It was published before its domain asked for more, and a person went back to it."""
    lax = domain(secrets='"warn"')
    project.configure(more=lax)
    project.write("key.md", KEY)
    project.refresh()
    project.write("key.md", "# Key\n\nNo more.\n")
    project.refresh()
    project.configure()
    project.write("key.md", KEY)
    assert project.refresh().documents["quarantined"] == 1
    roll_back(project.config, signed=project.signed(), to=1)
    found = verify(project, sources=True)
    assert (found.ok, found.explained) == (True, {"quarantined": 1})
    unpin(project.config, signed=project.signed())
    project.refresh()
    assert verify(project, sources=True).ok


def test_version_that_asks_for_more_than_it_was_granted_stays_as_it_was(project: Project) -> None:
    project.configure(source(more='front_matter_domains = ["hr"]'))
    project.write("a.md", "---\ndomain: hr\n---\n# A\n\nOne.\n")
    project.refresh()
    project.configure(source())
    for _ in range(2):
        assert project.refresh().documents["quarantined"] == 1
        found = verify(project)
        assert (found.ok, found.explained) == (True, {"quarantined": 1})


def many(project: Project, count: int = 60) -> list[str]:
    names = [f"d{n:02}.md" for n in range(count)]
    for name in names:
        project.write(name, f"# {name}\n\nAbout {name} and more.\n")
    return names


def reviewed(project: Project) -> str:
    """Five differences from what is published that wait for a review; returns the hold."""
    for path in ("leave.md", "pay.md", "it's.md", "b.md"):
        project.write(path, f"# {path}\n\nFirst words of {path}.\n")
    project.refresh()
    project.configure(more=domain(review="true"))
    edit(project)
    project.refresh()
    (hold,) = open_holds(project.config)
    assert hold.kind == "review"
    return hold.id


def test_what_waits_for_a_review_is_held(project: Project) -> None:
    hold = reviewed(project)
    found = verify(project, sources=True)
    assert (found.ok, found.explained) == (True, {"held": 5})
    decide(project.config, hold, accept=True, reason="read", signed=project.signed())
    assert verify(project, sources=True).explained == {"pending": 5}
    project.refresh()
    found = verify(project, sources=True)
    assert (found.ok, found.explained) == (True, {})


def test_what_a_review_refused_is_dropped(project: Project) -> None:
    hold = reviewed(project)
    decide(project.config, hold, accept=False, reason="no", signed=project.signed())
    for _ in range(2):
        found = verify(project, sources=True)
        assert (found.ok, found.explained) == (True, {"dropped": 5})
        project.refresh()


def test_what_failed_its_audit_is_held(project: Project) -> None:
    names = many(project)
    project.refresh()
    project.rename(names[0], "moved.md")
    project.write("new.md", "# New\n\nNews.\n")
    for name in names[1:8]:
        project.write(name, "# A\n\n" + "\n\n".join(f"## H{n}\n\nWords {n}." for n in range(60)))
    project.refresh()
    (hold,) = open_holds(project.config)
    assert hold.kind == "audit"
    found = verify(project, sources=True)
    assert (found.ok, found.explained) == (True, {"held": len(hold.items)})
    assert len(hold.items) == 10, "seven changed, one added, one moved from one uri to another"

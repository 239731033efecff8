"""The watchdog: what changed of health since others were told."""

from pipelines.decide import pause_source
from pipelines.knowledge import told_health
from pipelines.records import Happened
from pipelines.watchdog import Watched, remember_health, watch_freshness
from tests.project import Project, source


def look(project: Project) -> Watched:
    project.later()
    return watch_freshness(project.config, now=project.now)


def tell(project: Project) -> list[Happened]:
    """One look whose changes are told and remembered."""
    watched = look(project)
    happened = [transition.happened for transition in watched.changed]
    remember_health(project.config, watched, now=project.now)
    return happened


def words(happened: list[Happened]) -> list[tuple[str, str, str]]:
    return [(h.resource, h.payload["from"], h.payload["to"]) for h in happened]


def test_only_changes_of_health_are_told(project: Project) -> None:
    project.write("a.md", "# A\n\nIt says one.\n")
    assert tell(project) == []
    project.refresh()
    assert words(tell(project)) == [
        ("knowledge.kb", "unknown", "healthy"),
        ("source.kb.docs", "unknown", "healthy"),
    ]
    assert tell(project) == []
    project.later(days=2)
    late = tell(project)
    assert words(late) == [
        ("knowledge.kb", "healthy", "warning"),
        ("source.kb.docs", "healthy", "warning"),
    ]
    assert tell(project) == []
    project.later(days=2)
    assert {h.payload["to"] for h in tell(project)} == {"degraded"}
    project.refresh()
    assert {h.payload["to"] for h in tell(project)} == {"healthy"}
    assert tell(project) == []


def test_what_is_told_says_why_and_since_when(project: Project) -> None:
    project.refresh()
    tell(project)
    project.later(days=2)
    whole, one = tell(project)
    assert (whole.event, one.event) == ("health.changed", "health.changed")
    assert set(one.payload) == {"from", "to", "why", "since"}
    assert one.payload["since"] == project.now.isoformat()
    assert "No complete scan since" in one.payload["why"]
    assert whole.payload["why"] == f"docs: {one.payload['why']}"


def test_change_that_was_told_and_not_remembered_is_told_again(project: Project) -> None:
    project.refresh()
    tell(project)
    project.later(days=2)
    first = look(project)  # and killed before it could write that down
    again = tell(project)
    assert words([t.happened for t in first.changed]) == words(again)
    assert tell(project) == []


def test_looking_writes_nothing(project: Project) -> None:
    project.refresh()
    version = project.store.table("health").version
    look(project)
    assert project.store.table("health").version == version
    tell(project)
    told = project.store.table("health").version
    tell(project)
    assert project.store.table("health").version == told


def test_health_that_came_and_went_between_two_looks_is_not_told(project: Project) -> None:
    project.refresh()
    tell(project)
    project.later(days=5)
    project.refresh()
    assert tell(project) == []


def test_pausing_a_late_source_makes_the_base_healthy_again(project: Project) -> None:
    (project.root / "wiki").mkdir()
    project.configure(source(), source("wiki", path="wiki"))
    project.refresh()
    tell(project)
    project.later(days=5)
    project.refresh(sources=("docs",))
    assert words(tell(project)) == [
        ("knowledge.kb", "healthy", "degraded"),
        ("source.kb.wiki", "healthy", "degraded"),
    ]
    pause_source(project.config, "wiki", signed=project.signed(), reason="it moves")
    assert words(tell(project)) == [
        ("knowledge.kb", "degraded", "healthy"),
        ("source.kb.wiki", "degraded", "unknown"),
    ]


def test_source_that_left_the_configuration_is_forgotten(project: Project) -> None:
    (project.root / "wiki").mkdir()
    both = (source(), source("wiki", path="wiki"))
    project.configure(*both)
    project.refresh()
    tell(project)
    project.configure(both[0])
    assert tell(project) == []
    assert set(told_health(project.store)) == {"knowledge.kb", "source.kb.docs"}
    project.configure(*both)
    assert words(tell(project)) == [("source.kb.wiki", "unknown", "healthy")]

"""What was said of a model is found again, also in a store that is older than the table."""

from datetime import timedelta

from pipelines.knowledge import VerdictRow, newest_verdict, open_store, record_verdict, verdicts
from pipelines.maintain import maintain
from tests.project import Project


def verdict(project: Project, word: str, **more: object) -> VerdictRow:
    given = {"id": f"{word}-1", "model": "words", "version": "v0.0.1", "at": project.now, **more}
    return VerdictRow(verdict=word, reasons=("worth fell below zero",), **given)  # type: ignore[arg-type]


def test_newest_verdict_of_a_version_counts(project: Project) -> None:
    project.write("a.md", "alpha")
    project.refresh()
    store = project.store
    record_verdict(store, verdict(project, "watch"))
    record_verdict(store, verdict(project, "stale", at=project.now + timedelta(days=1)))
    record_verdict(store, verdict(project, "fresh", version="v0.0.2"))
    found = newest_verdict(store, "words", "v0.0.1")
    assert found is not None
    assert (found.verdict, found.reasons) == ("stale", ("worth fell below zero",))
    assert newest_verdict(store, "others", "v0.0.1") is None


def test_the_same_look_told_twice_is_one_verdict(project: Project) -> None:
    project.write("a.md", "alpha")
    project.refresh()
    record_verdict(project.store, verdict(project, "stale"))
    record_verdict(project.store, verdict(project, "stale"))
    assert len(verdicts(project.store, "words")) == 1


def test_store_from_before_the_table_gets_it_and_works_until_then(project: Project) -> None:
    project.write("a.md", "alpha")
    project.refresh()
    project.store.db.drop_table("verdicts")
    assert verdicts(project.store, "words") == []
    maintain(project.config, now=project.now, run_id="tended")
    open_store(project.config.store_uri, now=project.now)
    record_verdict(project.store, verdict(project, "stale"))
    assert len(verdicts(project.store, "words")) == 1

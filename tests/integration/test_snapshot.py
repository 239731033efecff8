"""The snapshot holds what may be learned today, and nothing of what may not."""

from pipelines.knowledge import newest
from pipelines.retrain.allowed import Allowed, allowed_documents
from tests.planted import MARKERS, plant
from tests.project import Project, rule, source


def allowed(project: Project, *domains: str) -> Allowed:
    last = newest(project.store)
    assert last is not None
    return allowed_documents(project.config, project.store, last, domains=domains, now=project.now)


def test_every_kind_of_document_that_may_not_be_learned_is_left_out_and_counted(
    project: Project,
) -> None:
    plant(project)
    found = allowed(project, "general")
    assert set(found.documents) == {f"docs/good/{number}.md" for number in range(4)}
    assert found.counted == dict.fromkeys(sorted(MARKERS), 1)


def test_document_whose_bytes_moved_where_no_model_may_learn_is_left_out(project: Project) -> None:
    project.configure(source(more='[[sources.rules]]\nmatch = "private/**"\ntrain = false\n'))
    project.write("a.md", "alpha")
    project.write("b.md", "beta")
    project.refresh()
    project.rename("a.md", "private/a.md")
    project.refresh(publish=False)  # it waits for a person, and is published where it was
    assert set(allowed(project).documents) == {"docs/b.md"}


def test_permission_given_since_the_publication_counts(project: Project) -> None:
    project.configure(source(more="train = false"))
    project.write("a.md", "alpha")
    project.refresh()
    assert not allowed(project).documents
    project.configure(source())
    assert set(allowed(project).documents) == {"docs/a.md"}


def test_labels_are_those_of_today(project: Project) -> None:
    project.write("hr/a.md", "alpha")
    project.refresh()
    project.configure(source(more=rule("hr/**", '["public"]'), labels='["managers", "public"]'))
    assert allowed(project).documents["docs/hr/a.md"].policy.labels == ("public",)

"""Verify passes what refreshes publish, and asks no more than it must."""

import ast
from pathlib import Path
from typing import Any

import pytest

import pipelines.verify
from pipelines.decide import roll_back, unpin, withhold
from pipelines.errors import ConfigError, PublicationNotFound
from pipelines.knowledge import publications
from pipelines.records import FrontMatter
from pipelines.refresh import plan_knowledge
from pipelines.verify.access import shown_beyond
from pipelines.verify.ledger import served_since
from pipelines.verify.report import TOLD, Findings
from tests.by_hand import (
    LEAVE,
    TWIN,
    axis,
    copied,
    corrupt,
    edit,
    kinds,
    named,
    published,
    put,
    second_publication,
    unheed,
    verify,
)
from tests.project import Project, rule, source


@pytest.fixture(scope="module")
def refreshed(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Refreshed once; each test works on a copy."""
    return published(tmp_path_factory.mktemp("verify"))


@pytest.fixture
def project(refreshed: Project, tmp_path: Path) -> Project:
    return copied(refreshed, tmp_path / "copy")


def test_what_a_refresh_published_passes(project: Project) -> None:
    found = verify(project, sources=True)
    assert found.to_dict() == {
        "ok": True,
        "publication": 1,
        "documents": 5,
        "chunks": 8,
        "explained": {},
        "problems": [],
        "unreachable": {},
    }
    assert found.exit_code == 0
    assert len(project.encoder.encoded) == 8


def test_rows_out_of_order_are_as_good(project: Project) -> None:
    corrupt(project, lambda rows: rows[::-1])
    assert verify(project, sources=True).ok


def test_rows_are_seen_the_same_in_any_batches(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipelines.verify.rows.BATCH_ROWS", 1)
    monkeypatch.setattr("pipelines.verify.sources.BATCH_DOCUMENTS", 1)
    assert verify(project, sources=True).ok
    corrupt(project, put(TWIN, 0, vector=axis(3)))
    assert kinds(verify(project, sample=0)) == {"vector_differs"}


def test_sample_follows_from_the_run(project: Project) -> None:
    drawn = []
    for run in ("a", "a", "b", "c"):
        project.encoder.encoded.clear()
        verify(project, run_id=run, sample=3)
        drawn.append(tuple(project.encoder.encoded))
    assert [len(texts) for texts in drawn] == [3, 3, 3, 3]
    assert drawn[0] == drawn[1]
    assert len(set(drawn)) > 1
    corrupt(project, lambda rows: rows[::-1])
    project.encoder.encoded.clear()
    verify(project, run_id="a", sample=3)
    assert tuple(project.encoder.encoded) == drawn[0], "wherever the rows stand"


def no_model(model: str, *, root: Path, batch_size: int = 32) -> Any:
    raise ConfigError(f"{model} is not here.")


def test_model_is_loaded_for_the_sample_only(project: Project) -> None:
    assert verify(project, sample=0, load_encoder=no_model).ok
    assert kinds(verify(project, load_encoder=no_model)) == {"embedder"}


def test_other_weights_are_not_compared_with(project: Project) -> None:
    project.encoder.fingerprint = "other"
    assert kinds(verify(project)) == {"embedder"}
    assert project.encoder.encoded == []


def test_labels_that_the_configuration_no_longer_grants_are_named(project: Project) -> None:
    project.configure(source(more=rule("leave.md", '["hr"]')))
    assert named(verify(project)) == {("not_withheld", LEAVE)}
    project.refresh()
    assert verify(project, sources=True).ok


def test_narrowed_by_a_version_in_quarantine_must_be_withheld(project: Project) -> None:
    project.write("leave.md", b"---\nlabels: [hr]\n---\n# Leave\n\n\xff\n")
    project.refresh()
    found = verify(project, sources=True)
    assert found.ok
    assert found.explained["quarantined"] == 1


@pytest.mark.parametrize("labels", ["[it, hr]", "{"])
def test_version_that_nobody_may_see_withholds_the_published_one(
    project: Project, labels: str
) -> None:
    project.configure(source(labels='["hr"]'))
    project.refresh()
    project.write("leave.md", f"---\nlabels: {labels}\n---\n# Leave\n\nNo days.\n")
    project.refresh()
    found = verify(project, sources=True)
    assert (found.ok, found.explained) == (True, {"quarantined": 1, "withheld": 1})
    unheed(project)
    assert named(verify(project)) == {("not_withheld", LEAVE)}


def test_what_only_a_plan_saw_is_not_withheld_yet(project: Project) -> None:
    project.write("leave.md", "---\nlabels: [hr]\n---\n# Leave\n\nThirty days.\n")
    project.later()
    plan_knowledge(project.config, now=project.now, run_id="plan", ports=project.ports())
    found = verify(project, sources=True)
    assert (found.ok, found.explained) == (True, {"newer": 1})
    (project.root / "docs").rename(project.root / "away")
    project.refresh()
    (project.root / "away").rename(project.root / "docs")
    found = verify(project, sources=True)
    assert (found.ok, found.explained) == (True, {"newer": 1}), "it is relabelled as it is"
    project.refresh()
    assert verify(project, sources=True).explained == {}


def test_state_is_served_since_the_row_that_named_it(project: Project) -> None:
    second_publication(project)
    roll_back(project.config, signed=project.signed())
    withhold(project.config, TWIN, reason="wrong", signed=project.signed())
    unpin(project.config, signed=project.signed())
    ledger = publications(project.store)
    assert [row.kind for row in ledger[:3]] == ["unpin", "withheld", "rollback"]
    assert served_since(ledger).number == 3


def test_what_was_mended_while_verify_looked_is_no_problem(project: Project) -> None:
    project.configure(source(more=rule("leave.md", '["hr"]')))
    looks = []

    def load(model: str, *, root: Path, batch_size: int = 32) -> Any:
        looks.append(model)
        if len(looks) == 1:
            project.refresh()
        return project.encoder

    assert verify(project, load_encoder=load).publication > 1
    assert len(looks) == 2


@pytest.mark.parametrize(
    ("published", "granted", "asked", "beyond"),
    [
        ("public", "public", [], False),
        ("public", "hr", [], True),
        ("hr", "public", [], False),
        ("hr", "hr it", [], False),
        ("hr it", "hr", [], True),
        ("hr", "public", ["hr"], False),
        ("public", "public", ["hr"], True),
        ("hr it", "hr it", ["public"], False),
        ("hr it", "hr it", ["hr"], True),
        ("hr", "hr it", ["hr", "hr it"], False),
        ("hr it", "hr it", ["hr it", "hr"], True),
        ("hr", "public", ["hr", "public"], False),
        ("hr", "public", ["hr", "it"], True),
        ("hr", "hr", ["hr it"], True),
        ("it", "it", ["public it"], False),
        ("it", "it", ["public hr"], True),
    ],
)
def test_labels_let_nobody_read_beyond_grant_and_front_matter(
    published: str, granted: str, asked: list[str], beyond: bool
) -> None:
    asks = [FrontMatter(labels=tuple(labels.split())) for labels in asked]
    assert shown_beyond(published.split(), frozenset(granted.split()), asks) is beyond


def test_verify_writes_nothing(project: Project) -> None:
    names = sorted(project.store.names())
    before = {name: project.store.table(name).version for name in names}
    edit(project)
    verify(project, sources=True)
    assert sorted(project.store.names()) == names
    assert {name: project.store.table(name).version for name in names} == before


def test_nothing_published_is_an_error_of_its_own(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.configure()
    with pytest.raises(PublicationNotFound):
        verify(project)


def test_problems_of_one_kind_are_bounded() -> None:
    findings = Findings()
    for number in range(TOLD + 5):
        findings.add("gap", f"docs/{number}", "")
    told = findings.problems()
    assert len(told) == TOLD + 1
    assert told[-1].detail == "and 5 more"


def test_verify_shares_no_code_with_what_it_checks() -> None:
    shared = {"planning", "ingest", "quality", "refresh", "decide", "status", "answers", "audit"}
    for file in Path(pipelines.verify.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ImportFrom):
                parts = (node.module or "").split(".")
                assert parts[:1] != ["pipelines"] or parts[1] not in shared, file
                assert node.module != "pipelines.documents.chunks", file

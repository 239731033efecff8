"""Each kind of thing, corrupted by hand in a real store: verify or the audit names it."""

from pathlib import Path

import pytest

from pipelines.audit import audit_publication
from pipelines.decide import withhold
from pipelines.errors import AuditFailed
from pipelines.ingest.prepare import text_hash_of
from pipelines.knowledge import newest
from tests.by_hand import (
    GHOST,
    LEAVE,
    PAY,
    TWIN,
    Corruption,
    Row,
    again,
    as_another,
    axis,
    copied,
    corrupt,
    kinds,
    named,
    of,
    published,
    put,
    second_publication,
    verify,
    without,
)
from tests.fakes import HashEncoder
from tests.project import Project


@pytest.fixture(scope="module")
def refreshed(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Refreshed once; each test works on a copy."""
    return published(tmp_path_factory.mktemp("verify"))


@pytest.fixture
def project(refreshed: Project, tmp_path: Path) -> Project:
    return copied(refreshed, tmp_path / "copy")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (without(LEAVE, 1), {("gap", LEAVE)}),
        (again(LEAVE, 1), {("duplicate", LEAVE)}),
        (put(LEAVE, 2, position=7), {("gap", LEAVE)}),
        (put(LEAVE, 1, position=-1), {("duplicate", LEAVE), ("gap", LEAVE)}),
        (put(LEAVE, 1, text="Forty days."), {("text_hash", LEAVE)}),
        (put(LEAVE, 1, prefix="Pay"), {("text_hash", LEAVE)}),
        (put(LEAVE, 1, text=" "), {("text_hash", LEAVE), ("empty_text", LEAVE)}),
        (put(LEAVE, 1, start=0), {("span", LEAVE)}),
        (put(LEAVE, 1, end=1), {("span", LEAVE)}),
        (put(LEAVE, 0, vector=[0.1] * 16), {("vector", LEAVE)}),
        (put(LEAVE, 0, vector=[float("inf")] * 16), {("vector", LEAVE)}),
        (put(TWIN, 0, vector=axis(3)), {("vector_differs", "docs/twins/twin.md")}),
        (put(LEAVE, 1, content_hash="0" * 64), {("mixed", LEAVE)}),
        (put(LEAVE, 1, title="Other"), {("mixed", LEAVE)}),
        (put(LEAVE, 1, labels=["hr"]), {("mixed", LEAVE)}),
        (put(LEAVE, 1, train=False), {("mixed", LEAVE)}),
        (put(LEAVE, 1, findings=["secrets"]), {("mixed", LEAVE)}),
        (put(LEAVE, 1, recipe="0"), {("mixed", LEAVE)}),
        (put(LEAVE, None, labels=[]), {("labels", LEAVE)}),
        (put(PAY, None, labels=["public"]), {("not_withheld", PAY)}),
        (put(PAY, None, labels=["hr", "it"]), {("not_withheld", PAY)}),
        (put(PAY, None, front_matter='{"labels": 3}'), {("front_matter", PAY)}),
        (put(PAY, None, front_matter='{"valid_until": "soon"}'), {("front_matter", PAY)}),
        (put(PAY, None, findings=["rumours"]), {("findings", PAY)}),
        (put(LEAVE, None, source="attic"), {("source", LEAVE)}),
        (put(LEAVE, None, uri="attic/leave.md", source="attic"), {("source", "attic/leave.md")}),
    ],
)
def test_broken_rows_are_named(
    project: Project, change: Corruption, expected: set[tuple[str, str]]
) -> None:
    corrupt(project, change)
    found = verify(project, sample=0)
    assert named(found) == expected
    assert found.exit_code == 3


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (without(LEAVE), {("missing", LEAVE)}),
        (put(LEAVE, None, content_hash="0" * 64), {("stale", LEAVE)}),
        (as_another(TWIN, GHOST), {("extra", GHOST)}),
        (without(LEAVE, 2), {("text", LEAVE)}),
        (put(LEAVE, 0, start=1), {("text", LEAVE)}),
        (put(LEAVE, None, title="Other"), {("title", LEAVE)}),
        (put(LEAVE, None, labels=["hr"]), {("labels", LEAVE)}),
        (put(LEAVE, None, domain="hr"), {("labels", LEAVE)}),
        (put(LEAVE, None, train=False), {("labels", LEAVE)}),
        (put(PAY, None, front_matter='{"labels": ["it", "hr"]}'), {("front_matter", PAY)}),
    ],
)
def test_rows_that_no_source_accounts_for_are_named(
    project: Project, change: Corruption, expected: set[tuple[str, str]]
) -> None:
    corrupt(project, change)
    assert verify(project, sample=0).ok, "the rows agree with each other"
    found = verify(project, sample=0, sources=True)
    assert named(found) == expected
    assert found.explained == {}


def test_count_that_the_ledger_did_not_say_is_named(project: Project) -> None:
    corrupt(project, without(LEAVE, 2), recount=False)
    assert kinds(verify(project)) == {"count"}


def test_vector_of_another_text_is_found_by_embedding_again(project: Project) -> None:
    corrupt(project, put(LEAVE, 1, vector=axis(3)))
    assert verify(project, sample=0).ok
    assert named(verify(project)) == {("embedding", LEAVE)}


def test_ledger_with_a_gap_is_named(project: Project) -> None:
    second_publication(project)
    project.store.table("publications").delete("number = 1")
    (problem,) = verify(project).problems
    assert (problem.kind, problem.detail) == ("ledger", "#1 is missing")


def test_number_given_twice_is_named(project: Project) -> None:
    second_publication(project)
    ledger = project.store.table("publications")
    ledger.add(ledger.search().where("number = 1").to_arrow())
    (problem,) = verify(project).problems
    assert (problem.kind, problem.detail) == ("ledger", "#1 is there 2 times")


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"restores": 1}, "#2 restores #1 and names another"),
        ({"kind": "withheld"}, "#2 changes the state, and says withheld"),
        ({"fingerprint": "f00d"}, "gives"),
    ],
)
def test_ledger_rows_that_contradict_each_other_are_named(
    project: Project, values: Row, said: str
) -> None:
    second_publication(project)
    project.store.table("publications").update(where="number = 2", values=values)
    found = verify(project, sample=0)
    assert [p.kind for p in found.problems] == ["ledger"]
    assert said in found.problems[0].detail


def test_state_without_a_tag_is_named(project: Project) -> None:
    last = newest(project.store)
    assert last is not None
    tags = project.store.table(last.generation).tags
    for name in tags.list():
        tags.delete(name)
    assert kinds(verify(project)) == {"tag"}


@pytest.mark.parametrize("kept", [0.5, 0.0])
def test_damaged_file_is_named(project: Project, kept: float) -> None:
    last = newest(project.store)
    assert last is not None
    (file,) = (project.root / "store" / f"{last.generation}.lance" / "data").glob("*")
    data = file.read_bytes()
    file.write_bytes(data[: int(len(data) * kept)])
    assert kinds(verify(project)) == {"unreadable"}


def test_missing_files_are_named_by_publication(project: Project) -> None:
    last = newest(project.store)
    assert last is not None
    (file,) = (project.root / "store" / f"{last.generation}.lance" / "data").glob("*")
    second_publication(project)
    corrupt(project, lambda rows: rows)  # the newest state needs no file of the first
    file.unlink()
    found = verify(project)
    (problem,) = found.problems
    assert problem.kind == "unreadable"
    assert problem.detail.startswith("#1 ")
    assert found.chunks == 9


def test_unreadable_newest_state_is_all_that_is_told(project: Project) -> None:
    project.store.table("publications").update(where="number = 1", values={"version": 99})
    found = verify(project, sources=True)
    assert kinds(found) == {"tag", "unreadable"}
    assert (found.documents, found.chunks) == (0, 0)


def test_takedown_that_readers_do_not_feel_is_named(project: Project) -> None:
    withhold(project.config, TWIN, reason="wrong", signed=project.signed())
    found = verify(project, sources=True)
    assert found.ok
    assert found.explained == {"withheld": 2}, "the twin has the same bytes"
    project.store.table("publications").update(where="number = 2", values={"withheld": [PAY]})
    assert named(verify(project)) == {
        ("not_withheld", TWIN),
        ("not_withheld", "docs/twins/twin.md"),
    }


BAD = "docs/key.md"
KEY = "# Key\n\nThe key is AKIA" + "Q3EGRFTBKZJHWLXM.\n"


def test_published_version_that_stands_in_quarantine_is_named(project: Project) -> None:
    project.write("key.md", KEY)
    assert project.refresh().documents["quarantined"] == 1
    (content_hash,) = project.store.table("quarantine").to_arrow()["content_hash"].to_pylist()
    corrupt(project, as_another(TWIN, BAD, content_hash=content_hash))
    assert named(verify(project)) == {("quarantined", BAD)}
    project.refresh()
    assert named(verify(project)) == {("quarantined", BAD)}, "no refresh makes it good"


def test_failure_that_is_no_longer_recorded_explains_nothing(project: Project) -> None:
    project.write("key.md", KEY)
    project.refresh()
    assert verify(project, sources=True).explained == {"quarantined": 1}
    project.store.table("quarantine").delete("true")
    found = verify(project, sources=True)
    assert (named(found), found.explained) == ({("missing", BAD)}, {})


def audit(project: Project) -> dict[str, set[str]]:
    """Critical expectations that the newest publication fails, and where."""
    report = audit_publication(
        project.config, now=project.now, load_encoder=project.ports().load_encoder
    )
    failed = [v for v in report.verdicts if v.severity == "critical" and not v.passed]
    return {v.expectation: set(v.failed) for v in failed}


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Two publications, the newest with more documents."""
    made = published(tmp_path_factory.mktemp("grown"))
    for n in range(12):
        made.write(f"more/{n}.md", f"# More {n}\n\nText number {n} of many, {n * 7}.\n")
    made.refresh()
    return made


def says(uri: str, text: str) -> Corruption:
    """A corruption: another last passage, with hash and vector as they must be."""

    def change(rows: list[Row]) -> None:
        row = of(rows, uri)[-1]
        embedded = f"{row['prefix']}\n\n{text}"
        row |= {"text": text, "end": row["start"] + len(text), "text_hash": text_hash_of(embedded)}
        row["vector"] = HashEncoder().encode_query(embedded).tolist()

    return change


def all_alike(rows: list[Row]) -> None:
    for row in rows:
        row["vector"] = axis(3)


@pytest.mark.parametrize(
    ("change", "expectation", "where"),
    [
        (put(LEAVE, 1, vector=axis(3)), "unchanged_texts_keep_their_vectors", "docs"),
        (all_alike, "texts_have_vectors_of_their_own", f"{LEAVE}#1"),
        (put(LEAVE, 1, tokens=65), "passage_is_within_token_limit", f"{LEAVE}#1"),
        (says(LEAVE, "Who\n\nDas CafÃ© fÃ¼r alle StraÃŸen.\n"), "text_is_decoded_rightly", LEAVE),
        (says(LEAVE, KEY), "has_no_secrets", LEAVE),
        (says(LEAVE, "\u202eWho\n"), "has_no_bidi_overrides", LEAVE),
    ],
)
def test_audit_names_what_rows_that_agree_do_not_show(
    grown: Project, tmp_path: Path, change: Corruption, expectation: str, where: str
) -> None:
    project = copied(grown, tmp_path / "copy")
    corrupt(project, change)
    assert verify(project, sample=0).ok
    assert where in audit(project)[expectation]


def test_audit_of_what_a_refresh_published_passes(grown: Project) -> None:
    assert audit(grown) == {}


@pytest.mark.parametrize("change", [without(LEAVE, 1), again(LEAVE, 1)])
def test_audit_does_not_judge_what_is_not_whole(project: Project, change: Corruption) -> None:
    corrupt(project, change)
    with pytest.raises(AuditFailed, match=LEAVE):
        audit(project)


UNSEEN = {"heading_path", "source_version", "source_at"}
"""Told to readers beside a passage; nothing in the store follows from them."""
OTHERWISE = {
    "uri": GHOST,
    "source": "attic",
    "position": 9,
    "start": 1,
    "end": 1,
    "prefix": "Other",
    "text": "Other",
    "text_hash": "0" * 32,
    "tokens": 65,
    "vector": axis(3),
    "title": "Other",
    "domain": "hr",
    "labels": ["hr"],
    "train": False,
    "front_matter": "{",
    "content_hash": "0" * 64,
    "recipe": "0",
    "findings": ["secrets"],
}


@pytest.mark.parametrize("column", OTHERWISE)
def test_no_column_of_a_passage_can_be_altered_unseen(
    grown: Project, tmp_path: Path, column: str
) -> None:
    project = copied(grown, tmp_path / "copy")
    corrupt(project, put(LEAVE, 1, **{column: OTHERWISE[column]}))
    assert not verify(project).ok or audit(project)


def test_every_column_is_thought_of(project: Project) -> None:
    assert set(project.rows()[0]) == set(OTHERWISE) | UNSEEN

"""Verify names what is wrong with a store, and explains what only looks wrong."""

import ast
import itertools
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import pipelines.verify
from pipelines.decide import decide, open_holds, roll_back, unpin, withhold
from pipelines.errors import ConfigError, PublicationNotFound
from pipelines.knowledge import newest, publications
from pipelines.records import Entry, FrontMatter
from pipelines.refresh import plan_knowledge
from pipelines.sources import open_source
from pipelines.verify import Verification, verify_knowledge
from pipelines.verify.access import rights_of, shown_beyond
from pipelines.verify.documents import Today
from pipelines.verify.facts import read_facts
from pipelines.verify.ledger import served_since
from pipelines.verify.report import TOLD, Findings
from pipelines.verify.rows import verify_rows
from pipelines.verify.sources import verify_source
from tests.project import Project, rule, source

Row = dict[str, Any]
DOCUMENTS = {
    "leave.md": "# Leave\n\nThirty days.\n\n## Notice\n\nTwo weeks.\n\n## Who\n\nEveryone.\n",
    "pay.md": "---\nlabels: [hr]\n---\n# Pay\n\nMonthly.\n\n## Raise\n\nYearly.\n",
    "twin.md": "# Twin\n\nSaid twice.\n",
    "twins/twin.md": "# Twin\n\nSaid twice.\n",
    "it's.md": "# Quoted\n\nA name with a quote.\n",
}


@pytest.fixture(scope="module")
def refreshed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """Refreshed once; each test works on a copy."""
    made = Project(tmp_path_factory.mktemp("verify"))
    made.configure()
    for path, text in DOCUMENTS.items():
        made.write(path, text)
    made.refresh()
    return made


@pytest.fixture
def project(refreshed: Project, tmp_path: Path) -> Project:
    shutil.copytree(refreshed.root, tmp_path / "copy")
    return Project(tmp_path / "copy", now=refreshed.now, runs=itertools.count(100))


def verify(project: Project, **asked: Any) -> Verification:
    project.later(seconds=1)
    asked = {"load_encoder": project.ports().load_encoder, "run_id": "v"} | asked
    return verify_knowledge(project.config, now=project.now, **asked)


def kinds(found: Verification) -> set[str]:
    return {problem.kind for problem in found.problems}


def named(found: Verification) -> set[tuple[str, str]]:
    return {(problem.kind, problem.uri) for problem in found.problems}


def corrupt(project: Project, change: Callable[[list[Row]], Any], *, recount: bool = True) -> None:
    """Writes other rows behind everybody's back and makes the newest publication name them."""
    rows = project.rows()
    rows = change(rows) or rows
    last = newest(project.store)
    assert last is not None
    table = project.store.table(last.generation)
    table.delete("true")
    table.add(pa.Table.from_pylist(rows, schema=table.schema))
    table.tags.create(f"pub-bad-{table.version}", table.version)
    values = {"version": table.version}
    if recount:
        values |= {"documents": len({row["uri"] for row in rows}), "chunks": len(rows)}
    project.store.table("publications").update(where=f"number = {last.number}", values=values)


def of(rows: list[Row], uri: str) -> list[Row]:
    return [row for row in rows if row["uri"] == uri]


def put(uri: str, at: int | None, /, **values: Any) -> Callable[[list[Row]], None]:
    """A corruption: other values in one row of a document, or in all of them."""

    def change(rows: list[Row]) -> None:
        for row in of(rows, uri):
            if at is None or row["position"] == at:
                row.update(values)

    return change


def without(uri: str, position: int | None = None) -> Callable[[list[Row]], list[Row]]:
    def change(rows: list[Row]) -> list[Row]:
        return [r for r in rows if (r["uri"], position) not in ((uri, None), (uri, r["position"]))]

    return change


def twice(rows: list[Row]) -> list[Row]:
    return [*rows, of(rows, "docs/leave.md")[1]]


def axis(n: int) -> list[float]:
    return [float(i == n) for i in range(16)]


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


LEAVE, PAY, TWIN = "docs/leave.md", "docs/pay.md", "docs/twin.md"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (without(LEAVE, 1), {("gap", LEAVE)}),
        (twice, {("duplicate", LEAVE)}),
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
        (put(LEAVE, 1, recipe="0"), {("mixed", LEAVE)}),
        (put(LEAVE, None, labels=[]), {("labels", LEAVE)}),
        (put(PAY, None, labels=["public"]), {("not_withheld", PAY)}),
        (put(PAY, None, labels=["hr", "it"]), {("not_withheld", PAY)}),
        (put(PAY, None, front_matter='{"labels": 3}'), {("front_matter", PAY)}),
        (put(LEAVE, None, source="attic"), {("source", LEAVE)}),
        (put(LEAVE, None, uri="attic/leave.md", source="attic"), {("source", "attic/leave.md")}),
    ],
)
def test_broken_rows_are_named(
    project: Project, change: Callable[[list[Row]], Any], expected: set[tuple[str, str]]
) -> None:
    corrupt(project, change)
    found = verify(project, sample=0)
    assert named(found) == expected
    assert found.exit_code == 3


def test_count_that_the_ledger_did_not_say_is_named(project: Project) -> None:
    corrupt(project, without(LEAVE, 2), recount=False)
    assert kinds(verify(project)) == {"count"}


def test_vector_of_another_text_is_found_by_embedding_again(project: Project) -> None:
    corrupt(project, put(LEAVE, 1, vector=axis(3)))
    assert verify(project, sample=0).ok
    assert named(verify(project)) == {("embedding", LEAVE)}


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


def second_publication(project: Project) -> None:
    project.write("new.md", "# New\n\nNews.\n")
    project.refresh()


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
    project.store.table("publications").update(where="true", values={"withheld": ["docs/none.md"]})
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


def edit(project: Project) -> None:
    """One document changed, one added, one gone, one under another name."""
    project.write("leave.md", "# Leave\n\nForty days.\n")
    project.write("new.md", "# New\n\nNews.\n")
    project.remove("it's.md")
    project.rename("pay.md", "wages.md")


def test_changes_since_the_last_listing_are_newer(project: Project) -> None:
    edit(project)
    found = verify(project, sources=True)
    assert (found.ok, found.explained) == (True, {"newer": 5})
    assert verify(project).explained == {}, "the sources are asked only where that is asked for"


def test_changes_behind_a_pin_are_pending(project: Project) -> None:
    second_publication(project)
    roll_back(project.config, signed=project.signed())
    assert verify(project, sources=True).explained == {"pending": 1}, "nobody looked since"
    edit(project)
    project.refresh()
    found = verify(project, sources=True)
    assert (found.ok, found.explained) == (True, {"pending": 5})
    (project.root / "docs").rename(project.root / "away")
    project.refresh()
    (project.root / "away").rename(project.root / "docs")
    found = verify(project, sources=True)
    assert (found.ok, found.explained) == (True, {"pending": 5}), "a broken listing forgets nothing"
    unpin(project.config, signed=project.signed())
    assert verify(project, sources=True).explained == {"pending": 5}
    project.refresh()
    found = verify(project, sources=True)
    assert (found.ok, found.explained) == (True, {})


def test_held_and_refused_changes_are_told_apart(project: Project) -> None:
    edit(project)
    project.refresh(publish=False)
    assert verify(project, sources=True).explained == {"held": 5}
    (hold,) = open_holds(project.config)
    decide(project.config, hold.id, accept=False, reason="no", signed=project.signed())
    found = verify(project, sources=True)
    assert (found.ok, found.explained) == (True, {"dropped": 5})


def test_held_deletions_are_told(project: Project) -> None:
    project.remove("leave.md", "pay.md", "it's.md")
    project.refresh()
    found = verify(project, sources=True)
    assert (found.ok, found.explained) == (True, {"held": 3})
    (hold,) = open_holds(project.config)
    decide(project.config, hold.id, accept=True, reason="yes", signed=project.signed())
    assert set(verify(project, sources=True).explained) == {"pending"}


def test_source_that_left_the_configuration_is_told(project: Project) -> None:
    project.configure(source("other", "other"))
    (project.root / "other").mkdir()
    found = verify(project)
    assert kinds(found) == {"source"}
    project.refresh()
    found = verify(project, sources=True)
    assert (found.ok, found.explained) == (True, {"held": 5})


def test_broken_listing_is_not_compared(project: Project) -> None:
    shutil.rmtree(project.root / "docs")
    found = verify(project, sources=True)
    assert (found.ok, found.explained) == (True, {"not_compared": 5})


def test_unreadable_document_is_quarantined_or_not_compared(project: Project) -> None:
    project.configure(more="[limits]\nmax_document_bytes = 40")
    assert verify(project, sources=True).explained == {"not_compared": 2}
    project.refresh()
    assert verify(project, sources=True).explained == {"quarantined": 2}


def test_configuration_written_after_the_listing_explains_other_labels(project: Project) -> None:
    project.configure(source(labels='["public", "hr"]'))
    assert kinds(verify(project, sources=True)) == {"labels"}
    later = project.now.timestamp() + 60
    os.utime(project.root / "staleproof.toml", (later, later))
    found = verify(project, sources=True)
    assert (found.ok, found.explained) == (True, {"newer": 4})


GHOST = "docs/ghost.md"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (without(LEAVE), {("missing", LEAVE)}),
        (put(LEAVE, None, content_hash="0" * 64), {("stale", LEAVE)}),
        (lambda rows: [*rows, of(rows, TWIN)[0] | {"uri": GHOST}], {("extra", GHOST)}),
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
    project: Project, change: Callable[[list[Row]], Any], expected: set[tuple[str, str]]
) -> None:
    corrupt(project, change)
    assert verify(project, sample=0).ok, "the rows agree with each other"
    found = verify(project, sample=0, sources=True)
    assert named(found) == expected
    assert found.explained == {}


def test_document_that_was_never_listed_is_told_from_one_that_just_went(project: Project) -> None:
    corrupt(project, lambda rows: [*rows, of(rows, TWIN)[0] | {"uri": GHOST}])
    project.remove("leave.md")
    found = verify(project, sources=True)
    assert (named(found), found.explained) == ({("extra", GHOST)}, {"newer": 1})


def test_passages_of_an_older_chunker_wait_for_the_next_refresh(project: Project) -> None:
    corrupt(project, put(LEAVE, None, recipe="0"))
    found = verify(project, sources=True)
    assert (found.ok, found.explained) == (True, {"pending": 1})


def test_former_name_of_a_moved_document_that_stays_is_named(project: Project) -> None:
    former = of(project.rows(), TWIN)
    project.rename("twin.md", "moved.md")
    project.refresh()
    corrupt(project, lambda rows: [*rows, *former])
    assert named(verify(project, sources=True)) == {("extra", TWIN)}


def test_edit_that_keeps_size_and_time_is_named(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.configure()
    project.write("a.md", "# A\n\nOne.\n")
    project.refresh()
    file = tmp_path / "docs" / "a.md"
    before = file.stat()
    project.write("a.md", "# A\n\nTwo.\n")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    project.refresh()
    assert named(verify(project, sources=True)) == {("stale", "docs/a.md")}
    project.refresh(recheck=True)
    assert verify(project, sources=True).ok


@dataclass
class Racing:
    """A source whose documents are edited after they were listed."""

    source: Any
    edit: Callable[[], None]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.source, name)

    def read(self, entry: Entry) -> bytes:
        self.edit()
        data: bytes = self.source.read(entry)
        return data


def test_edit_while_verify_reads_is_newer(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.configure()
    project.write("a.md", "# A\n\nOne.\n")
    project.refresh()
    config, store, last = project.config, project.store, newest(project.store)
    assert last is not None
    opened = open_source(config.source("docs"), root=config.root, cache=tmp_path / "cache")
    source = Racing(opened, lambda: project.write("a.md", "# A\n\nAnother.\n"))
    findings = Findings()
    rows = verify_rows(store, last.state, findings, seed="", sample=0)
    rights = {"docs": rights_of(config.source("docs"))}
    today = Today(last, read_facts(store), rights, last.at, None)
    limits = {"now": project.now, "max_bytes": 1000}
    verify_source(source, store, rows.documents, today, findings, **limits)
    assert (findings.problems(), dict(findings.explained)) == ((), {"newer": 1})


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


def git(folder: Path, *arguments: str) -> None:
    name = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
    subprocess.run(["git", *name, *arguments], cwd=folder, check=True, capture_output=True)


def test_commit_that_was_listed_has_nothing_newer(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.write("a.md", "# A\n\nOne.\n")
    project.write("b.md", "# B\n\nTwo.\n")
    git(tmp_path / "docs", "init", "-q")
    git(tmp_path / "docs", "add", ".")
    git(tmp_path / "docs", "commit", "-qm", "first")
    project.configure(source().replace('"files"', '"git"').replace("path", "url"))
    project.refresh()
    assert verify(project, sources=True).ok
    corrupt(project, without("docs/a.md"))
    project.store.table("documents").delete("uri = 'docs/a.md'")
    assert named(verify(project, sources=True)) == {("missing", "docs/a.md")}
    git(tmp_path / "docs", "rm", "-q", "b.md")
    git(tmp_path / "docs", "commit", "-qm", "second")
    assert verify(project, sources=True).explained == {"newer": 2}


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
    shared = {"planning", "ingest", "quality", "refresh", "decide", "status", "answers"}
    for file in Path(pipelines.verify.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ImportFrom):
                parts = (node.module or "").split(".")
                assert parts[:1] != ["pipelines"] or parts[1] not in shared, file
                assert node.module != "pipelines.documents.chunks", file


def test_source_that_cannot_be_reached_is_named_and_not_called_well(project: Project) -> None:
    (project.root / "docs").rename(project.root / "away")
    found = verify(project, sources=True)
    assert (found.ok, found.exit_code) == (True, 4)
    assert list(found.unreachable) == ["docs"]

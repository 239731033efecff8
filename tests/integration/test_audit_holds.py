"""A source that fails its audit is held, once, and the others go on; a person lets it through."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from pipelines.decide import decide, open_holds
from pipelines.knowledge import audits, newest
from pipelines.pages import audit_page_path
from pipelines.records import Happened, Vectors
from tests.bad_inputs import good_documents
from tests.fakes import HashEncoder
from tests.project import Project, source

LONG = "".join(f"## Part {n}\n\n{'words of part ' * 12}{n}\n\n" for n in range(12))


def two_sources(project: Project) -> None:
    """``docs`` with long documents, and ``other`` with one."""
    project.configure(source(), source("other", path="other"))
    (project.root / "other").mkdir(exist_ok=True)
    (project.root / "other/x.md").write_text("# X\n\nOf the other source.\n")
    for number in range(6):
        project.write(f"{number}.md", f"# Document {number}\n\n{LONG}")


def shrink(project: Project, word: str = "short") -> None:
    """Each document of ``docs`` loses nearly all of its passages."""
    for number in range(6):
        project.write(f"{number}.md", f"# Document {number}\n\nNow {word}.\n")


def edit_other(project: Project, text: str) -> None:
    (project.root / "other/x.md").write_text(f"# X\n\n{text}\n")


def failed(project: Project) -> list[Happened]:
    return [e for e in project.events if isinstance(e, Happened) and e.event == "audit.failed"]


def test_source_that_fails_is_held_and_the_others_go_on(project: Project) -> None:
    two_sources(project)
    project.refresh()
    before = [row for row in project.rows() if row["source"] == "docs"]
    shrink(project)
    edit_other(project, "Edited meanwhile.")
    report = project.refresh()
    assert report.published
    assert report.exit_code == 3
    assert [(h.kind, h.source) for h in report.holds] == [("audit", "docs")]
    assert "passages_are_about_as_many" in report.holds[0].why
    assert [row for row in project.rows() if row["source"] == "docs"] == before
    assert any("Edited meanwhile" in row["text"] for row in project.rows())
    assert report.documents["held"] == 6
    assert [e.resource for e in failed(project)] == ["source.kb.docs"]


def test_held_source_repeats_neither_work_nor_alarm(project: Project) -> None:
    two_sources(project)
    project.refresh()
    shrink(project)
    report = project.refresh()
    assert not report.published
    assert report.reason == "what changed waits for a person"
    version = project.store.table(newest(project.store).generation).version  # type: ignore[union-attr]
    project.events.clear()
    again = project.refresh()
    assert again.exit_code == 3
    assert again.holds == report.holds
    assert any("Still held since" in line for line in again.attention)
    assert project.encoder.encoded == []
    assert project.store.table(newest(project.store).generation).version == version  # type: ignore[union-attr]
    assert not [e for e in project.events if isinstance(e, Happened) and "hold" in e.event]
    assert failed(project) == []


def test_another_change_of_the_source_is_audited_anew(project: Project) -> None:
    two_sources(project)
    project.refresh()
    shrink(project)
    first = project.refresh().holds[0]
    since = open_holds(project.config)[0].since
    shrink(project, "shorter")
    second = project.refresh().holds[0]
    assert second.id != first.id
    assert open_holds(project.config)[0].since == since
    for number in range(6):
        project.write(f"{number}.md", f"# Document {number}\n\n{LONG}And more.\n")
    report = project.refresh()
    assert report.published
    assert report.holds == ()
    assert open_holds(project.config) == []


def test_another_suite_is_tried_anew(project: Project) -> None:
    two_sources(project)
    project.refresh()
    shrink(project)
    project.refresh()
    builtin = Path(__file__).parents[2] / "pipelines/quality/builtin/publication.json"
    suite = json.loads(builtin.read_text())
    for entry in suite["expectations"]:
        if entry["kwargs"]["column"] == "chunks_ratio":
            entry["kwargs"]["min_value"] = 0.01
    folder = project.root / "data/expectations"
    folder.mkdir(parents=True)
    (folder / "publication.json").write_text(json.dumps(suite))
    assert project.refresh().published


def test_accepted_hold_goes_through_and_the_ledger_says_who_and_why(project: Project) -> None:
    two_sources(project)
    project.refresh()
    shrink(project)
    held = project.refresh().holds[0]
    signed = project.signed()
    decide(project.config, held.id, accept=True, reason="shortened on purpose", signed=signed)
    report = project.refresh()
    assert report.published
    assert report.exit_code == 0
    assert project.encoder.encoded == []
    last = newest(project.store)
    assert last is not None
    assert last.audit["accepted"] == [
        {"hold": held.id, "kind": "audit", "actor": "somebody", "reason": "shortened on purpose"}
    ]
    assert not project.refresh().published


def test_dropped_hold_keeps_what_is_published(project: Project) -> None:
    two_sources(project)
    project.refresh()
    before = project.rows()
    shrink(project)
    held = project.refresh().holds[0]
    decide(project.config, held.id, accept=False, reason="", signed=project.signed())
    report = project.refresh()
    assert not report.published
    assert report.holds == ()
    assert project.rows() == before


def test_narrowing_is_not_held_with_its_source(project: Project) -> None:
    two_sources(project)
    project.refresh()
    shrink(project)
    project.refresh()
    project.configure(source(labels='["staff"]'), source("other", path="other"))
    assert [h.kind for h in project.refresh().holds] == ["audit"]
    assert project.seen() == {"other/x.md"}
    assert "docs/1.md" in project.seen(["staff"])
    assert len([row for row in project.rows() if row["source"] == "docs"]) > 60


@dataclass
class Drifting(HashEncoder):
    """Makes other vectors of texts that hold a word, once it is told to."""

    word: str = ""
    dimension: int = 32
    max_tokens: int = 256

    def encode(self, texts: Sequence[str]) -> Vectors:
        vectors = super().encode(texts)
        for row, text in enumerate(texts):
            if self.word and self.word in text:
                vectors[row] = self._vector("something else " + text[::-1])
        return vectors


def golden(project: Project, count: int) -> None:
    """A question for each of the good documents, answered by its own title."""
    folder = project.root / "data/golden"
    folder.mkdir(parents=True, exist_ok=True)
    lines = [
        json.dumps({"id": str(n), "question": text.splitlines()[0], "uri": f"docs/{path}"})
        for n, (path, text) in enumerate(list(good_documents().items())[:count])
    ]
    (folder / "questions.jsonl").write_text("\n".join(lines))


@pytest.mark.parametrize(("count", "held"), [(40, True), (20, False)])
def test_canaries_hold_a_source_where_there_are_enough(
    project: Project, count: int, held: bool
) -> None:
    project.encoder = Drifting()
    project.configure()
    golden(project, count)
    for path, text in good_documents().items():
        project.write(path, text)
    project.refresh()
    project.encoder.word = "changed"
    for path, text in good_documents().items():
        project.write(path, text + "\nIt changed.\n")
    for number in range(40):
        project.write(f"new/{number}.md", f"# {number}\n\nAnswers within {number} working days.\n")
    report = project.refresh()
    name = "canaries_find_their_documents"
    assert report.published is not held
    if held:
        assert name in report.holds[0].why
    else:
        assert any(f"few_{name}" in line for line in report.attention)


def test_questions_are_embedded_once(project: Project) -> None:
    asked: list[str] = []

    class Asked(HashEncoder):
        def encode_query(self, text: str) -> Vectors:
            asked.append(text)
            return super().encode_query(text)

    project.encoder = Asked()
    project.configure()
    golden(project, 3)
    for path, text in list(good_documents().items())[:3]:
        project.write(path, text)
    project.refresh()
    assert len(asked) == 3
    project.write("more.md", "# More\n\nAnother one.\n")
    project.refresh()
    assert len(asked) == 3


def test_every_audit_is_written_down(project: Project) -> None:
    two_sources(project)
    project.refresh()
    shrink(project)
    edit_other(project, "Edited.")
    report = project.refresh()
    newest_audit, first = audits(project.store)
    assert (first.number, newest_audit.number) == (1, 2)
    assert newest_audit.run == report.run
    assert newest_audit.report["measures"]["other"]["documents"] == 1
    grains = {verdict["grain"] for verdict in newest_audit.report["verdicts"]}
    assert grains == {"documents", "chunks", "publication"}
    (held,) = newest_audit.report["held"]
    assert (held["source"], held["hold"]) == ("docs", report.holds[0].id)
    assert held["verdicts"][0]["expectation"] in held["why"]
    assert held["measures"]["documents"] == 6
    page = audit_page_path(project.store.uri, 2).read_text("utf-8")
    assert "Held, and not in this publication" in page
    assert report.holds[0].id in page

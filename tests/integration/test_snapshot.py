"""The snapshot holds what may be learned today, and nothing of what may not."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from pipelines.embedding import fingerprint, locate_model
from pipelines.embedding.weights import BUILT_IN
from pipelines.errors import ConfigError, PublicationNotFound
from pipelines.knowledge import Query, QueryLog, newest, readable_states
from pipelines.retrain.allowed import Allowed, allowed_documents
from pipelines.retrain.snapshot import Taken, take_snapshot
from pipelines.training import read_snapshot
from tests.fakes import HashEncoder
from tests.planted import ALLOWED, MARKERS, found_in, plant, text
from tests.project import Project, rule, source

MODEL = '[[models]]\nname = "words"\ngeneral = "general.jsonl"\npairs = ["pairs.jsonl"]\ndomains = ["general"]\n'


@pytest.fixture
def project(project: Project) -> Project:
    """Its store says that the built-in model made its vectors, which nothing here asks for."""
    folder = locate_model(BUILT_IN, root=project.root)
    project.encoder = HashEncoder(model=BUILT_IN, fingerprint=fingerprint(folder))
    return project


def write_lines(path: Path, *lines: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))


def prepare(project: Project, *pairs: dict[str, Any]) -> None:
    write_lines(project.root / "general.jsonl", {"question": "Why?", "passage": "Because."})
    write_lines(project.root / "pairs.jsonl", *pairs)


def taken(project: Project, folder: str = "snapshot") -> Taken:
    return take_snapshot(
        project.config,
        project.config.model("words"),
        project.root / folder,
        former=None,
        now=project.now,
        run="run-t",
    )


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


def test_no_byte_of_a_snapshot_comes_from_a_document_that_may_not_be_learned(
    project: Project,
) -> None:
    plant(project, models=MODEL)
    uris = {row["uri"]: row for row in project.rows()}
    pairs = [
        {"question": "Who is it?", "passage": row["text"]} | ({"document": uri} if named else {})
        for uri, row in uris.items()
        for named in (True, False)
    ]
    prepare(project, *pairs)
    questions = [
        {"id": f"q{n}", "question": f"What of {uri}?", "uri": uri, "answer": row["title"]}
        for n, (uri, row) in enumerate(uris.items())
    ]
    write_lines(project.root / "data/golden/questions.jsonl", *questions)
    with QueryLog(project.store) as log:
        for uri, row in uris.items():
            log.add(asked(project, f"Tell me {row['title']}", uri))
    snapshot = taken(project).snapshot
    assert found_in(snapshot.folder) == {ALLOWED}
    assert {q.kind for q in snapshot.questions} == {"golden", "accepted"}
    assert len(snapshot.questions) == 8
    assert len(snapshot.own_pairs) == 8
    assert snapshot.facts.left_out == {
        **dict.fromkeys(MARKERS, 1),
        "golden questions without a document that may be learned from": len(MARKERS),
        "accepted answers without a document that may be learned from": len(MARKERS),
        "own pairs of documents that may not be learned from": len(MARKERS),
        "own pairs of passages that may not be learned from": len(MARKERS),
    }


def test_text_of_people_that_quotes_a_forbidden_document_in_part_is_left_out(
    project: Project,
) -> None:
    project.configure(
        source(more='[[sources.rules]]\nmatch = "private/**"\ntrain = false\n'), more=MODEL
    )
    hidden = "The vault behind the mill opens only with two brass keys at dawn"
    shared = "Everybody keeps the rules of the house and the garden behind it"
    project.write("private/a.md", f"# Vault\n\nListen. {hidden}. {shared}.\n")
    project.write("good.md", f"# House\n\n{shared}. It is so.\n")
    project.refresh()
    prepare(
        project,
        {"question": "When?", "passage": f"As I heard: {hidden.lower()}!"},
        {"question": "What?", "passage": f"{shared}."},
    )
    write_lines(
        project.root / "general.jsonl",
        {"question": "Why?", "passage": "Because."},
        {"question": "And the vault?", "passage": hidden},
    )
    write_lines(
        project.root / "data/golden/questions.jsonl",
        {"id": "q1", "question": "The house?", "uri": "docs/good.md", "answer": hidden},
        {"id": "q2", "question": "The garden?", "uri": "docs/good.md", "answer": shared},
    )
    snapshot = taken(project).snapshot
    assert [pair.question for pair in snapshot.own_pairs] == ["What?"]
    assert [pair.question for pair in snapshot.general] == ["Why?"]
    assert [question.id for question in snapshot.questions] == ["q2"]
    assert snapshot.facts.left_out == {
        "configuration says train = false": 1,
        "questions that quote what may not be learned from": 1,
        "own pairs of passages that may not be learned from": 1,
        "general questions that quote what may not be learned from": 1,
    }
    assert not any(b"brass keys" in f.read_bytes() for f in snapshot.folder.rglob("*.jsonl"))


def test_general_set_without_a_question_is_said_before_anything_is_trained(
    project: Project,
) -> None:
    project.configure(source(), more=MODEL)
    prepare(project)
    write_lines(project.root / "general.jsonl")
    project.write("a.md", text("alpha"))
    project.refresh()
    with pytest.raises(ConfigError, match=r"general\.jsonl has no question"):
        taken(project)


def asked(project: Project, words: str, *accepted: str, at: float = 0) -> Query:
    return Query(
        at=project.now + timedelta(seconds=at),
        vector=project.encoder.encode_query(words),
        fingerprint=project.encoder.fingerprint,
        text=words,
        accepted=accepted,
        origin="imported",
    )


def test_same_publication_makes_the_same_snapshot(project: Project) -> None:
    project.configure(source(), more=MODEL)
    prepare(project)
    for name in "abc":
        project.write(f"{name}.md", text(name))
    project.refresh()
    first = taken(project, "one").snapshot
    project.later()
    assert taken(project, "two").snapshot.content == first.content
    project.write("a.md", text("another"))
    project.refresh()
    assert taken(project, "three").snapshot.content != first.content


def test_passages_keep_text_and_get_the_policy_of_today(project: Project) -> None:
    project.configure(source(), more=MODEL)
    prepare(project)
    project.write("a.md", text("alpha"))
    project.refresh()
    project.configure(source(labels='["staff", "public"]'), more=MODEL)
    rows = read_snapshot(taken(project).snapshot.folder).passages.to_pylist()
    published = project.rows()
    assert [row["text"] for row in rows] == [row["text"] for row in published]
    assert [row["text_hash"] for row in rows] == [row["text_hash"] for row in published]
    assert {tuple(row["labels"]) for row in rows} == {("public", "staff")}


def test_publication_is_held_while_it_is_read_and_let_go_after(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.configure(source(), more=MODEL)
    prepare(project)
    project.write("a.md", text("alpha"))
    project.refresh()
    last = newest(project.store)
    assert last is not None
    tags = project.store.table(last.generation).tags
    seen: list[set[str]] = []
    monkeypatch.setattr(
        "pipelines.retrain.asked.read_asked",
        lambda *_, **__: seen.append(set(tags.list())) or pytest.fail("stopped in the middle"),
    )
    with pytest.raises(pytest.fail.Exception):
        taken(project)
    assert any(name.startswith("read-") and name.endswith("-run-t") for name in seen[0])
    assert not any(name.startswith("read-") for name in tags.list())
    assert last.state in readable_states(project.store, [last.generation])


def test_nothing_published_is_said_with_the_next_command(project: Project) -> None:
    project.configure(source(), more=MODEL)
    with pytest.raises(PublicationNotFound, match="staleproof refresh"):
        taken(project)


def test_broken_pairs_are_named_by_file_and_line(project: Project) -> None:
    project.configure(source(), more=MODEL)
    prepare(project, {"question": "Why?", "passage": "Because."}, {"question": "Who?"})
    project.write("a.md", text("alpha"))
    project.refresh()
    with pytest.raises(ConfigError, match=r"pairs\.jsonl, line 2: passage is missing"):
        taken(project)

"""The snapshot of a generator holds the house's answers on what may be learned today, and no others."""

import json
import logging
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipelines.config import Config
from pipelines.errors import ConfigError
from pipelines.knowledge import Publication, Store
from pipelines.registry import Version
from pipelines.retrain import snapshot as snapshots
from pipelines.retrain.snapshot import Taken, take_snapshot
from pipelines.training import House, Snapshot, read_snapshot
from pipelines.training.generator import fingerprint
from tests.planted import ALLOWED, MARKERS, found_in, plant
from tests.project import Project, source
from tests.retrained import version

MODEL = "voice"
FORM = r"In short: [^\n]+"


def models(more: str = "") -> str:
    """One ``[[models]]`` of kind generator, whose base is a folder."""
    return f"[[models]]\nname = '{MODEL}'\nkind = 'generator'\nbase = 'base'\n{more}\n"


@pytest.fixture
def project(project: Project) -> Project:
    """With what stands in for the weights of a base: a snapshot copies and hashes them only."""
    weights(project.root / "base", b"base")
    (project.root / "base/config.json").write_text('{"model_type": "llama"}')
    (project.root / "base/tokenizer.json").write_text("{}")
    (project.root / "base/chat_template.jinja").write_text("{{ messages }}")
    project.configure(source(), more=models())
    for name in "ab":
        project.write(f"{name}.md", f"# Rule {name}\n\nUnder rule {name} you pay 30 crowns.\n")
    return project


def weights(folder: Path, data: bytes) -> Path:
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(data)
    return folder


def write_voice(project: Project, *lines: dict[str, Any], name: str = "house") -> None:
    path = project.root / f"data/voice/{name}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{json.dumps(line, ensure_ascii=False)}\n" for line in lines))


def line(**other: Any) -> dict[str, Any]:
    plain = {
        "question": "What do I pay?",
        "answer": "In short: 30 crowns. [1]",
        "documents": ["docs/a.md"],
        "fact": "30 crowns",
        "domain": "general",
    }
    return plain | other


def taken(project: Project, folder: str = "snapshot") -> Taken:
    return take_snapshot(
        project.config,
        project.config.model(MODEL),
        project.root / folder,
        former=None,
        now=project.now,
        run="run-t",
    )


def of(project: Project, folder: str = "snapshot") -> Snapshot:
    return taken(project, folder).snapshot


def test_answers_name_the_ids_of_their_documents(project: Project) -> None:
    write_voice(project, line(documents=["docs/b.md", "docs/a.md"]), name="one")
    write_voice(project, line(question="  And I? ", answer="In short: 30 crowns.\n"), name="two")
    project.refresh()
    snapshot = read_snapshot(of(project).folder)
    ids = {row["uri"]: row["document"] for row in snapshot.documents.to_pylist()}
    assert {(one.question, one.answer, one.documents) for one in snapshot.voice} == {
        ("What do I pay?", "In short: 30 crowns. [1]", (ids["docs/b.md"], ids["docs/a.md"])),
        ("And I?", "In short: 30 crowns.", (ids["docs/a.md"],)),
    }
    assert snapshot.house == House(abstention="Our documents do not say.")
    assert {text.kind for text in snapshot.general_texts} == {"sentence", "chat"}
    assert len(snapshot.general_texts) == 120
    assert snapshot.counts["voice"] == 2
    assert snapshot.counts["without_evidence"] == 0
    assert not (snapshot.folder / "pairs.jsonl").exists()


def test_no_byte_of_a_snapshot_comes_from_a_document_that_may_not_be_learned(
    project: Project,
) -> None:
    plant(project, models=models('domains = ["general"]'))
    uris = {row["uri"]: row for row in project.rows()}
    lines = [
        {"question": f"What of it, {n}?", "answer": row["text"]}
        | ({"documents": [uri]} if named else {})
        for n, (uri, row) in enumerate(uris.items())
        for named in (True, False)
    ]
    write_voice(project, *lines)
    found = taken(project)
    left_out = found.snapshot.facts.left_out
    assert found_in(found.snapshot.folder) == {ALLOWED}
    assert left_out == {
        **dict.fromkeys(MARKERS, 1),
        "answers of documents that may not be learned from": len(MARKERS),
        "answers that quote what may not be learned from": len(MARKERS),
    }
    assert len(found.snapshot.voice) == 2 * 6


def test_answer_whose_fact_has_changed_in_its_document_is_left_out_and_counted(
    project: Project,
) -> None:
    write_voice(project, line(), line(question="And b?", documents=["docs/b.md"]))
    project.refresh()
    assert len(of(project).voice) == 2
    project.write("a.md", "# Rule a\n\nUnder rule a you pay 45 crowns.\n")
    project.refresh()
    after = of(project, "later")
    assert [one.question for one in after.voice] == ["And b?"]
    assert after.facts.left_out == {"answers whose fact their documents do not hold": 1}


def test_answers_without_evidence_are_kept_counted_and_warned_of(
    project: Project, caplog: pytest.LogCaptureFixture
) -> None:
    bare = {"question": "How do you greet?", "answer": "In short: good day, 7 times."}
    write_voice(project, line(), bare)
    project.refresh()
    with caplog.at_level(logging.WARNING, "pipelines.retrain"):
        snapshot = of(project)
    assert snapshot.counts["without_evidence"] == 1
    assert len(snapshot.voice) == 2
    (record,) = [one for one in caplog.records if one.name.startswith("pipelines.retrain")]
    assert record.getMessage().startswith("1 answers of voice name no document")
    assert "greet" not in record.getMessage()


def test_no_warning_where_all_answers_have_evidence(
    project: Project, caplog: pytest.LogCaptureFixture
) -> None:
    write_voice(project, line())
    project.refresh()
    with caplog.at_level(logging.WARNING, "pipelines.retrain"):
        of(project)
    assert not caplog.records


def test_answers_of_another_domain_are_left_out(project: Project) -> None:
    project.configure(source(), more=models('domains = ["general"]'))
    write_voice(project, line(), line(domain="hr"), line(question="Whose?", domain=""))
    project.refresh()
    snapshot = of(project)
    assert {one.domain for one in snapshot.voice} == {"general"}
    assert len(snapshot.voice) == 2
    assert snapshot.facts.left_out == {"answers of another domain": 1}


def test_answer_that_also_rests_on_what_may_not_be_learned_is_left_out(project: Project) -> None:
    project.write("private.md", "---\ntrain: false\n---\n# Vault\n\nIt opens with two keys.\n")
    both = ["docs/a.md", "docs/private.md"]
    write_voice(project, line(), line(question="And?", documents=both), line(documents=both[::-1]))
    project.refresh()
    snapshot = of(project)
    assert [one.question for one in snapshot.voice] == ["What do I pay?"]
    assert snapshot.facts.left_out["answers of documents that may not be learned from"] == 2


def test_same_answer_twice_counts_once(project: Project) -> None:
    write_voice(project, line(), line(), name="one")
    write_voice(project, line(), name="two")
    project.refresh()
    assert len(of(project).voice) == 1


def test_same_answer_with_another_fact_counts_once(project: Project) -> None:
    write_voice(project, line(fact=""), line(), line(domain=""))
    project.refresh()
    assert [one.fact for one in of(project).voice] == [""]


def test_pattern_that_is_none_is_said(project: Project) -> None:
    write_voice(project, line())
    project.refresh()
    project.configure(source(), more=models("voice = ['data/a**/b.jsonl']"))
    with pytest.raises(ConfigError, match=r"data/a\*\*/b\.jsonl"):
        of(project)


def test_same_publication_makes_the_same_snapshot(project: Project) -> None:
    write_voice(project, line(), line(question="And b?", documents=["docs/b.md"]))
    project.refresh()
    first = of(project, "one")
    write_voice(project, line(question="And b?", documents=["docs/b.md"]), line())
    project.later()
    assert of(project, "two").content == first.content
    write_voice(project, line())
    assert of(project, "three").content != first.content


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"answer": ""}, "answer is missing or not a text"),
        ({"question": 7}, "question is missing or not a text"),
        ({"document": "docs/a.md"}, "document is no field of an answer"),
        ({"documents": "docs/a.md"}, "documents is no list of uris"),
        ({"documents": ["docs/a.md", "docs/a.md"]}, "a document is named twice"),
        ({"answer": "In short: 30 crowns. [2]"}, "cites more documents than the 1"),
        ({"fact": "31 crowns"}, "the fact does not stand in the answer"),
        ({"fact": ["30"]}, "fact is missing or not a text"),
        ({"answer": "It is 30 crowns."}, "the answer does not have the form"),
        ({"answer": "\ud800"}, "surrogates not allowed"),
    ],
)
def test_broken_line_is_named_without_its_text(
    project: Project, other: dict[str, Any], said: str
) -> None:
    project.configure(source(), more=models(f"format = '{FORM}'"))
    project.refresh()
    path = project.root / "data/voice/house.jsonl"
    path.parent.mkdir(parents=True)
    path.write_text(f"{json.dumps(line())}\n\n{json.dumps(line(**other))}\n")
    with pytest.raises(ConfigError, match=re.escape(said)) as raised:
        of(project)
    assert raised.value.message.startswith("[[models]] voice: data/voice/house.jsonl, line 3: ")
    assert raised.value.hint
    assert "crowns" not in str(raised.value)


def test_files_that_are_not_there_are_said(project: Project) -> None:
    project.configure(source(), more=models('voice = ["data/*/mine.jsonl"]'))
    project.refresh()
    with pytest.raises(ConfigError, match=r"no file is called data/\*/mine\.jsonl"):
        of(project)


def test_house_asks_for_an_expression_and_a_schema(project: Project) -> None:
    schema = {"type": "object", "required": ["short"]}
    (project.root / "answer.json").write_text(json.dumps(schema, indent=2))
    more = "json_schema = 'answer.json'\nabstention = 'Unknown.'"
    project.configure(source(), more=models(more))
    good = json.dumps({"short": "30 crowns"})
    write_voice(project, line(answer=good))
    project.refresh()
    house = of(project).house
    assert json.loads(house.json_schema) == schema
    assert house.abstention == "Unknown."
    write_voice(project, line(answer=json.dumps({"long": "30 crowns"})))
    with pytest.raises(ConfigError, match="the answer does not have the form"):
        of(project)


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        (None, "json_schema: answer.json cannot be read: No such file or directory"),
        ("{", "json_schema: answer.json cannot be used"),
        ('{"type": 7}', "it is no JSON schema"),
        ('{"$ref": "https://schemas.example/a"}', "nothing is looked for elsewhere"),
    ],
)
def test_schema_that_cannot_be_used_is_said(
    project: Project, schema: str | None, said: str
) -> None:
    if schema is not None:
        (project.root / "answer.json").write_text(schema)
    project.configure(source(), more=models("json_schema = 'answer.json'"))
    write_voice(project, line())
    project.refresh()
    with pytest.raises(ConfigError, match=re.escape(said)):
        of(project)


def general(project: Project, count: int, kind: str = "chat") -> None:
    texts = [{"kind": "sentence", "text": f"The train of {n} was late."} for n in range(10)]
    texts += [{"kind": kind, "text": f"What is {n} and {n}?"} for n in range(count)]
    (project.root / "general.jsonl").write_text("".join(json.dumps(t) + "\n" for t in texts))
    project.configure(source(), more=models("general = 'general.jsonl'"))
    write_voice(project, line())


def test_general_texts_of_the_users_own_take_the_place_of_the_built_in_ones(
    project: Project,
) -> None:
    general(project, 10)
    project.refresh()
    assert len(of(project).general_texts) == 20


def test_general_text_that_quotes_what_is_forbidden_is_left_out(project: Project) -> None:
    general(project, 11)
    hidden = "The vault behind the mill opens only with two brass keys at dawn"
    project.write("private.md", f"---\ntrain: false\n---\n# Vault\n\n{hidden}.\n")
    project.refresh()
    file = project.root / "general.jsonl"
    file.write_text(file.read_text() + json.dumps({"kind": "chat", "text": hidden}) + "\n")
    snapshot = of(project)
    assert len(snapshot.general_texts) == 21
    assert snapshot.facts.left_out["general texts that quote what may not be learned from"] == 1


@pytest.mark.parametrize(
    ("count", "kind", "said"),
    [
        (9, "chat", "general.jsonl has 10 sentences and 9 prompts that may be used"),
        (10, "poem", "general.jsonl, line 11: kind is neither sentence nor chat"),
    ],
)
def test_general_texts_that_cannot_be_used_are_said(
    project: Project, count: int, kind: str, said: str
) -> None:
    general(project, count, kind)
    project.refresh()
    with pytest.raises(ConfigError, match=re.escape(said)):
        of(project)


def test_base_comes_along_and_is_champion_where_no_version_serves(project: Project) -> None:
    project.configure(source(), more=models("revision = 'abc'"))
    write_voice(project, line())
    project.refresh()
    snapshot = of(project)
    facts = snapshot.facts
    assert facts.kind == "generator"
    assert (facts.base.model, facts.base.revision) == ("base", "abc")
    assert facts.base.fingerprint == fingerprint(project.root / "base")
    assert (facts.champion.version, facts.champion.fingerprint) == (None, facts.base.fingerprint)
    assert snapshot.base_folder is not None
    assert (snapshot.base_folder / "model.safetensors").read_bytes() == b"base"
    assert snapshot.champion_folder is None


@pytest.fixture
def served(project: Project, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A version serves, whose verdict this is."""
    write_voice(project, line())
    project.refresh()
    whole = snapshots.newest_publication
    verdict: dict[str, Any] = {"made_of": {"base": fingerprint(project.root / "base")}}

    def newest(config: Config) -> tuple[Store, Publication]:
        store, last = whole(config)
        return store, replace(last, models={MODEL: "v0.0.3"})

    def fetch_file(root: Path, found: Version, path: str, into: Path) -> Path:
        assert (found.version, path) == ("v0.0.3", f"data/training/{MODEL}/dataset/manifest.jsonl")
        into.write_text("")
        return into

    room = "pipelines.retrain.weights"
    monkeypatch.setattr("pipelines.retrain.snapshot.newest_publication", newest)
    monkeypatch.setattr(f"{room}.find_version", lambda _, __, name: version(name))
    monkeypatch.setattr(f"{room}.read_verdict", lambda *_: verdict)
    monkeypatch.setattr(f"{room}.checkout_model", lambda _, __, into: weights(into, b"adapter"))
    monkeypatch.setattr(f"{room}.checkout_path", fetch_file)
    return verdict


@pytest.mark.usefixtures("served")
def test_version_that_serves_comes_along_with_what_it_learned(project: Project) -> None:
    snapshot = of(project)
    assert snapshot.facts.champion.version == "v0.0.3"
    assert snapshot.champion_folder is not None
    assert snapshot.facts.champion.fingerprint == fingerprint(snapshot.champion_folder)
    assert snapshot.facts.champion.fingerprint != snapshot.facts.base.fingerprint
    assert list(snapshot.champion_manifest()) == []


def test_version_of_another_base_is_not_compared(
    project: Project, served: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    served["made_of"]["base"] = "f" * 64
    with caplog.at_level(logging.WARNING, "pipelines.retrain"):
        snapshot = of(project)
    assert snapshot.champion_folder is None
    assert snapshot.facts.champion.version is None
    assert "v0.0.3 is an adapter of another base" in caplog.text

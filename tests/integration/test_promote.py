"""Promotion goes by the stored verdict, demotion by one row; the ledger says what serves."""

import json
import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from pipelines import promote
from pipelines.decide import roll_back, withhold
from pipelines.embedding import fingerprint, load_encoder, locate_model
from pipelines.embedding.weights import BUILT_IN
from pipelines.errors import (
    ConfigError,
    FillFailed,
    Overtaken,
    PublicationNotFound,
    StaleproofError,
    UnknownName,
)
from pipelines.fill import Answered, Asked
from pipelines.fill.answers import answer_elsewhere
from pipelines.knowledge import model_folder
from pipelines.maintain import maintain
from pipelines.promote import mend_stages
from pipelines.records import Happened
from pipelines.refresh import refresh_knowledge
from pipelines.status import show_head, show_history, show_status
from pipelines.watchdog import watch_freshness
from tests.expectations import write_few
from tests.project import rule, source
from tests.retrained import BAD, MODEL, Registered, Retrained, retrained, text, version

DAY = timedelta(days=1)


@pytest.fixture
def project(tmp_path: Path) -> Retrained:
    return retrained(tmp_path, documents=4)


def test_version_that_the_gate_let_in_serves(project: Retrained) -> None:
    promoted = project.promote()
    folder = project.root / f"data/models/{MODEL}/v0.0.1"
    assert promoted.exit_code == 0
    assert project.registry.checked_out == [folder]
    assert project.registry.stage == version("v0.0.1")
    assert promoted.publication == project.last.number == 2
    assert project.last.audit["promotion"]["version"] == "v0.0.1"
    assert show_history(project.config)["publications"][0]["embedder"] == project.last.model
    assert show_head(project.config, labels=frozenset())["table"] == project.last.generation
    assert show_status(project.config, now=project.now).attention == ()
    told = [e.event for e in project.events if hasattr(e, "event")]
    assert told[-1] == "model.promoted"


@pytest.mark.parametrize("said", [BAD, None, "not JSON", "{}"])
def test_version_that_the_gate_did_not_let_in_is_refused(
    project: Retrained, said: dict[str, object] | str | None
) -> None:
    project.registry.verdicts["v0.0.1"] = said
    promoted = project.promote()
    assert promoted.exit_code == 3
    assert promoted.reason
    assert "forgets" in promoted.reason if said is BAD else "never judged" in promoted.reason
    assert project.kinds == ["refresh"]
    assert project.registry.checked_out == []
    assert project.registry.stage is None


def test_override_needs_a_reason_and_is_written_down(project: Retrained) -> None:
    project.registry.verdicts["v0.0.1"] = BAD
    with pytest.raises(ConfigError, match="say why"):
        project.promote(override=True)
    promoted = project.promote(override=True, reason="finance is retired")
    assert promoted.overridden
    noted = project.last.audit["promotion"]
    assert noted["reason"] == "finance is retired"
    assert "forgets" in noted["overridden"]
    assert project.last.actor == "somebody"
    assert "against the gate" in project.last.reason


def test_unknown_model_or_version_is_the_users_mistake(project: Retrained) -> None:
    with pytest.raises(UnknownName):
        project.promote("v9.9.9")


def test_version_that_serves_already_only_has_its_folder_and_stage_put_in_order(
    project: Retrained,
) -> None:
    project.promote()
    project.registry.checked_out.clear()
    project.registry.stage = None
    again = project.promote()
    assert again.promoted
    assert again.reason == "it serves already"
    assert len(project.registry.checked_out) == 1
    assert project.registry.stage == version("v0.0.1")
    assert project.kinds == ["refresh", "promotion"]


def test_version_that_came_to_serve_meanwhile_is_promoted_and_not_refused(
    project: Retrained, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = project.registry.checkout_model

    def overtaken(*given: Any) -> Path:
        monkeypatch.undo()
        assert project.promote().promoted
        project.registry.stage = None
        return plain(*given)

    monkeypatch.setattr(project.registry, "checkout_model", overtaken)
    second = project.promote()
    assert (second.promoted, second.exit_code) == (True, 0)
    assert second.publication == project.last.number
    assert project.registry.stage is not None
    told = [one.event for one in project.events if isinstance(one, Happened)]
    assert told.count("model.promoted") == 1
    assert "model.refused" not in told


def test_stage_that_cannot_follow_undoes_nothing_and_is_mended_later(project: Retrained) -> None:
    class Broken(Registered):
        def assign_champion(self, root: Path, found: object) -> bool:
            raise StaleproofError("origin does not answer")

    project.registry = Broken(project.registry.verdicts)
    promoted = project.promote()
    assert promoted.promoted
    assert promoted.stage
    assert "origin does not answer" in promoted.attention[-1]
    mended = Registered(project.registry.verdicts)
    found = mend_stages(project.config, registry=mended.port())
    assert [(one.serves, one.said, one.error) for one in found] == [("v0.0.1", None, None)]
    assert mended.stage == version("v0.0.1")
    assert mend_stages(project.config, registry=mended.port()) == ()


def test_demotion_is_one_row_without_embedding_and_the_next_refresh_catches_it_up(
    project: Retrained,
) -> None:
    first = project.last
    project.promote()
    project.write("1.md", text(1, "otherwise"))
    project.write("new.md", text(50))
    project.remove("2.md")
    project.refresh()
    project.encoder.encoded.clear()
    demoted = project.demote()
    last = project.last
    assert (demoted.behind, demoted.restores) == ({"added": 1, "changed": 1, "deleted": 1}, 1)
    assert last.state == first.state
    assert last.models == {}
    assert not last.pinned
    assert (demoted.version, demoted.serves) == ("v0.0.1", first.model)
    assert project.encoder.encoded == []
    assert "docs/2.md" in project.seen()
    assert project.problems() == []
    report = project.refresh()
    assert report.published
    assert len(project.encoder.encoded) == 6
    assert "docs/2.md" not in project.seen()
    assert project.last.generation == first.generation
    assert project.problems() == []


def test_demotion_shows_nothing_that_may_not_be_seen_today(project: Retrained) -> None:
    project.promote()
    withhold(project.config, "docs/1.md", reason="a mistake", signed=project.signed())
    project.configure(
        source(more=rule("2.md", '["managers"]')), more=f'[[models]]\nname = "{MODEL}"\n'
    )
    project.demote()
    assert {"docs/1.md", "docs/2.md"}.isdisjoint(project.seen())
    assert project.problems() == []


def test_demoting_twice_goes_two_back_and_never_forth(project: Retrained) -> None:
    project.promote("v0.0.1")
    project.promote("v0.0.2")
    assert project.demote().serves == "v0.0.1"
    assert project.last.models == {MODEL: "v0.0.1"}
    assert project.demote().serves == "stand-in"
    with pytest.raises(UnknownName, match="No version"):
        project.demote()


def test_rollback_takes_index_and_embedder_together(project: Retrained) -> None:
    project.promote("v0.0.1")
    project.promote("v0.0.2")
    roll_back(project.config, signed=project.signed(), to=2)
    assert project.last.models == {MODEL: "v0.0.1"}
    assert project.last.fingerprint == project.encoders[project.last.model].fingerprint
    roll_back(project.config, signed=project.signed(), to=1)
    assert project.last.models == {}
    assert project.seen()


def refresh_often(project: Retrained, times: int) -> None:
    for number in range(times):
        project.write("1.md", text(1, f"edit {number}"))
        project.refresh()


def test_former_index_is_kept_for_keep_previous_whatever_else_is_kept(tmp_path: Path) -> None:
    project = retrained(
        tmp_path,
        documents=2,
        knowledge="keep_publications = 1\nkeep_days = 0",
        more="keep_previous = '48h'",
    )
    former = project.last
    project.promote()
    project.later(hours=30)
    refresh_often(project, 3)
    assert project.demote().restores == former.number
    project.promote()
    project.later(days=3)
    maintain(project.config, now=project.now, run_id="later")
    refresh_often(project, 1)
    assert [n for n in project.store.names() if n.startswith("chunks_")] == [
        project.last.generation
    ]
    with pytest.raises(PublicationNotFound, match="is gone"):
        project.demote()
    kept = {r["number"] for r in show_history(project.config)["publications"] if r["kept"]}
    assert former.number not in kept
    assert project.problems() == []


def test_rollback_in_the_last_moment_wins_and_the_next_call_goes_on(project: Retrained) -> None:
    project.write("1.md", text(1, "otherwise"))
    project.refresh()

    def answer(asked: Asked) -> Answered:
        del project.answer  # type: ignore[method-assign]
        roll_back(project.config, signed=project.signed())
        return project.answer(asked)

    project.answer = answer  # type: ignore[method-assign]
    with pytest.raises(Overtaken):
        project.promote()
    assert project.kinds == ["refresh", "refresh", "rollback"]
    encoder = project.encoders[model_folder(MODEL, "v0.0.1")]
    encoder.encoded.clear()
    shown = project.plain()
    promoted = project.promote()
    assert promoted.filled is not None
    assert promoted.filled.embedded == 3  # what was edited, and is shown no more
    assert project.plain() == shown
    assert project.last.pinned


def test_weights_that_are_gone_are_named_with_the_command_that_brings_them_back(
    project: Retrained,
) -> None:
    with pytest.raises(ConfigError, match=f"{MODEL} v0.0.1") as told:
        load_encoder(f"data/models/{MODEL}/v0.0.1", root=project.root)
    assert f"staleproof promote {MODEL} v0.0.1" in told.value.hint


def test_model_that_answers_otherwise_than_it_embedded_is_not_switched_to(
    project: Retrained,
) -> None:
    folder = f"data/models/{MODEL}/v0.0.1"
    right = project.encoders[folder]

    def load(asked: object) -> object:
        project.encoders[folder] = type(right)(
            fingerprint=right.fingerprint, model=folder, salt="rotten"
        )
        return Retrained.answer(project, asked)  # type: ignore[arg-type]

    project.answer = load  # type: ignore[method-assign,assignment]
    with pytest.raises(StaleproofError, match="other vectors"):
        project.promote()
    assert project.kinds == ["refresh"]


def test_recall_that_falls_after_the_switch_is_told_with_the_command(project: Retrained) -> None:
    golden = project.root / "data/golden/questions.jsonl"
    golden.parent.mkdir(parents=True)
    lines = [
        {"id": f"q{n}", "question": f"Document {n} part 1 w{n}p1", "uri": f"docs/{n}.md"}
        for n in range(4)
    ]
    golden.write_text("".join(json.dumps(line) + "\n" for line in lines))
    project.promote()
    assert project.last.audit["promotion"]["canaries"] == {"canaries": 4, "before": 1.0, "now": 1.0}
    assert show_status(project.config, now=project.now).attention == ()
    for number in range(100, 130):
        project.write(f"{number}.md", f"# N\n\nDocument part 1 w1p1 of {number}.\n")
    project.refresh()
    watched = watch_freshness(project.config, now=project.now)
    assert watched.freshness.health == "warning"
    assert f"staleproof demote {MODEL}" in watched.changed[0].why
    assert watched.freshness.recall in show_status(project.config, now=project.now).attention
    project.demote()
    assert watch_freshness(project.config, now=project.now).freshness.recall == ""


def test_fresh_process_loads_the_weights_before_readers_are_switched(tmp_path: Path) -> None:
    project = Retrained(tmp_path)
    (tmp_path / "docs").mkdir()
    project.configure(source(), more=f'[[models]]\nname = "{MODEL}"\n')
    write_few(tmp_path / "data/expectations")
    project.write("a.md", text(1))
    golden = tmp_path / "data/golden/questions.jsonl"
    golden.parent.mkdir(parents=True)
    golden.write_text('{"id": "q", "question": "what is w1p1", "uri": "docs/a.md"}\n')
    refresh_knowledge(project.config, now=project.now, run_id="first")
    folder = tmp_path / model_folder(MODEL, "v0.0.1")
    shutil.copytree(locate_model(BUILT_IN, root=tmp_path), folder)
    options = folder / "sentence_bert_config.json"
    options.write_text(json.dumps(json.loads(options.read_text()) | {"max_seq_length": 200}))
    ports = promote.Ports(registry=project.registry.port())
    request = promote.Request(model=MODEL, version="v0.0.1")
    promoted = promote.promote_model(
        project.config, request, now=project.now, run_id="real", ports=ports
    )
    assert promoted.filled is not None
    assert promoted.filled.loaded_by == "a fresh process"
    assert project.last.fingerprint == fingerprint(folder)

    (folder / "model.safetensors").unlink()
    with pytest.raises(FillFailed, match="no safetensors"):
        answer_elsewhere(
            Asked(
                config=project.config.path,
                model=project.last.model,
                fingerprint=project.last.fingerprint,
                generation=project.last.generation,
                version=project.last.version,
            )
        )

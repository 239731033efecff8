"""A look at a model that serves: what happened is counted once, and what changed is told once."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from pipelines import watch
from pipelines.errors import EmbedderChanged, UnknownName, WatchRunning
from pipelines.knowledge import evaluated, forget_watched, looks, verdicts, watch_lock
from pipelines.watch import run, subject
from pipelines.watch.exposure import look_at_documents
from tests.observed import VERSION, Observed
from tests.project import source
from tests.retrained import MODEL

PAGES = {
    f"page-{number}.md": f"# Page {number}\n\nPage {number} tells of {word} and of nothing else.\n"
    for number, word in enumerate(("leave", "travel", "salary", "laptops", "visitors"))
}


@pytest.fixture
def model(tmp_path: Path) -> Observed:
    (tmp_path / "docs").mkdir()
    project = Observed(tmp_path)
    project.configured()
    for name, text in PAGES.items():
        project.write(name, text)
    project.refresh()
    project.served()
    return project


def test_base_that_serves_is_not_looked_at(tmp_path: Path) -> None:
    project = Observed(tmp_path)
    (tmp_path / "docs").mkdir()
    project.configured()
    project.write("a.md", PAGES["page-0.md"])
    project.refresh()
    found = project.watch()
    assert (found.version, found.verdict) == (None, None)
    assert "no version of it serves" in found.said
    assert project.fetched == []


def test_first_look_is_fresh_kept_and_told(model: Observed) -> None:
    found = model.watch()
    assert found.verdict is not None
    assert found.verdict.level == "fresh"
    assert found.changed
    assert len(model.kept) == 1
    assert model.told == [("model.fresh", f"{MODEL}/{VERSION}/fresh/1")]
    assert [row.verdict for row in verdicts(model.store, MODEL)] == ["fresh"]
    assert found.happened is not None
    assert found.happened.exposure is not None
    assert found.happened.exposure.value == 0
    assert found.happened.exposure.examples == len(PAGES)


def test_looks_in_which_nothing_happens_change_nothing_and_load_nothing(model: Observed) -> None:
    first = model.watch()
    model.fetched.clear()
    for _ in range(5):
        found = model.watch()
        assert not found.changed
        assert found.happened is None
        assert found.verdict == first.verdict
        assert model.loaded == []
        assert model.told == []
    assert len(model.kept) == 1
    assert model.fetched == []  # what it learned is fetched once


def test_deleted_documents_are_exposure_and_watched_not_stale(model: Observed) -> None:
    model.watch()
    model.remove("page-0.md", "page-1.md")
    model.refresh()
    found = model.watch()
    assert found.verdict is not None
    assert found.verdict.level == "watch"
    assert found.happened is not None
    assert found.happened.exposure is not None
    assert found.happened.exposure.value == pytest.approx(2 / 5)
    assert {one.what for one in found.happened.exposure.documents} == {"deleted"}
    assert found.happened.exposure.withdrawn == ()
    assert model.told == [("model.watch", f"{MODEL}/{VERSION}/watch/1")]
    again = model.watch()
    assert again.happened is None
    assert again.verdict == found.verdict


def test_moved_documents_are_no_exposure(model: Observed) -> None:
    model.watch()
    model.rename("page-0.md", "moved/elsewhere.md")
    model.refresh()
    found = model.watch()
    assert found.happened is not None
    assert found.happened.exposure is None
    assert found.verdict is not None
    assert found.verdict.exposure == 0


def test_an_edit_counts_by_how_much_it_changes(model: Observed) -> None:
    model.watch()
    model.write("page-0.md", PAGES["page-0.md"].replace("nothing", "little"))
    model.write("page-1.md", "# Other\n\nNot one word stayed where somebody had written it.\n")
    model.refresh()
    exposure = model.watch().happened.exposure  # type: ignore[union-attr]
    assert exposure is not None
    by_uri = {one.uri: one for one in exposure.documents}
    assert {one.what for one in by_uri.values()} == {"changed"}
    assert 0 < by_uri["docs/page-0.md"].severity < 0.8
    assert by_uri["docs/page-1.md"].severity > 0.95
    assert exposure.documents[0].uri == "docs/page-1.md"
    assert sum(one.share for one in exposure.documents) == pytest.approx(1)


@pytest.mark.parametrize(
    "forbid",
    [
        "rule",
        "front matter",
        "source",
        "front matter of one that is gone",
        "front matter of one that moved",
    ],
)
def test_permission_that_is_withdrawn_makes_it_stale_at_once(model: Observed, forbid: str) -> None:
    model.watch()
    denied = "---\ntrain: false\n---\n" + PAGES["page-0.md"]
    if forbid == "rule":
        rule = '[[sources.rules]]\nmatch = "page-0.md"\nlabels = ["public"]\ntrain = false\n'
        model.configured(source(more=rule))
    elif forbid == "source":
        (model.root / "other").mkdir()
        (model.root / "other" / "page.md").write_text("# Other\n\nAnother source altogether.\n")
        model.configured(source("other", "other"))
    elif forbid.endswith("moved"):
        model.remove("page-0.md")
        model.write("moved/elsewhere.md", denied)
        model.refresh()
    else:
        model.write("page-0.md", denied)
        model.refresh()
        if forbid.endswith("gone"):
            model.remove("page-0.md")
            model.refresh()
    found = model.watch()
    assert found.verdict is not None
    assert found.verdict.level == "stale"
    assert "docs/page-0.md" in found.verdict.reasons[0] or forbid == "source"
    assert model.told == [("model.stale", f"{MODEL}/{VERSION}/stale/1")]
    assert found.is_stale


def test_a_take_down_makes_it_stale_and_lifting_it_does_not_make_it_fresh(model: Observed) -> None:
    from pipelines.decide import withhold

    model.watch()
    withhold(model.config, "docs/page-2.md", signed=model.signed(), reason="a secret")
    assert model.watch().is_stale


def test_stale_needs_no_publication(model: Observed) -> None:
    """The rule of today counts, whether or not a refresh has seen it."""
    model.watch()
    model.configured(source(more="train = false"))
    found = model.watch()
    assert found.is_stale
    assert len(model.kept) == 2


def test_the_same_look_again_counts_once(model: Observed) -> None:
    first = model.watch("look-a")
    model.remove("page-0.md")
    model.refresh()
    again = model.watch("look-a")
    assert again.verdict == first.verdict
    assert len(model.kept) == 1
    assert model.told == []


def test_a_look_that_was_stopped_before_it_told_is_told_by_the_next(
    model: Observed, monkeypatch: pytest.MonkeyPatch
) -> None:
    model.watch()
    model.remove("page-0.md", "page-1.md")
    model.refresh()
    with monkeypatch.context() as broken:
        broken.setattr(run, "record_verdict", _stop)
        with pytest.raises(KeyboardInterrupt):
            model.watch("look-a")
    assert len(model.kept) == 2
    found = model.watch()
    assert found.changed
    assert len(model.kept) == 2
    assert model.told == [("model.watch", f"{MODEL}/{VERSION}/watch/1")]
    model.watch()
    assert model.told == []


def _stop(*_: object) -> None:
    raise KeyboardInterrupt


def test_two_at_once_are_one(model: Observed) -> None:
    with (
        watch_lock(model.store, run="other", now=model.now),
        pytest.raises(WatchRunning, match="other") as error,
    ):
        model.watch()
    assert error.value.retryable
    assert error.value.exit_code == 4


def test_unknown_model_is_named(model: Observed) -> None:
    with pytest.raises(UnknownName, match="nobody"):
        watch.watch_models(model.config, ["nobody"], now=model.now, run_id="look")


def test_embedder_that_changed_is_an_error_of_the_look(model: Observed) -> None:
    golden(model, "page-0.md", "leave")
    model.watch()
    name = f"data/models/{MODEL}/{VERSION}"
    model.encoders[name] = replace(model.encoders[name], salt="other")
    golden(model, "page-1.md", "travel")
    with pytest.raises(EmbedderChanged):
        model.watch()
    assert len(model.kept) == 1


def test_a_model_that_cannot_be_asked_hides_no_other(model: Observed) -> None:
    golden(model, "page-0.md", "leave")
    model.watch()
    name = f"data/models/{MODEL}/{VERSION}"
    model.encoders[name] = replace(model.encoders[name], salt="other")
    golden(model, "page-1.md", "travel")
    model.configured(more='[[models]]\nname = "other"\n')
    report = model.watch_all()
    assert isinstance(report.error, EmbedderChanged)
    assert [one.model for one in report.models] == ["other"]


def golden(model: Observed, page: str, *words: str) -> None:
    folder = model.root / "data/golden"
    folder.mkdir(parents=True, exist_ok=True)
    lines = [
        f'{{"id": "{page}-{word}", "question": "{word}", "uri": "docs/{page}"}}\n' for word in words
    ]
    (folder / f"{page}.jsonl").write_text("".join(lines))


def test_golden_questions_are_asked_again_only_where_they_find_something_else(
    model: Observed,
) -> None:
    golden(model, "page-0.md", "leave")
    golden(model, "gone.md", "anything")
    first = model.watch()
    assert "golden questions asked for the first time: 1" in first.said
    assert "golden questions whose document is not published: 1" in first.said
    assert first.happened is not None
    assert first.happened.scores == {}
    assert first.happened.canary == pytest.approx(1)
    model.write("page-1.md", "# Page 1\n\nA page beside it, which is edited every day.\n")
    model.refresh()
    beside = model.watch().happened
    assert beside is not None
    assert "golden" not in beside.scores, "most of what it finds is as it was"
    for number in range(3):
        model.write(f"page-{number}.md", f"# Page {number}\n\nNobody asked about that.\n")
    model.write("leave.md", "leave\n")
    model.refresh()
    worse = model.watch()
    assert worse.happened is not None
    (score,) = worse.happened.scores["golden"]
    assert -1 <= score < 0
    assert model.loaded.count(f"data/models/{MODEL}/{VERSION}") <= 1
    assert "golden" not in (model.watch().happened or first.happened).scores


def test_documents_are_read_again_only_where_something_they_hang_on_moved(
    model: Observed, monkeypatch: pytest.MonkeyPatch
) -> None:
    model.watch()
    model.now = (model.now + timedelta(days=1)).replace(hour=8)
    model.watch()
    read: list[int] = []
    monkeypatch.setattr(subject, "today_of", lambda *_, **__: read.append(1))
    for _ in range(3):
        assert model.watch(days=0.01).happened is None
    assert read == []
    monkeypatch.undo()
    model.configured(source(more="train = false"))
    assert model.watch(days=0.01).is_stale


def test_what_was_seen_of_a_version_goes_with_it_and_verdicts_stay(model: Observed) -> None:
    golden(model, "page-0.md", "leave")
    model.watch()
    assert evaluated(model.store, MODEL, VERSION)
    forget_watched(model.store, MODEL, [VERSION])
    assert looks(model.store, MODEL) == []
    assert evaluated(model.store, MODEL, VERSION) == []
    assert verdicts(model.store, MODEL)


def test_golden_questions_that_find_the_same_are_no_news(model: Observed) -> None:
    golden(model, "page-0.md", "leave")
    model.watch()
    before = model.last.number
    model.configured(source(labels='["public", "staff"]'))
    model.refresh()
    assert model.last.number > before
    happened = model.watch().happened
    assert happened is not None
    assert happened.is_empty
    assert len(evaluated(model.store, MODEL, VERSION, "golden")) == 1


def test_a_take_down_where_it_moved_to_and_was_edited_makes_it_stale(model: Observed) -> None:
    from pipelines.decide import withhold

    model.rename("page-0.md", "moved/elsewhere.md")
    model.refresh()
    model.write("moved/elsewhere.md", PAGES["page-0.md"].replace("nothing", "little"))
    model.refresh()
    model.watch()
    withhold(model.config, "docs/moved/elsewhere.md", signed=model.signed(), reason="a secret")
    found = model.watch()
    assert found.is_stale
    assert found.happened is not None
    assert found.happened.exposure is not None
    assert found.happened.exposure.withdrawn == ("docs/page-0.md",)


def test_permission_that_is_withdrawn_while_a_look_reads_is_seen_by_the_next_one(
    model: Observed, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipelines.knowledge import take_down
    from pipelines.watch import observe

    model.watch()
    model.now = (model.now + timedelta(days=1)).replace(hour=8)

    def slow(of: subject.Subject) -> object:
        found = look_at_documents(of)
        now = model.now
        take_down(model.store, [("docs/page-1.md", "")], actor="me", reason="secret", now=now)
        return found

    with monkeypatch.context() as hurried:
        hurried.setattr(observe, "look_at_documents", slow)
        assert not model.watch(days=0.01).is_stale
    assert model.watch(days=0.01).is_stale


def test_a_run_that_was_stopped_after_it_kept_its_look_says_what_it_saw(model: Observed) -> None:
    first = model.watch("look-a")
    assert first.happened is not None
    assert model.watch("look-a").happened == first.happened


def test_a_golden_question_of_another_document_is_asked_the_same_day(model: Observed) -> None:
    golden(model, "page-0.md", "leave")
    model.watch()
    model.now = (model.now + timedelta(days=1)).replace(hour=8)
    model.watch()
    file = model.root / "data/golden/page-0.md.jsonl"
    file.write_text(file.read_text().replace("docs/page-0.md", "docs/page-1.md"))
    assert "golden questions asked for the first time: 1" in model.watch(days=0.01).said


def test_a_clock_that_was_set_back_keeps_nobody_from_looking(model: Observed) -> None:
    model.watch(days=400)
    for number in range(2):
        model.remove(f"page-{number}.md")
        model.refresh()
        found = model.watch(days=1 - 399 * (number == 0))
        assert found.happened is not None
    assert [row.number for row in model.kept] == [1, 2, 3]
    assert model.kept[0].at > model.kept[1].at

"""What a look counts: questions and changed documents as bins, and worth on what is new."""

from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from pipelines.knowledge import evaluated, references
from pipelines.watch.queries import Questions, look_at_questions
from pipelines.watch.subject import Subject
from tests.observed import VERSION, Observed, unit
from tests.retrained import MODEL

WORDS = ("leave", "travel", "salary", "laptop", "visitor", "parking", "lunch", "badge")


def page(word: str, *, more: str = "") -> str:
    told = f"Who asks about {word} is told that {word} is decided by the {word} office."
    return f"# All about {word}\n\n{told} {more}\n"


@pytest.fixture
def model(tmp_path: Path) -> Observed:
    (tmp_path / "docs").mkdir()
    project = Observed(tmp_path)
    project.configured(policy="calibration = 100\ncalibration_changes = 20\nmin_items = 1")
    for word in WORDS:
        project.write(f"{word}.md", page(word))
    project.refresh()
    project.served()
    return project


def around(seed: int, count: int, *, at: int = 0) -> np.ndarray:
    direction = np.eye(16)[at]
    return unit(np.random.default_rng(seed), direction, 0.2, count)


def test_first_questions_are_what_later_ones_are_compared_with(model: Observed) -> None:
    model.ask(around(1, 60))
    first = model.watch()
    assert first.happened is not None
    assert first.happened.bags == {}
    assert "60 of 100 questions to compare with" in first.said
    model.ask(around(2, 60))
    second = model.watch()
    assert second.happened is not None
    assert {name: sum(bag) for name, bag in second.happened.bags.items()} == {
        "topic": 50,
        "novelty": 50,
    }
    assert second.happened.bins == {}
    assert second.happened.queries == 60
    model.ask(around(3, 30))
    third = model.watch()
    assert third.happened is not None
    assert third.happened.queries == 30
    assert {name: len(bins) for name, bins in third.happened.bins.items()} == {
        "topic": 30,
        "novelty": 30,
    }
    assert model.loaded == []
    kept = references(model.store, MODEL, VERSION, "queries")
    assert [one.part for one in kept].count("fit") == 50


def test_each_question_is_counted_in_one_look(model: Observed) -> None:
    model.ask(around(1, 100))
    model.watch()
    counted = 0
    for seed in range(2, 6):
        model.ask(around(seed, 10))
        happened = model.watch(days=0.25).happened
        counted += len(happened.bins["topic"]) if happened else 0
    assert counted == 40
    assert model.watch().happened is None


def test_repeated_questions_count_once_a_day_and_are_traffic(model: Observed) -> None:
    model.ask(around(1, 100))
    model.watch()
    same = around(2, 1)[0]
    model.ask([same] * 7)
    happened = model.watch().happened
    assert happened is not None
    assert (happened.queries, len(happened.bins["novelty"])) == (7, 1)


def test_newest_questions_wait_for_those_that_are_still_to_be_written(model: Observed) -> None:
    model.ask(around(1, 100))
    model.watch()
    model.ask(around(2, 5), at=model.now + timedelta(days=1, hours=1) - timedelta(minutes=1))
    assert model.watch().happened is None
    happened = model.watch().happened
    assert happened is not None
    assert happened.queries == 5


def test_at_most_max_items_are_drawn(model: Observed) -> None:
    model.configured(policy=f"{model.policy}\nmax_items = 20")
    model.ask(around(1, 100))
    model.watch()
    model.ask(around(2, 90))
    happened = model.watch().happened
    assert happened is not None
    assert (happened.queries, len(happened.bins["topic"])) == (90, 20)


def test_other_questions_become_evidence_and_say_where_they_lead(model: Observed) -> None:
    model.ask(around(1, 400))
    model.watch()
    for seed in range(2, 5):
        model.ask(around(seed, 150, at=5), hit="docs/badge.md")
        found = model.watch()
    assert found.verdict is not None
    assert found.happened is not None
    by_name = {one.name: one for one in found.verdict.signals}
    assert by_name["novelty"].evidence > by_name["novelty"].threshold
    assert found.verdict.level == "watch"
    moved = [one for one in found.happened.moved if one.channel == "novelty"]
    assert moved
    assert moved[0].documents == ("docs/badge.md",)
    assert moved[0].now > moved[0].then


def test_what_a_look_that_crashed_took_is_taken_again(
    model: Observed, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipelines.watch import run

    model.watch()
    model.ask(around(1, 120))
    with monkeypatch.context() as broken:
        broken.setattr(run, "keep_look", _stop)
        with pytest.raises(KeyboardInterrupt):
            model.watch("look-broken")
    assert references(model.store, MODEL, VERSION, "queries")
    happened = model.watch().happened
    assert happened is not None
    assert sum(happened.bags["topic"]) == 50
    model.ask(around(2, 10))
    happened = model.watch().happened
    assert happened is not None
    assert len(happened.bins["topic"]) == 10


def _stop(*_: object) -> None:
    raise KeyboardInterrupt


def test_changed_documents_are_marks_after_the_first_ones(model: Observed) -> None:
    model.watch()
    for number in range(3):
        for word in WORDS:
            model.write(f"{word}.md", page(word, more=f"Since edition {number} by post."))
        model.refresh()
        found = model.watch()
        assert found.happened is not None
        if number < 2:
            assert f"{8 * number + 8} of 20 changed documents to compare with" in found.said
    assert sum(found.happened.bags["changes"]) == 10
    assert len(found.happened.bins["changes"]) == 4
    model.write("new.md", page("visas"))
    model.remove("lunch.md")
    model.rename("badge.md", "passes.md")
    model.refresh()
    happened = model.watch().happened
    assert happened is not None
    count = len(found.happened.bags["changes"])
    assert sorted(happened.bins["changes"]) == [count - 2, count - 1]  # added, deleted; not moved


def test_changes_since_a_state_that_is_gone_are_said_not_to_be_compared(model: Observed) -> None:
    model.watch()
    number = model.kept[-1].publication
    state = next(r for r in [model.last] if r.number == number)
    model.write("leave.md", page("leave", more="In other words."))
    model.refresh()
    tags = model.store.table(state.generation).tags
    for name, tag in tags.list().items():
        if tag["version"] == state.version:
            tags.delete(name)
    found = model.watch()
    assert f"changes since #{number} are not compared" in found.said


def test_worth_is_asked_once_of_each_document_that_is_new(model: Observed) -> None:
    first = model.watch()
    assert first.happened is not None
    assert "worth" not in first.happened.scores
    assert model.loaded == []
    model.write("visas.md", page("visas"))
    model.write("leave.md", "# All about leave\n\nEverything is new here, and nothing as it was.\n")
    model.refresh()
    found = model.watch()
    assert found.happened is not None
    scores = found.happened.scores["worth"]
    assert len(scores) == 2
    assert all(-1 <= score <= 1 for score in scores)
    kept = evaluated(model.store, MODEL, VERSION, "worth")
    assert {one.uri for one in kept} == {"docs/visas.md", "docs/leave.md"}
    assert sorted(one.ours - one.theirs for one in kept) == pytest.approx(sorted(scores))
    assert model.watch().happened is None
    model.write("visas.md", page("visas", more="Ask in the morning, before the queue is long."))
    model.refresh()
    happened = model.watch().happened
    assert happened is not None
    assert "worth" not in happened.scores, "a document counts once, however often it is edited"


def test_a_base_that_finds_it_and_a_version_that_does_not_is_a_loss(model: Observed) -> None:
    """Vectors that all point the same way find nothing."""
    model.watch()
    for number in range(12):
        model.write(f"new-{number}.md", page(f"subject{number}"))
    model.refresh()
    deaf = model.encoders[f"data/models/{MODEL}/{VERSION}"]
    deaf._vector = lambda text: np.eye(16, dtype=np.float32)[0]  # type: ignore[method-assign]
    model.store.table("canaries").delete("true")
    found = model.watch()
    assert found.verdict is not None
    assert found.verdict.worth is not None
    assert found.verdict.worth[0] < 0
    assert found.verdict.level != "stale"  # min_documents


def test_a_candidate_is_compared_as_well(model: Observed) -> None:
    model.configured(policy=f'{model.policy}\ncandidate = "newer"')
    model.watch()
    model.write("visas.md", page("visas"))
    model.refresh()
    happened = model.watch().happened
    assert happened is not None
    assert set(happened.scores) == {"worth", "candidate"}
    assert "newer" in model.loaded


def test_documents_about_which_nothing_can_be_asked_are_counted_and_left(model: Observed) -> None:
    model.watch()
    model.write("short.md", "Hm.\n")
    model.refresh()
    found = model.watch()
    assert "new documents about which nothing can be asked: 1" in found.said
    assert found.happened is not None
    assert found.happened.scores == {}
    assert "nothing can be asked" not in model.watch().said


def test_more_than_one_look_can_ask_about_is_left_to_the_next(
    model: Observed, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipelines.watch import fresh

    monkeypatch.setattr(fresh, "MOST", 1)
    model.watch()
    for word in ("visas", "phones"):
        model.write(f"{word}.md", page(word))
    model.refresh()
    found = model.watch()
    assert "new documents that the next look asks about: 1" in found.said
    happened = model.watch(days=0.001).happened
    assert happened is not None
    assert len(happened.scores["worth"]) == 1
    assert {one.uri for one in evaluated(model.store, MODEL, VERSION, "worth")} == {
        "docs/visas.md",
        "docs/phones.md",
    }


def test_two_looks_at_once_leave_what_the_one_that_is_kept_took(
    model: Observed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lock is of one machine; a look of another one comes between reading and writing."""
    from contextlib import nullcontext

    from pipelines.errors import WatchRunning
    from pipelines.watch import observe, run

    model.watch()
    model.ask(around(1, 120))
    for word in ("visas", "phones"):
        model.write(f"{word}.md", page(word))
    model.refresh()
    with monkeypatch.context() as hurried:
        hurried.setattr(run, "watch_lock", lambda *_, **__: nullcontext())

        def overtaken(of: Subject) -> Questions:
            hurried.setattr(observe, "look_at_questions", look_at_questions)
            of.seen, of.kept  # noqa: B018 - it has read what was kept before
            model.watch("look-other", days=0)
            return look_at_questions(of)

        hurried.setattr(observe, "look_at_questions", overtaken)
        with pytest.raises(WatchRunning):
            model.watch("look-loses")
    (kept,) = [row for row in model.kept if row.number == 2]
    assert kept.look == "look-other"
    assert len(kept.observation["scores"]["worth"]) == 2
    model.ask(around(2, 10))
    happened = model.watch().happened
    assert happened is not None
    assert "worth" not in happened.scores
    assert (happened.bags, len(happened.bins["topic"])) == ({}, 10)


def test_an_attempt_that_was_stopped_leaves_nothing_to_the_one_that_is_kept(
    model: Observed, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipelines.watch import run

    model.watch()
    for word in ("visas", "phones"):
        model.write(f"{word}.md", page(word))
    model.refresh()
    with monkeypatch.context() as broken:
        broken.setattr(run, "keep_look", _stop)
        with pytest.raises(KeyboardInterrupt):
            model.watch("look-a")
    model.remove("visas.md")
    model.refresh()
    happened = model.watch("look-a").happened
    assert happened is not None
    assert len(happened.scores["worth"]) == 1
    marks = references(model.store, MODEL, VERSION, "changes")
    assert [one.position for one in marks if one.at == model.now] == [0]
    assert len(marks) == 2
    model.write("visas.md", page("visas"))
    model.refresh()
    found = model.watch()
    assert "2 of 20 changed documents to compare with" in found.said
    assert found.happened is not None
    assert len(found.happened.scores["worth"]) == 1

"""What was narrowed once stays narrow, through moves, rollbacks, pins, outages and decisions."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines.decide import (
    decide,
    lift_takedown,
    open_holds,
    roll_back,
    show_quarantined,
    unpin,
    withhold,
)
from pipelines.errors import RefreshRunning
from pipelines.knowledge import ACCEPTED, directly, find_hold, withdrawals
from pipelines.refresh import refresh_knowledge
from pipelines.status import show_status
from tests.fakes import HashEncoder
from tests.project import Project, rule, source

ASKS = "---\nlabels: [{}]\n---\n"


def two(project: Project) -> str:
    (project.root / "two").mkdir(exist_ok=True)
    (project.root / "two" / "x.md").write_text("# X\n\nText of x.\n")
    return source("two", "two")


def test_source_that_left_shows_no_earlier_labels(project: Project) -> None:
    other = two(project)
    project.configure(source(), other)
    project.write("a.md", "alpha")
    project.refresh()
    project.configure(source(labels='["managers"]'), other)
    project.refresh()
    project.configure(other)
    project.refresh()
    assert "docs/a.md" not in {hit.uri for hit in project.search("x", publication="1").hits}
    assert "docs/a.md" in project.seen(["managers"])
    roll_back(project.config, signed=project.signed(), to=1)
    assert "docs/a.md" not in project.seen()


def test_moving_into_a_restricted_folder_is_a_withdrawal(project: Project) -> None:
    project.configure(source(more=rule("secret/**", '["managers"]')))
    project.write("pub/a.md", "alpha")
    project.write("b.md", "b")
    project.refresh()
    project.write("c.md", "c")
    project.refresh()
    roll_back(project.config, signed=project.signed(), to=1)
    project.rename("pub/a.md", "secret/a.md")
    project.refresh()
    assert project.seen() == {"docs/b.md"}, "pinned, and the move is a withdrawal all the same"
    unpin(project.config, signed=project.signed())
    project.refresh()
    assert "docs/secret/a.md" in project.seen(["managers"])
    roll_back(project.config, signed=project.signed(), to=1)
    assert "docs/pub/a.md" not in project.seen()
    unpin(project.config, signed=project.signed())
    project.rename("secret/a.md", "pub/a.md")
    project.refresh()
    assert "docs/pub/a.md" in project.seen(), "moved back, it is what its folder says"


def test_narrowing_label_counts_in_a_document_that_is_too_large(project: Project) -> None:
    project.configure(more="[limits]\nmax_document_bytes = 2000\n")
    project.write("a.md", "one")
    project.refresh()
    project.write("a.md", ASKS.format("managers") + "hello " * 1000)
    report = project.refresh()
    assert report.documents["quarantined"] == 1
    assert project.seen() == set()
    assert project.refresh().published is False


def test_rollback_and_unpin_forget_no_wish(project: Project) -> None:
    project.write("a.md", "plain")
    project.write("b.md", "b")
    project.refresh()
    project.write("a.md", ASKS.format("managers") + "plain 2")
    project.refresh()
    project.write("a.md", "plain")
    project.refresh()
    roll_back(project.config, signed=project.signed(), to=1)
    unpin(project.config, signed=project.signed())
    project.refresh()
    assert project.seen() == {"docs/b.md"}
    assert "docs/a.md" in project.seen(["managers"])
    project.refresh(recheck=True)
    assert project.seen() == {"docs/b.md"}


def test_lifting_one_document_lifts_no_other(project: Project) -> None:
    project.write("a.md", "same text")
    project.write("b.md", "same text")
    project.write("c.md", "c")
    project.refresh()
    withhold(project.config, "docs/a.md", reason="wrong", signed=project.signed())
    assert project.seen() == {"docs/c.md"}
    project.refresh()
    project.write("b.md", "harmless")
    project.refresh()
    assert project.seen() == {"docs/c.md"}
    lifted = lift_takedown(project.config, "docs/b.md", reason="mended", signed=project.signed())
    assert lifted.seen
    assert project.seen() == {"docs/b.md", "docs/c.md"}
    project.refresh()
    assert project.seen() == {"docs/b.md", "docs/c.md"}


def test_wish_follows_a_move_that_is_seen_in_two_steps(project: Project) -> None:
    project.configure(source(), two(project))
    project.write("a.md", ASKS.format("managers") + "# A\n\nSecret.\n")
    project.refresh()
    project.write("a.md", "# A\n\nSecret.\n")
    project.refresh()
    (project.root / "docs" / "a.md").rename(project.root / "two" / "a.md")
    project.refresh(sources=("two",))
    assert project.seen() == {"two/x.md"}
    project.refresh()
    assert project.seen() == {"two/x.md"}
    assert "two/a.md" in project.seen(["managers"])


def test_acceptance_does_not_outlive_documents_that_came_back(project: Project) -> None:
    names = [f"d{n:02}.md" for n in range(14)]
    for name in names:
        project.write(name, f"About {name}.")
    project.refresh()
    project.write("more.md", "More.")
    project.refresh()
    roll_back(project.config, signed=project.signed())
    project.remove(*names[:12])
    hold = project.refresh().holds[0].id
    decide(project.config, hold, accept=True, reason="", signed=project.signed())
    project.refresh()
    assert find_hold(project.store, hold).state == ACCEPTED
    for name in names[:12]:
        project.write(name, f"About {name}.")
    project.refresh()
    project.remove(*names[:12])
    unpin(project.config, signed=project.signed())
    report = project.refresh()
    assert (report.documents["deleted"], report.documents["held"]) == (0, 12)


@pytest.mark.parametrize("decision", ["drop", "leave"])
def test_policy_reaches_documents_that_are_held_for_their_cost(
    project: Project, decision: str
) -> None:
    project.configure(source(labels='["staff"]'))
    project.write("a.md", "a")
    project.write("b.md", "b")
    project.refresh()
    limit = "[limits]\nmax_embed_tokens = 5\n"
    project.configure(source(labels='["staff"]'), more=limit)
    project.write("a.md", "word " * 40)
    hold = project.refresh().holds[0].id
    if decision == "drop":
        decide(project.config, hold, accept=False, reason="dear", signed=project.signed())
    closed = source(labels='["managers"]').replace("domain =", "train = false\ndomain =")
    project.configure(closed, more=limit)
    project.refresh()
    assert {(r["train"], tuple(r["labels"])) for r in project.rows()} == {(False, ("managers",))}
    assert project.seen(["managers"]) == {"docs/a.md", "docs/b.md"}


def test_document_that_changed_while_it_was_read_keeps_its_acceptance(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.write("a.md", "a")
    project.refresh()
    project.configure(more="[limits]\nmax_embed_tokens = 5\n")
    project.write("b.md", "word " * 40)
    hold = project.refresh().holds[0].id
    decide(project.config, hold, accept=True, reason="", signed=project.signed())
    busy = "it changed while it was read"
    with monkeypatch.context() as patched:
        patched.setattr("pipelines.ingest.build.read", lambda *_: busy)
        report = project.refresh()
    assert report.documents["held"] == 1
    assert any(busy in line for line in report.attention)
    assert open_holds(project.config)[0].state == ACCEPTED
    assert project.refresh().documents["added"] == 1


class BrokenFor(HashEncoder):
    """Stands for a model that fails on one word."""

    def encode(self, texts):  # noqa: ANN001, ANN201
        vectors = super().encode(texts)
        for row, text in zip(vectors, texts, strict=True):
            if "secret" in text:
                row[:] = np.nan
        return vectors


def test_excerpts_are_for_those_who_may_read_the_document(project: Project) -> None:
    project.encoder = BrokenFor()
    project.configure(source(labels='["staff", "managers"]'))
    project.write("a.md", ASKS.format("managers") + "fine words")
    project.write("b.md", "b")
    project.refresh()
    project.write("a.md", ASKS.format("staff, managers") + "secret words here")
    project.write("b.md", "b two")
    project.refresh()
    shown = {
        label: show_quarantined(
            project.config, "docs/a.md", labels=[label], on=project.now.date()
        ).excerpt
        for label in ("staff", "managers")
    }
    assert shown["staff"] is None
    assert "secret words" in str(shown["managers"])
    withhold(project.config, "docs/a.md", reason="wrong", signed=project.signed())
    assert (
        show_quarantined(
            project.config, "docs/a.md", labels=["managers"], on=project.now.date()
        ).excerpt
        is None
    )


def test_hold_keeps_when_it_was_first_seen_through_a_broken_listing(project: Project) -> None:
    names = [f"d{n:02}.md" for n in range(14)]
    for name in names:
        project.write(name, f"About {name}.")
    project.refresh()
    before = show_status(project.config, now=project.now).sources[0].data_as_of
    project.later(hours=1)
    project.remove(*names[:12])
    project.refresh()
    (project.root / "docs").rename(project.root / "away")
    project.refresh()
    (project.root / "away").rename(project.root / "docs")
    project.refresh()
    assert show_status(project.config, now=project.now).sources[0].data_as_of == before


def test_restored_source_is_as_old_as_it_was_until_it_is_refreshed(project: Project) -> None:
    project.configure(source(), two(project))
    project.write("a.md", "first")
    project.refresh()
    first = show_status(project.config, now=project.now).sources[0].data_as_of
    project.later(hours=3)
    project.write("a.md", "second")
    project.refresh()
    roll_back(project.config, signed=project.signed())
    unpin(project.config, signed=project.signed())
    (project.root / "two" / "x.md").write_text("# X\n\nOther text.\n")
    project.refresh(sources=("two",))
    assert show_status(project.config, now=project.now).sources[0].data_as_of == first
    project.refresh()
    assert show_status(project.config, now=project.now).sources[0].data_as_of != first


def test_search_of_an_earlier_publication_says_how_old_it_was(project: Project) -> None:
    project.write("a.md", "first")
    project.refresh()
    first = project.search("x").data_as_of
    project.later(days=1)
    project.write("a.md", "second")
    project.refresh()
    assert project.search("x", publication="1").data_as_of == first


class FirstMeanwhile:
    """A store's write verb before whose first use something else happens."""

    def __init__(self, then: Callable[[], object]) -> None:
        self.then: Callable[[], object] | None = then

    def __call__(self, write: Callable[..., Any], *args: Any, **more: Any) -> Any:
        then, self.then = self.then, None
        if then is not None:
            then()
        return directly(write, *args, **more)


def take_down_a(project: Project) -> None:
    withhold(project.config, "docs/a.md", reason="a mistake", signed=project.signed())


def test_rollback_that_a_take_down_overtakes_does_not_show_it(project: Project) -> None:
    project.write("a.md", "alpha")
    project.refresh()
    project.write("b.md", "beta")
    project.refresh()
    write = FirstMeanwhile(lambda: take_down_a(project))
    roll_back(project.config, signed=project.signed(), to=1, write=write)
    assert "docs/a.md" not in project.seen()


def test_lifting_that_another_take_down_overtakes_does_not_show_it(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.write("a.md", "alpha")
    project.write("b.md", "beta")
    project.refresh()
    withhold(project.config, "docs/b.md", reason="a mistake", signed=project.signed())
    meanwhile = FirstMeanwhile(lambda: take_down_a(project))
    withheld_of = partial(meanwhile, withdrawals.withheld_of)
    monkeypatch.setattr(withdrawals, "withheld_of", withheld_of)
    lift_takedown(project.config, "docs/b.md", reason="it was none", signed=project.signed())
    assert project.seen() == {"docs/b.md"}


def test_refresh_shows_nothing_that_another_one_withdrew_meanwhile(project: Project) -> None:
    """A long refresh knows the configuration of its start; the one that came later could not lock."""
    project.write("a.md", "alpha")
    project.write("b.md", "beta")
    project.refresh()
    project.write("b.md", "gamma")
    began, done = project.config, list[object]()

    def narrow(event: object) -> None:
        locked = (Path(began.store_uri) / "refresh.holder.json").exists()
        if locked and not done:
            done.append(event)
            project.configure(source(more=rule("a.md", '["managers"]')))
            with pytest.raises(RefreshRunning):
                project.refresh()
            assert project.seen() == {"docs/b.md"}

    project.later()
    report = refresh_knowledge(
        began, now=project.now, run_id="long", on_event=narrow, ports=project.ports()
    )
    assert done
    assert report.published
    assert project.seen() == {"docs/b.md"}
    project.refresh()
    assert project.seen(["managers"]) == {"docs/a.md", "docs/b.md"}

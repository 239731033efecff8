"""A fill embeds what is published by another embedder, and readers see nothing until it is whole."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pipelines.decide import roll_back, unpin, withhold
from pipelines.errors import FillFailed, FillRunning, RefreshRunning
from pipelines.fill import Wanted, abort_fill, estimate_fill, fill_generation, rounds
from pipelines.knowledge import clean_up, fill_lock, unfinished
from tests.project import rule, source
from tests.retrained import MODEL, Retrained, retrained, text, tuned

TUNED = f"data/models/{MODEL}/v0.0.1"


@pytest.fixture
def project(tmp_path: Path) -> Retrained:
    return retrained(tmp_path)


def wanted(**more: Any) -> Wanted:
    return Wanted(model=TUNED, serves={MODEL: "v0.0.1"}, reason="a test", actor="somebody", **more)


def fill(project: Retrained, **more: Any) -> Any:
    project.later()
    return fill_generation(
        project.config,
        wanted=wanted(**more),
        now=project.now,
        run_id=f"run-{next(project.runs)}",
        on_event=project.events.append,
        ports=project.fill_ports(),
    )


def test_same_documents_are_shown_by_other_vectors(project: Retrained) -> None:
    before, rows = project.plain(), project.rows()
    filled = fill(project)
    encoder = project.encoders[TUNED]
    assert filled.switched
    assert project.plain() == before
    assert [r["vector"] for r in project.rows()] != [r["vector"] for r in rows]
    assert sorted(set(encoder.encoded)) == sorted(set(encoder.encoded[: filled.embedded]))
    assert filled.embedded == len({row["text_hash"] for row in rows})
    last = project.last
    assert (last.kind, last.model, last.fingerprint) == ("promotion", TUNED, encoder.fingerprint)
    assert last.embedder == {MODEL: "v0.0.1"}
    assert project.problems() == []


def test_refresh_goes_on_by_the_new_embedder_with_what_changed_only(project: Retrained) -> None:
    fill(project)
    encoder = project.encoders[TUNED]
    encoder.encoded.clear()
    project.write("1.md", text(1, "otherwise"))
    report = project.refresh()
    assert report.published
    assert len(encoder.encoded) == report.chunks["embedded"] == 3
    assert project.encoder.encoded == []
    assert project.last.embedder == {MODEL: "v0.0.1"}


def test_estimate_says_what_the_fill_then_embeds(project: Retrained) -> None:
    told = estimate_fill(
        project.config, wanted=wanted(), now=project.now, ports=project.fill_ports()
    )
    assert told.documents == 12
    filled = fill(project)
    assert told.tokens == filled.tokens_embedded
    assert told.passages == filled.chunks


def test_texts_embedded_before_by_this_embedder_are_not_embedded_again(project: Retrained) -> None:
    project.promote("v0.0.1")
    project.promote("v0.0.2")
    project.write("new.md", text(99))
    project.refresh()
    project.encoders[TUNED].encoded.clear()
    again = project.promote("v0.0.1").filled
    assert again is not None
    assert again.embedded == 3
    assert all("99" in text for text in project.encoders[TUNED].encoded[:3])


def test_edits_between_rounds_are_caught_up(
    project: Retrained, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rounds, "BATCH_TEXTS", 5)
    monkeypatch.setattr(rounds, "ROUND_BATCHES", 2)
    seen: list[int] = []

    def edit(event: Any) -> None:
        project.events.append(event)
        if getattr(event, "phase", "") == "fill" and len(seen) < 6 and event.done:
            seen.append(event.done)
            number = len(seen)
            project.write(f"{number}.md", text(number, f"edited {number}"))
            project.remove(f"{number + 6}.md") if number < 3 else None
            assert project.refresh().published

    project.later()
    filled = fill_generation(
        project.config,
        wanted=wanted(wait_seconds=0),
        now=project.now,
        run_id="fill",
        on_event=edit_outside_the_lock(project, edit),
        ports=project.fill_ports(),
    )
    assert filled.switched
    assert len(seen) >= 3
    assert {f"docs/{n}.md" for n in (7, 8)}.isdisjoint(project.uris())
    assert "edited 1" in " ".join(row["text"] for row in project.rows())
    assert project.problems() == []
    assert project.refresh().reason == "nothing changed"


def edit_outside_the_lock(project: Retrained, edit: Any) -> Any:
    def listen(event: Any) -> None:
        holder = Path(project.config.store_uri) / "refresh.holder.json"
        if not holder.exists():
            edit(event)

    return listen


def test_passage_too_long_for_the_new_embedder_refuses_the_fill(project: Retrained) -> None:
    project.encoders[TUNED] = tuned("v0.0.1", max_tokens=5)
    with pytest.raises(FillFailed, match="does not fit"):
        fill(project)
    assert project.last.kind == "refresh"


def test_pinned_state_stays_pinned_under_the_new_embedder(project: Retrained) -> None:
    project.write("1.md", text(1, "otherwise"))
    project.refresh()
    roll_back(project.config, signed=project.signed())
    before = project.plain()
    fill(project)
    assert project.last.pinned
    assert project.plain() == before
    assert project.refresh().reason == "pinned"
    assert project.problems() == []
    unpin(project.config, signed=project.signed())
    assert project.refresh().published
    assert project.problems() == []


def test_what_is_withheld_stays_withheld(project: Retrained) -> None:
    withhold(project.config, "docs/3.md", reason="a mistake", signed=project.signed())
    fill(project)
    assert "docs/3.md" not in project.seen()
    assert project.last.withheld == ("docs/3.md",)


@pytest.mark.parametrize("when", ["in the middle", "under the lock"])
def test_what_is_withdrawn_during_a_fill_is_not_shown_after_it(
    project: Retrained, when: str
) -> None:
    done: list[Any] = []

    def withdraw(event: Any) -> None:
        locked = (Path(project.config.store_uri) / "refresh.holder.json").exists()
        if getattr(event, "phase", "") != "fill" or locked != (when == "under the lock") or done:
            return
        done.append(event)
        withhold(project.config, "docs/1.md", reason="a mistake", signed=project.signed())
        project.configure(
            source(more=rule("2.md", '["managers"]')), more=f'[[models]]\nname = "{MODEL}"\n'
        )
        if not locked:
            project.refresh()

    project.later()
    fill_generation(
        project.config,
        wanted=wanted(),
        now=project.now,
        run_id="fill",
        on_event=withdraw,
        ports=project.fill_ports(),
    )
    assert done
    assert project.last.kind == "promotion"
    if when == "under the lock":  # as of the configuration that the fill was started with
        assert "docs/1.md" not in project.seen()
        project.refresh()
    assert {"docs/1.md", "docs/2.md"}.isdisjoint(project.seen())
    assert project.problems() == []


def test_what_a_refresh_withdrew_under_the_lock_stays_withdrawn(project: Retrained) -> None:
    """The fill read its configuration long ago: what it does not know of it must not show again."""
    done: list[Any] = []

    def narrow(event: Any) -> None:
        locked = (Path(project.config.store_uri) / "refresh.holder.json").exists()
        if getattr(event, "phase", "") != "fill" or not locked or done:
            return
        done.append(event)
        project.configure(
            source(more=rule("2.md", '["managers"]')), more=f'[[models]]\nname = "{MODEL}"\n'
        )
        with pytest.raises(RefreshRunning):
            project.refresh()
        assert "docs/2.md" not in project.seen()

    project.later()
    fill_generation(
        project.config,
        wanted=wanted(),
        now=project.now,
        run_id="fill",
        on_event=narrow,
        ports=project.fill_ports(),
    )
    assert done
    assert project.last.kind == "promotion"
    assert "docs/2.md" not in project.seen()
    project.refresh()
    assert project.last.withheld == ()
    assert "docs/2.md" in project.seen(["managers"])


def test_second_fill_of_the_same_embedder_is_told_who_fills(project: Retrained) -> None:
    fingerprint = project.encoders[TUNED].fingerprint
    held = fill_lock(project.store, fingerprint, run="the other", now=project.now)
    with held, pytest.raises(FillRunning, match="the other"):
        fill(project)


def begun(project: Retrained, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fill that failed in its middle."""
    monkeypatch.setattr(rounds, "BATCH_TEXTS", 5)

    def fail(event: Any) -> None:
        if getattr(event, "done", 0) > 10:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fill_generation(
            project.config,
            wanted=wanted(),
            now=project.now,
            run_id="begun",
            on_event=fail,
            ports=project.fill_ports(),
        )
    assert unfinished(project.store)


def test_fill_that_was_given_up_leaves_nothing(
    project: Retrained, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun(project, monkeypatch)
    assert abort_fill(project.config, now=project.now, run_id="abort") > 0
    assert unfinished(project.store) == {}
    assert project.last.kind == "refresh"
    assert [name for name in project.store.names() if name.startswith("chunks_")] == [
        project.last.generation
    ]


def test_running_fill_stops_when_it_is_given_up(
    project: Retrained, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rounds, "BATCH_TEXTS", 5)

    def ask(event: Any) -> None:
        with pytest.raises(FillRunning):
            abort_fill(project.config, now=project.now, run_id="abort", wait_seconds=0)

    project.later()
    with pytest.raises(FillFailed, match="given up"):
        fill_generation(
            project.config,
            wanted=wanted(),
            now=project.now,
            run_id="fill",
            on_event=ask_once(ask),
            ports=project.fill_ports(),
        )
    assert project.last.kind == "refresh"


def ask_once(ask: Any) -> Any:
    asked: list[Any] = []

    def listen(event: Any) -> None:
        if not asked:
            asked.append(event)
            ask(event)

    return listen


def tidy(project: Retrained, now: datetime) -> None:
    clean_up(
        project.store,
        now=now,
        keep_publications=1,
        keep_days=0,
        longest_read=timedelta(hours=1),
        keep_previous=timedelta(hours=24),
    )


def test_fill_that_was_left_waits_a_week_for_whoever_goes_on(
    project: Retrained, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun(project, monkeypatch)
    now = datetime.now(UTC)
    tidy(project, now + timedelta(days=6))
    assert unfinished(project.store)
    encoded = len(project.encoders[TUNED].encoded)
    assert fill(project).switched
    assert encoded + 3 > 10
    tidy(project, now + timedelta(days=6))
    assert unfinished(project.store) == {}


def test_fill_that_was_left_for_longer_goes(
    project: Retrained, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun(project, monkeypatch)
    tidy(project, datetime.now(UTC) + timedelta(days=8))
    assert unfinished(project.store) == {}
    assert fill(project).switched

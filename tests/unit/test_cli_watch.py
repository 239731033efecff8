"""What `watch` shows of a report: verdicts, why, what is next; channels and documents on request."""

from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import pytest
from rich.console import Console

from flows.cli.watched import show_explained, show_replayed, show_watched
from pipelines.drift import Exposed, Exposure, Moved, Signal, Verdict
from pipelines.watch import Replay, ReplayRow, Report, Watched

NOW = datetime(2026, 3, 4, tzinfo=UTC)


def verdict(level: Any = "watch", **more: Any) -> Verdict:
    said: dict[str, Any] = {
        "reasons": ("exposure 0.061",),
        "signals": (
            Signal(name="worth", evidence=1.25, threshold=50.0, items=31, effect=0.02, says="no"),
            Signal(name="topic", evidence=1.0, threshold=200.0, items=0),
        ),
        "exposure": 0.061,
        "worth": (0.02, -0.04, 0.09),
        "debt": None,
        "cost": None,
        "next": ("stale: worth surely below 0",),
    }
    return Verdict(level=level, **(said | more))


def report(*models: Watched, **more: Any) -> dict[str, Any]:
    return Report(look="look-1", models=models).to_dict() | {"page": None} | more


def watched(said: str = "9 new questions", **more: Any) -> Watched:
    known: dict[str, Any] = {"version": "v0.0.2", "verdict": verdict()}
    return Watched(model="tuned", said=said, **(known | more))


def shown(show: Callable[..., None], data: dict[str, Any]) -> str:
    console = Console(width=140, markup=False, highlight=False, emoji=False)
    with console.capture() as captured:
        show(console, data, NOW)
    return captured.get()


def test_line_says_verdict_exposure_and_worth_then_why() -> None:
    text = shown(show_watched, report(watched()))
    line = next(line for line in text.splitlines() if line.startswith("tuned "))
    assert line.split() == [
        "tuned",
        "v0.0.2",
        "watch",
        "0.061",
        "+0.020",
        "[-0.040,",
        "+0.090]",
        "-",
    ]
    assert text.endswith("tuned v0.0.2: 9 new questions\n  exposure 0.061\n")


def test_model_whose_base_serves_is_said_and_nothing_is_made_up() -> None:
    text = shown(show_watched, report(watched("the base serves", version=None, verdict=None)))
    assert (
        next(line for line in text.splitlines() if line.startswith("tuned ")).split()[1:]
        == ["-"] * 5
    )
    assert "tuned: the base serves" in text


def test_configuration_without_a_model_says_how_to_begin() -> None:
    assert "names no model" in shown(show_watched, report())
    assert "names no model" in shown(show_replayed, {"models": []})


def test_page_that_was_written_is_named_last() -> None:
    for show in (show_watched, show_explained):
        data = report(watched(), page="looks.html")
        data["models"][0] |= {"exposed": None, "held": [], "moved": [], "titles": {}}
        assert shown(show, data).rstrip().endswith("wrote  looks.html")


def test_explanation_names_channels_domains_documents_and_groups() -> None:
    costly = Exposed(
        uri="docs/a.md", domain="hr", examples=3, severity=0.5, share=0.75, what="changed"
    )
    exposed = Exposure(
        value=0.061,
        examples=640,
        affected=41,
        domains={"it": 0.01, "hr": 0.2},
        documents=(costly,),
        withdrawn=("docs/b.md",),
    )
    group = Moved(channel="topic", bin=7, then=0.04, now=0.31, documents=("docs/c.md",))
    data = report(watched())
    data["models"][0] |= {
        "held": [],
        "exposed": asdict(exposed),
        "moved": [asdict(group)],
        "titles": {"docs/a.md": "Annual leave"},
    }
    text = shown(show_explained, data)
    assert "It would become\n  stale: worth surely below 0" in text
    assert "docs/b.md  may not be learned from today" in text
    assert text.index("domain hr: exposure 0.200") < text.index("domain it")
    assert "41 examples of 640 rest on documents that changed:" in text
    assert "docs/a.md (Annual leave)  changed, 3 examples, 75% of it" in text
    assert "topic, group 7: 4% before, 31% now, leads to docs/c.md" in text
    line = next(line for line in text.splitlines() if line.startswith("worth"))
    assert line.split()[1:5] == ["31", "1.25", "50", "+0.020"]


def row(policy: str, level: str, day: int, **more: Any) -> ReplayRow:
    said: dict[str, Any] = {
        "look": f"look-{day}",
        "version": "v0.0.2",
        "evidence": {},
        "exposure": 0.1,
        "retrain": level == "stale",
        "cost": 4.0 if level == "stale" else None,
        "avoided": 0.5 if level == "stale" else 0.0,
    }
    return ReplayRow(
        policy=policy, level=level, at=f"2026-03-0{day}T00:00:00+00:00", **(said | more)
    )


def test_replay_sets_policies_side_by_side() -> None:
    rows = (
        row("in force", "fresh", 1),
        row("in force", "watch", 2),
        row("bold", "watch", 1),
        row("bold", "stale", 2),
    )
    replayed = Replay(model="tuned", rows=rows, kept=2, said="2 looks that were kept")
    text = shown(show_replayed, {"models": [replayed.to_dict()]})
    assert "tuned: 2 looks that were kept" in text
    lines = {line[:8].strip(): line.split() for line in text.splitlines()}
    assert lines["in force"][2:] == ["2", "1", "0", "0", "-", "0.000", "2026-03-02", "-"]
    assert lines["bold"][1:] == ["2", "1", "1", "1", "4.00", "0.500", "2026-03-01", "2026-03-02"]


@pytest.mark.parametrize(("level", "code"), [("fresh", 0), ("watch", 0), ("stale", 3)])
def test_stale_model_waits_for_a_person(level: str, code: int) -> None:
    assert Report(look="l", models=(watched(verdict=verdict(level)),)).exit_code == code

"""The page of a knowledge base as Markdown: what a person needs, small, safe, with ways on."""

import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

from markdown_it import MarkdownIt

from flows.links import NOWHERE, Deployed, Links
from flows.overview import Facts, headline, overview
from pipelines.knowledge import (
    ACCEPTED,
    OPEN,
    AuditRow,
    HoldRow,
    Publication,
    QuarantineRow,
    model_folder,
)
from pipelines.models import Turn
from pipelines.records import Failure
from pipelines.status import Freshness, SourceFreshness

EVIL = "docs/`a`|<script>alert(1)</script>[x](javascript:b)\n# *c* &amp; www.e.com.md"
NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
RUN = "6b1f4c1e6a7d4a0f8f5e0d1c2b3a4958"
NONE = {"p50": None, "p95": None, "max": None}
LINKS = Links(
    "/v2",
    {
        "refresh/kb": Deployed(UUID(int=1), {"config": "staleproof.toml", "reason": "schedule"}),
        "refresh/kb-recheck": Deployed(UUID(int=2), {"recheck": True}),
        "decide/kb": Deployed(UUID(int=3), {"config": "staleproof.toml"}),
    },
    frozenset({"knowledge-kb", "refresh-kb", "quarantine-kb"}),
)


def source(name: str = "wiki", **more: Any) -> SourceFreshness:
    said: dict[str, Any] = {
        "state": "ok",
        "health": "healthy",
        "why": "Last complete scan at noon.",
        "last_complete_scan_at": NOW - timedelta(hours=1),
        "oldest_pending_at": None,
        "pending": 0,
        "warn_after": 86_400.0,
        "error_after": 259_200.0,
        "lag_seconds": NONE,
        "deletion_lag_seconds": NONE,
        "paused": None,
    }
    return SourceFreshness(name=name, **(said | more))


def publication(number: int, **more: Any) -> Publication:
    said: dict[str, Any] = {
        "kind": "refresh",
        "at": NOW - timedelta(hours=2),
        "generation": "g",
        "version": number,
        "fingerprint": "f",
        "model": "m",
        "run": RUN,
        "actor": "prefect: schedule",
        "reason": "+1 ~2",
        "documents": 8,
        "chunks": 67,
    }
    return Publication(number=number, **(said | more))


def hold(hold_id: str = "ab12", state: str = OPEN, **more: Any) -> HoldRow:
    items = frozenset({("wiki/a.md", "")})
    row = HoldRow(hold_id, "deletions", "wiki", items, "1 of 2 is gone", NOW, state, items, None)
    return replace(row, **more)


def failed(uri: str = "wiki/bad.md", expectation: str = "is_in_a_language") -> QuarantineRow:
    return QuarantineRow(uri, "wiki", "h", Failure(expectation, "byte 17"), "TEXT", None, "s", NOW)


def audited(number: int | None, *verdicts: tuple[str, bool]) -> AuditRow:
    said = [
        {
            "expectation": name,
            "passed": passed,
            "severity": "warning" if "mild" in name else "critical",
        }
        for name, passed in verdicts
    ]
    return AuditRow(RUN, number, NOW, {"verdicts": said})


def turn(what: str = "stale", version: str = "v0.0.1", hours: int = 1, **more: Any) -> Turn:
    said: dict[str, Any] = {"why": "it is worth less", "run": RUN, "actor": ""}
    at = NOW - timedelta(hours=hours)
    return Turn(model="wiki-embedder", version=version, what=what, at=at, **(said | more))


def facts(**more: Any) -> Facts:
    said: dict[str, Any] = {
        "knowledge": "kb",
        "now": NOW,
        "freshness": Freshness(knowledge="kb", health="healthy", sources=(source(),)),
        "publications": [publication(14), publication(13)],
        "kept": frozenset({13, 14}),
        "holds": [],
        "quarantine": [],
        "releasable": frozenset({"is_in_a_language"}),
        "audits": [],
    }
    return Facts(**(said | more))


def html(markdown: str) -> str:
    return MarkdownIt("commonmark", {"html": True}).enable("table").render(markdown)


def links(markdown: str) -> dict[str, str]:
    return {text: to for to, text in re.findall(r'<a href="(.*?)">(.*?)</a>', html(markdown))}


def filled(address: str) -> Any:
    [said] = parse_qs(urlsplit(address.replace("&amp;", "&")).query)["parameters"]
    return json.loads(said)


def test_headline_says_health_what_readers_see_and_what_waits() -> None:
    told = facts(holds=[hold(), hold("cd34", ACCEPTED)], quarantine=[failed()])
    assert headline(told) == "kb is healthy, readers see #14, 1 hold waits, 1 in quarantine"
    assert headline(facts(publications=[])) == "kb is healthy, nothing is published"
    text = overview(told, NOWHERE)
    assert text.startswith(f"# {headline(told)}\n")
    assert "8 documents in 67 passages" in text


def test_forms_are_filled_in_over_what_the_deployment_sets() -> None:
    there = links(overview(facts(holds=[hold()], quarantine=[failed()]), LINKS))
    known = {"config": "staleproof.toml"}
    assert filled(there["accept"]) == {**known, "action": "accept", "subject": "ab12"}
    assert filled(there["drop"]) == {**known, "action": "drop", "subject": "ab12"}
    assert filled(there["release"]) == {**known, "action": "release", "subject": "wiki/bad.md"}
    assert filled(there["go back to this"]) == {**known, "action": "rollback", "subject": "13"}
    assert filled(there["refresh now"]) == {**known, "reason": "asked for in the UI"}
    assert filled(there["recheck every document"])["recheck"] is True
    page = f"/v2/deployments/deployment/{UUID(int=3)}/run?"
    assert there["accept"].startswith(page)


def test_pages_that_are_not_there_are_not_linked() -> None:
    there = links(overview(facts(), LINKS))
    assert there["last refresh"] == "/v2/artifacts/key/refresh-kb"
    assert "quarantine" in there
    assert "last audit" not in there


def test_runs_of_the_server_are_linked_and_those_of_the_command_line_are_not() -> None:
    rows = [publication(14), publication(13, actor="ann")]
    there = links(overview(facts(publications=rows), LINKS))
    assert there["#14"] == f"/v2/runs/flow-run/{UUID(RUN)}"
    assert "#13" not in there


def test_without_a_server_the_commands_stand_there() -> None:
    text = overview(facts(holds=[hold()], quarantine=[failed()]), NOWHERE)
    assert links(text) == {}
    assert "`staleproof accept ab12` or `staleproof drop ab12`" in text


def test_pinned_says_how_to_go_on() -> None:
    pinned = facts(publications=[publication(14, pinned=True, restores=12)])
    assert filled(links(overview(pinned, LINKS))["unpin"])["action"] == "unpin"
    assert "`staleproof unpin`" in overview(pinned, NOWHERE)
    assert "restores #12" in overview(pinned, NOWHERE)


def test_state_without_files_is_not_offered() -> None:
    text = overview(facts(kept=frozenset({14})), LINKS)
    assert "go back" not in text
    assert "files gone" in text


def test_document_that_leaves_nothing_to_publish_is_not_offered() -> None:
    text = overview(facts(quarantine=[failed(expectation="text_is_utf8")]), LINKS)
    assert "mend it at its source" in text
    assert "release" not in text


def test_worst_source_comes_first_and_says_why() -> None:
    late = source("late", state="error", health="degraded", why="No complete scan since May.")
    told = Freshness(knowledge="kb", health="degraded", sources=(source(), late))
    text = overview(facts(freshness=told), NOWHERE)
    assert text.index("| late | error |") < text.index("| wiki | ok |")
    assert "- late: No complete scan since May." in text
    assert "- wiki:" not in text


def test_audits_say_what_failed() -> None:
    text = overview(
        facts(
            audits=[
                audited(None, ("a", False), ("mild", False), ("b", True)),
                audited(14, ("b", True)),
            ]
        ),
        NOWHERE,
    )
    shown = html(text)
    assert "<td>not published</td>\n<td>fails a; warns of mild</td>" in shown
    assert "<td>#14</td>\n<td>all 1 hold</td>" in shown


def test_mark_changes_with_what_is_said_and_not_with_time() -> None:
    told = facts()
    newer = source(last_complete_scan_at=NOW, pending=3)
    later = replace(told, now=NOW + timedelta(hours=9))
    scanned = replace(told, freshness=replace(told.freshness, sources=(newer,)))
    assert told.mark == later.mark == scanned.mark
    changed = [
        replace(told, freshness=replace(told.freshness, health="warning")),
        replace(told, publications=[publication(15), publication(14)]),
        replace(told, publications=[publication(14, pinned=True)]),
        replace(told, holds=[hold()]),
        replace(told, holds=[hold(state=ACCEPTED)]),
        replace(told, quarantine=[failed()]),
        replace(told, audits=[audited(14)]),
        replace(told, models=[turn()]),
        replace(told, models=[turn("watch")]),
    ]
    assert len({told.mark, *(other.mark for other in changed)}) == len(changed) + 1


def test_hostile_name_does_nothing_wherever_it_stands() -> None:
    told = facts(
        freshness=Freshness(
            knowledge="kb",
            health="degraded",
            sources=(source(EVIL, state="error", why=EVIL),),
        ),
        publications=[publication(14, actor=EVIL, reason=EVIL)],
        holds=[hold(source=EVIL, why=EVIL)],
        quarantine=[failed(EVIL)],
        audits=[audited(14, (EVIL, False))],
        models=[turn(why=EVIL, version=EVIL), turn("serves", version=EVIL, why=EVIL)],
    )
    shown = html(overview(told, LINKS))
    assert not re.search(r"<script|<em|<h1>\s*c|href=\"javascript", shown)
    assert filled(links(overview(told, LINKS))["release"])["subject"] == EVIL


def test_no_text_of_a_document_is_told() -> None:
    assert "TEXT" not in overview(facts(quarantine=[failed()]), LINKS)


def test_page_stays_small_however_much_there_is() -> None:
    long, many = "\U0001f4c4`|" * 60, 3_000
    told = facts(
        freshness=Freshness(
            knowledge="kb",
            health="degraded",
            sources=tuple(source(f"{n}{long}", state="error", why=long) for n in range(500)),
        ),
        publications=[publication(n, reason=long, actor=long) for n in range(10, 0, -1)],
        holds=[hold(f"{n:010x}", why=long) for n in range(many)],
        quarantine=[failed(f"{n}{long}") for n in range(many)],
        audits=[audited(n, (long, False)) for n in range(5)],
        models=[turn(why=long, run=str(n)) for n in range(500)],
    )
    text = overview(told, LINKS)
    assert len(text.encode()) < 200_000
    assert text.count("more are not listed here") == 6


def test_model_that_serves_is_named_with_its_page_and_the_way_back() -> None:
    folder = model_folder("wiki-embedder", "v0.0.2")
    served = publication(12, model=folder, models={"wiki-embedder": "v0.0.2"})
    told = facts(publications=[served])
    assert "Found by wiki-embedder v0.0.2." in overview(told, NOWHERE)
    there = links(overview(told, LINKS))
    assert there["wiki-embedder"].endswith("/artifacts/key/evaluation-wiki-embedder")
    assert filled(there["take it back"])["subject"] == "wiki-embedder"


def test_whole_life_of_a_model_is_told_and_each_run_is_a_step_away() -> None:
    told = facts(
        models=[
            turn("serves", "v0.0.2", 1, actor="prefect: ann", publication=15, why="better"),
            turn("may be promoted", "v0.0.2", 2, publication=14, why="it gains 0.05"),
            turn("stale", "v0.0.1", 3, why="docs/a.md may not be learned from today"),
            turn("serves", "v0.0.1", 9, actor="ann", publication=3),
        ]
    )
    text = overview(told, replace(LINKS, keys=LINKS.keys | {"drift-wiki-embedder"}))
    shown = html(text)
    assert "<td>v0.0.2</td>\n<td>2026-03-04 11:00</td>\n<td>not looked at yet</td>" in shown
    story = [line for line in text.splitlines() if "wiki-embedder | v0.0." in line]
    assert [line.split(" | ")[2] for line in story[1:]] == [
        "v0.0.2 serves in #15",
        "v0.0.2 may be promoted, learned from #14",
        "v0.0.1 stale",
        "v0.0.1 serves in #3",
    ]
    assert links(text)["2026-03-04 09:00"] == f"/v2/runs/flow-run/{UUID(RUN)}"
    assert "2026-03-04 03:00" not in links(text), "it was promoted at the command line"
    assert links(text)["evidence"].endswith("/artifacts/key/drift-wiki-embedder")
    assert "training" not in links(text)


def test_model_that_was_taken_back_serves_no_more() -> None:
    told = facts(models=[turn("taken back"), turn("fresh"), turn("serves", hours=3)])
    assert "## Models" not in overview(told, LINKS)
    served = facts(models=[turn("watch"), turn("fresh", hours=2), turn("serves", hours=3)])
    assert "| watch | it is worth less |" in overview(served, LINKS)

"""Decisions by the command line, over a real store."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipelines.knowledge import open_store, refresh_lock
from tests.command_line import REPORT, Cli, assert_shape, keys


@pytest.fixture
def cli(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Cli:
    return Cli.on_new_project(tmp_path, capsys)


def held(cli: Cli) -> str:
    """Publishes 20 documents, takes away 12; the hold that this opens."""
    for number in range(20):
        cli.project.write(f"{number}.md", f"# {number}\n\nText {number}.\n")
    cli("refresh")
    cli.project.remove(*(f"{number}.md" for number in range(12)))
    assert "Would be held" in cli("plan", code=3)
    said = cli.json("refresh", code=3)
    assert said["documents"]["held"] == 12
    (hold,) = cli.json("holds")["holds"]
    assert said["holds"] == [hold["id"]]
    assert len(hold["items"]) == 12
    assert f"staleproof accept {hold['id']}" in cli("holds")
    return str(hold["id"])


def test_accepted_hold_is_applied_at_once(cli: Cli) -> None:
    hold = held(cli)
    said = cli.json("accept", hold, "--reason", "they moved")
    assert_shape(said, REPORT)
    assert (said["published"], said["documents"]["deleted"]) == (True, 12)
    assert cli.json("holds") == {"holds": []}
    assert cli.json("accept", hold, code=2)["error"]["type"] == "UnknownName"


def test_accepted_while_another_refresh_runs_is_recorded(cli: Cli) -> None:
    hold = held(cli)
    store = open_store(cli.project.config.store_uri, now=cli.project.now)
    with refresh_lock(store, run="other", now=datetime.now(UTC), wait_seconds=0):
        error = cli.json("accept", hold, code=4)["error"]
    assert error["type"] == "RefreshRunning"
    assert "The decision is recorded" in error["hint"]
    assert cli.json("refresh")["documents"]["deleted"] == 12


def test_accepted_while_pinned_is_recorded(cli: Cli) -> None:
    hold = held(cli)
    cli.project.write("19.md", "# 19\n\nOther.\n")
    cli("refresh", code=3)
    cli("rollback")
    assert "The decision is recorded" in cli("accept", hold, code=3)
    assert cli.json("accept", hold, code=3)["reason"] == "pinned"
    cli("unpin")
    assert cli.json("refresh")["documents"]["deleted"] == 12


def test_dropped_hold_stays_as_published(cli: Cli) -> None:
    hold = held(cli)
    assert cli.json("drop", hold, "--reason", "a mistake")["state"] == "dropped"
    assert cli.json("refresh")["published"] is False
    assert cli.json("status")["sources"][0]["documents"] == 20


def test_unpublished_candidate_can_be_searched_and_accepted(cli: Cli) -> None:
    cli.project.write("a.md", "# A\n\nThe old text.\n")
    cli("refresh")
    cli.project.write("a.md", "# A\n\nThe new text.\n")
    said = cli.json("refresh", "--no-publish", code=3)
    assert (said["published"], said["reason"]) == (False, "not asked to publish")
    assert "old" in cli.json("search", "text")["hits"][0]["text"]
    for state in ("candidate", said["holds"][0]):
        found = cli.json("search", "text", "--publication", state)
        assert "new" in found["hits"][0]["text"]


def test_rollback_and_unpin(cli: Cli) -> None:
    cli.project.write("a.md", "# A\n\nThe old text.\n")
    cli("refresh")
    cli.project.write("a.md", "# A\n\nThe new text.\n")
    cli("refresh")
    said = cli.json("rollback")
    assert_shape(
        said,
        {
            **keys("publication restores pinned withheld returned seconds"),
            "chunks": {"embedded": None},
        },
    )
    assert (said["publication"], said["restores"], said["pinned"]) == (3, 1, True)
    assert "old" in cli.json("search", "text")["hits"][0]["text"]
    assert "pinned" in cli("history")
    cli.project.write("a.md", "# A\n\nThe newest text.\n")
    assert cli.json("refresh", code=3)["reason"] == "pinned"
    assert cli.json("unpin") == {"publication": 4, "pinned": False, "unpinned": True}
    assert cli.json("unpin")["unpinned"] is False
    assert "Readers see #2 again" in cli("rollback", "#2")
    assert cli.json("history", "diff", "1", "2")["changed"] == ["docs/a.md"]


def test_withheld_is_unseen_until_lifted(cli: Cli) -> None:
    cli.project.write("a.md", "# A\n\nText.\n")
    cli("refresh")
    assert cli.json("withhold", "docs/a.md", "--reason", "wrong")["seen"] is False
    assert cli.json("search", "text")["hits"] == []
    assert "Nothing is found" in cli("search", "text")
    assert cli.json("withhold", "docs/a.md", "--lift", "--reason", "mended")["seen"] is True
    assert cli.json("search", "text")["hits"]


def test_quarantined_document_can_be_tried_again(cli: Cli) -> None:
    cli.project.write("bad.md", b"\xff")
    cli("refresh")
    assert "staleproof refresh" in cli("quarantine", "retry")
    assert cli.json("quarantine", "list") == {"documents": []}
    assert cli.json("refresh")["documents"]["quarantined"] == 1
    assert cli.json("quarantine", "retry", "docs/bad.md") == {"documents": ["docs/bad.md"]}

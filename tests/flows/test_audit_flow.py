"""What the flow shows of an audit, on a real server."""

from pathlib import Path

import pytest

from pipelines.config import load_config
from tests.flows.runs import (
    ON_SERVER,
    WORD,
    artifacts_of,
    events_of,
    ingest,
    logs_of,
    new_project,
    run,
    with_stand_in,
)

pytestmark = ON_SERVER

PART = f"All {WORD} hold to this rule, and nobody else does. " * 12


@pytest.fixture
def published(tmp_path: Path) -> Path:
    """A handbook with one long document, published."""
    config = new_project(tmp_path)
    parts = (f"## Part {n}\n\nRule {n}. {PART}" for n in range(60))
    (tmp_path / "docs" / "rules.md").write_text("\n\n".join(["# Rules", *parts]))
    ingest(config)
    return config


def shrink(config: Path) -> None:
    """What the audit does not let pass: the same documents in far fewer passages."""
    (config.parent / "docs" / "rules.md").write_text(f"# Rules\n\nNo {WORD}, no rules.\n")


def test_source_that_fails_its_audit_is_held_and_everyone_is_told(published: Path) -> None:
    shrink(published)
    state, seen = run(with_stand_in, published)
    name = load_config(published).knowledge.name
    (hold,) = state.result()["holds"]
    said = str(state.message)
    assert (state.type.value, state.name) == ("COMPLETED", "Held")
    assert "Readers see #1." in said
    assert "Source handbook is held (audit): fails passages_are_about_as_many: " in said
    assert f"To look: staleproof audit. To decide: staleproof accept {hold}, or" in said

    told = {event: (resource, payload) for event, resource, payload in events_of(seen.id)}
    resource, payload = told["staleproof.audit.failed"]
    assert resource == f"staleproof.source.{name}.handbook"
    assert payload["id"] == hold
    assert "staleproof.hold.opened" in told

    shown = artifacts_of(seen.id)[f"audit-{name}"]
    assert "nothing new is published, readers see #1" in shown
    assert f"`staleproof accept {hold}` or `staleproof drop {hold}`" in shown
    texts = [shown, said, str(told), logs_of(seen.id)]
    assert not [text for text in texts if WORD in text]


def test_standing_hold_is_told_again_without_alarm_or_new_artifact(published: Path) -> None:
    shrink(published)
    run(with_stand_in, published)
    state, seen = run(with_stand_in, published)
    assert state.name == "Held"
    assert "passages_are_about_as_many" in str(state.message)
    assert not {e[0] for e in events_of(seen.id)} & {
        "staleproof.audit.failed",
        "staleproof.hold.opened",
    }
    assert f"audit-{load_config(published).knowledge.name}" not in artifacts_of(seen.id)


def test_audit_of_a_publication_is_shown_with_its_page(published: Path) -> None:
    docs = published.parent / "docs"
    (docs / "pay.md").write_text((docs / "leave.md").read_text())
    state, seen = run(with_stand_in, published)
    config = load_config(published)
    shown = artifacts_of(seen.id)[f"audit-{config.knowledge.name}"]
    assert state.name == "Completed"
    assert "#2 is audited and published" in shown
    failing = shown.index("is&#95;not&#95;a&#95;copy")
    assert failing < shown.index("| handbook | 4 | 4 |")
    assert "33 of 34 expectations hold." in shown


def test_run_that_audits_nothing_leaves_the_former_artifact(published: Path) -> None:
    _, seen = run(with_stand_in, published)
    assert f"audit-{load_config(published).knowledge.name}" not in artifacts_of(seen.id)

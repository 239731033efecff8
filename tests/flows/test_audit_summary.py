"""The artifact of an audit as Markdown: short, in order, and safe whatever a name holds."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from markdown_it import MarkdownIt

from flows.audits import audit_summary
from pipelines.config import Config, Knowledge
from pipelines.knowledge import AuditRow
from pipelines.pages import audit_page_path
from pipelines.planning import Hold
from pipelines.refresh import Report

EVIL = "docs/`a`|<script>alert(1)</script>[x](javascript:b)\n# *c* &amp; www.e.com.md"
AT = datetime(2026, 3, 4, 5, 6, tzinfo=UTC)
REPORT = Report(
    knowledge="kb",
    run="run-1",
    publication=14,
    published=True,
    reason=None,
    documents={},
    chunks={},
    tokens_embedded=0,
    seconds={},
    sources=(),
    attention=(),
)
HOLD = Hold("ab12", "audit", "docs", (("docs/a.md", "h"),), "fails chunks_are_enough: 0.1")


def verdict(name: str, *, passed: bool = True, **more: Any) -> dict[str, Any]:
    return {
        "grain": "documents",
        "expectation": name,
        "severity": "critical",
        "expected": f"{name} at least 1",
        "passed": passed,
        "checked": 40,
        "observed": "2 of 40 documents",
        "failed": 0 if passed else 2,
        "rows": {} if passed else {"docs/a.md": "0", "docs/b.md": "0"},
    } | more


def audited(*verdicts: dict[str, Any], number: int | None = 14, **more: Any) -> AuditRow:
    said = {"verdicts": list(verdicts), "measures": {}, "mend": [], "accepted": [], "released": []}
    return AuditRow("run-1", number, AT, said | more)


def config(root: Path, store: str = "data/store") -> Config:
    return Config(
        knowledge=Knowledge(name="kb", store=store), path=root / "staleproof.toml", root=root
    )


def html(markdown: str) -> str:
    return MarkdownIt("commonmark", {"html": True}).enable("table").render(markdown)


def test_failing_expectations_come_first_and_passing_ones_are_counted(tmp_path: Path) -> None:
    audit = audited(
        verdict("fine"),
        verdict("mild", passed=False, severity="warning"),
        verdict("severe", passed=False),
        measures={"docs": {"documents_before": 40, "documents": 1_042, "canary_recall": 0.9666}},
        mend=[{"id": "1"}],
    )
    text = audit_summary(REPORT, audit, config(tmp_path))
    shown = html(text)
    assert text.startswith("# kb #14 is audited and published\n")
    assert text.index("severe") < text.index("mild") < text.index("## Sources")
    assert "<td>fine</td>" not in shown
    assert "<td>1,042</td>\n<td></td>\n<td></td>\n<td>0.967</td>" in shown
    assert "1 of 3 expectations hold, 1 golden questions to mend." in text


def test_held_source_comes_with_the_commands_that_decide_it(tmp_path: Path) -> None:
    report = replace(REPORT, published=False, holds=(HOLD, replace(HOLD, kind="deletions")))
    text = audit_summary(report, audited(verdict("fine"), number=None), config(tmp_path))
    assert text.startswith("# kb: nothing new is published, readers see #14\n")
    assert text.count("`staleproof accept ab12` or `staleproof drop ab12`") == 1
    assert "Page" not in text


@pytest.mark.parametrize("inside", [True, False])
def test_page_is_named_as_the_project_sees_it(tmp_path: Path, inside: bool) -> None:
    store = "data/store" if inside else str(tmp_path / "elsewhere")
    project = config(tmp_path / "project", store)
    without = audit_summary(REPORT, audited(verdict("fine")), project)
    file = audit_page_path(project.store_uri, 14)
    file.parent.mkdir(parents=True)
    file.touch()
    text = audit_summary(REPORT, audited(verdict("fine")), project)
    assert "Page" not in without
    assert f"Page: <code>{'data/store/' if inside else ''}audits/14.html</code>" in text
    assert str(tmp_path) not in text


def test_hostile_name_does_nothing_wherever_it_stands(tmp_path: Path) -> None:
    bad = verdict(EVIL, passed=False, expected=EVIL, observed=EVIL, rows={EVIL: EVIL})
    report = replace(REPORT, holds=(replace(HOLD, source=EVIL, why=EVIL),))
    audit = audited(bad, measures={EVIL: {"documents": 1}})
    shown = html(audit_summary(report, audit, config(tmp_path)))
    assert "<script" not in shown
    assert "<em" not in shown
    assert "<a " not in shown
    assert shown.count("&lt;script&gt;") == 7


def test_artifact_stays_small_however_much_there_is(tmp_path: Path) -> None:
    long = "\U0001f4c4`|" * 60
    bad = (verdict(f"{n}{long}", passed=False, rows={long: long}) for n in range(2_000))
    report = replace(
        REPORT, holds=tuple(replace(HOLD, id=f"{n:010x}", why=long) for n in range(2_000))
    )
    audit = audited(*bad, measures={f"s{n}{long}": {} for n in range(2_000)})
    text = audit_summary(report, audit, config(tmp_path))
    assert len(text.encode()) < 110_000
    assert text.count("more are not listed here") == 3

"""The audit of a run as Markdown: what failed, counts, where its page is; never a text."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from flows.links import NOWHERE, Links
from flows.markdown import code, plain, section, sentence
from pipelines.config import Config
from pipelines.knowledge import AuditRow
from pipelines.pages import audit_page_path, each_once, failing_first
from pipelines.planning import Hold
from pipelines.refresh import Report

BUDGETS = {"held": 20_000, "failing": 40_000, "rows": 20_000, "sources": 20_000}
"""Bytes of Markdown by part."""
MEASURES = ("documents_before", "documents", "chunks", "canaries", "canary_recall")
"""What a source's line shows."""


def audit_summary(report: Report, audit: AuditRow, config: Config, links: Links = NOWHERE) -> str:
    """What an audit found, as Markdown: failing expectations first, then counts.

    Args:
        report: The refresh that audited.
        audit: What it found out.
        config: Where the store is.
        links: Where other pages and the run forms are.
    """
    said = {**audit.report, "verdicts": each_once(audit.report["verdicts"])}
    parts = [
        f"# {_headline(report, audit)}",
        links.pages(report.knowledge, but="audit"),
        _held([hold for hold in report.holds if hold.kind == "audit"], report.knowledge, links),
        _failing(said["verdicts"]),
        _sources(said["measures"]),
        _counts(said),
        _page(audit, config),
        f"Run {code(report.run)}.",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _headline(report: Report, audit: AuditRow) -> str:
    name = plain(report.knowledge)
    if audit.number is not None:
        return f"{name} #{audit.number} is audited and published"
    reads = f"readers see #{report.publication}" if report.publication else "nothing is published"
    return f"{name}: nothing new is published, {reads}"


def _held(holds: Sequence[Hold], knowledge: str, links: Links) -> str:
    lines = (
        f"| {plain(h.source or 'all')} | {sentence(h.why)} | {len(h.items):,}"
        f" | {links.to_decide(knowledge, h.id)} |"
        for h in holds
    )
    head = ("source", "why it is held", "documents", "to decide")
    return section("Held", head, lines, len(holds), BUDGETS["held"])


def _failing(verdicts: Sequence[Mapping[str, Any]]) -> str:
    failed = [v for v in failing_first(verdicts) if not v["passed"]]
    lines = (
        f"| {plain(v['expectation'])} | {sentence(v['expected'])} | {sentence(v['observed'])}"
        f" | {plain(v['severity'])} | {v['failed']:,} | {_first(v['rows'])} |"
        for v in failed
    )
    head = ("expectation", "expected", "observed", "severity", "failing", "the first of them")
    return section("What failed", head, lines, len(failed), BUDGETS["failing"])


def _first(rows: Mapping[str, str]) -> str:
    return code(next(iter(rows))) if rows else ""


def _sources(measures: Mapping[str, Mapping[str, Any]]) -> str:
    lines = (
        f"| {plain(name)} | {' | '.join(_number(said.get(key)) for key in MEASURES)} |"
        for name, said in sorted(measures.items())
    )
    head = ("source", *(key.replace("_", " ") for key in MEASURES))
    return section("Sources", head, lines, len(measures), BUDGETS["sources"])


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,}" if isinstance(value, int) else f"{value:.3g}"


def _counts(said: Mapping[str, Any]) -> str:
    held = sum(v["passed"] for v in said["verdicts"])
    parts = [f"{held:,} of {len(said['verdicts']):,} expectations hold"]
    for key, words in (
        ("mend", "golden questions to mend"),
        ("accepted", "holds accepted"),
        ("released", "documents released"),
    ):
        if said[key]:
            parts.append(f"{len(said[key]):,} {words}")
    return ", ".join(parts) + "."


def _page(audit: AuditRow, config: Config) -> str:
    """Where the page is, as the project's folder sees it; no place on this machine is told."""
    if audit.number is None:
        return ""
    file = audit_page_path(config.store_uri, audit.number)
    if not file.exists():
        return ""
    known = file.relative_to(config.root) if file.is_relative_to(config.root) else None
    shown = known or Path(*file.parts[-2:])
    return f"Page: {code(shown.as_posix())}"

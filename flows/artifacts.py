"""What is shown: receipts, the quarantine and progress, as Prefect artifacts."""

import asyncio
import base64
import re
import time
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from flows.audits import audit_summary
from flows.links import NOWHERE, Links
from flows.markdown import code, minute, plain, section, sentence, stage_bar, table, within
from flows.shown import shown
from pipelines.config import Config, GitSource
from pipelines.decide import releasable_expectations
from pipelines.knowledge import QuarantineRow, audits, find_store, quarantine
from pipelines.planning import Change, Kind
from pipelines.quality import verdict_basis
from pipelines.records import Progress
from pipelines.refresh import SIGNS, Report, SourceReport, summary

if TYPE_CHECKING:
    from concurrent.futures import Future
    from uuid import UUID

BUDGETS = {"changes": 90_000, "quarantined": 25_000, "holds": 25_000, "attention": 15_000}
"""Bytes of Markdown by part: the server hands out artifacts whole, in every list."""
PAUSE_SECONDS = 3.0
_WEB = re.compile(r"(https?)://(?:[^/]*@)?([\w.-]+(?::\d+)?)(/[^?#]*)")
SHARES = {
    "scan": (0, 10),
    "embed": (10, 95),
    "snapshot": (0, 5),
    "dataset": (5, 15),
    "train": (15, 75),
    "evaluate": (75, 95),
}
"""Percent of a run at which a phase begins and ends."""


def receipt(report: Report, config: Config, links: Links = NOWHERE) -> str:
    """What a refresh did, as Markdown: uris, hashes and counts, never a document's text.

    Args:
        report: The refresh.
        config: Where its sources are.
        links: Where other pages and the run forms are.

    Returns:
        Less than 200 KB, however many documents there are.
    """
    parts = [
        f"# {_headline(report)}",
        links.pages(report.knowledge, but="refresh"),
        _counts("documents", report.documents),
        _counts("passages", {**report.chunks, "tokens embedded": report.tokens_embedded}),
        _holds(report, links),
        _attention(report.attention),
        _changes(report.changes, "What changed" if report.published else "What waits"),
        _quarantined(report),
        _slow(report.slowest),
        _sources(report.sources, config),
        _seconds(report.seconds),
    ]
    run = f"Run {code(report.run)}."
    return "\n\n".join([part for part in parts if part] + [run]) + "\n"


def quarantine_list(
    rows: Sequence[QuarantineRow],
    knowledge: str = "",
    links: Links = NOWHERE,
    releasable: Collection[str] = (),
) -> str:
    """What stands in quarantine, as Markdown, without excerpts.

    Args:
        rows: What stands there.
        knowledge: Of which knowledge base.
        links: Where other pages and the run forms are.
        releasable: The expectations in spite of which a person may let a document through.
    """
    count = f"{len(rows):,} document{'' if len(rows) == 1 else 's'}" if rows else "nothing"
    parts = [
        f"# {plain(knowledge)}: {count} in quarantine",
        links.pages(knowledge, but="quarantine"),
    ]
    if rows:
        lines = (
            f"| {code(row.uri)} | {plain(row.failure.expectation)} | {plain(row.failure.observed)}"
            f" | {minute(row.since)} | {_way_out(row, knowledge, links, releasable)} |"
            for row in rows
        )
        head = ("document", "expected", "observed", "since (UTC)", "to let it through")
        parts.append(table(head, lines, len(rows), 180_000))
        parts.append(
            "To look: `staleproof quarantine show URI`. The last good versions stay published;"
            " where front matter is broken, nobody sees them."
        )
    return "\n\n".join(part for part in parts if part) + "\n"


def _way_out(row: QuarantineRow, knowledge: str, links: Links, releasable: Collection[str]) -> str:
    if row.failure.expectation in releasable:
        return links.to_release(knowledge, row.uri)
    return "mend it at its source"


def _headline(report: Report) -> str:
    name = plain(report.knowledge)
    if report.published:
        return f"{name} {summary(report.documents)}, published as #{report.publication}"
    reads = f"readers see #{report.publication}" if report.publication else "nothing is published"
    return f"{name}: {plain(report.reason or 'nothing changed')}, {reads}"


def _counts(what: str, counts: Mapping[str, int]) -> str:
    """What there was, a line each: side by side they would run out of the page."""
    lines = [f"| {name} | {count:,} |" for name, count in counts.items() if count]
    return "\n".join([f"| {what} | |", "|---|--:|", *(lines or ["| none | 0 |"])])


def _holds(report: Report, links: Links) -> str:
    holds = report.holds
    lines = (
        f"| {plain(h.source or 'all')} | {plain(h.kind)} | {len(h.items):,} | {sentence(h.why)}"
        f" | {links.to_decide(report.knowledge, h.id)} |"
        for h in holds
    )
    head = ("source", "kind", "documents", "why", "to decide")
    return section("Waits for a person", head, lines, len(holds), BUDGETS["holds"])


def _attention(attention: Sequence[str]) -> str:
    """What has no part of its own here."""
    told = ("Hold ", "Quarantined ")
    lines = [f"- {sentence(line)}" for line in attention if not line.startswith(told)]
    if not lines:
        return ""
    shown = within(lines, BUDGETS["attention"])
    more = [f"- and {len(lines) - len(shown):,} more"] if len(shown) < len(lines) else []
    return "\n".join(["## To look at", "", *shown, *more])


def _changes(changes: Sequence[Change], title: str) -> str:
    by_domain: dict[str, list[Change]] = {}
    for change in changes:
        policy = change.policy or (change.previous.policy if change.previous else None)
        by_domain.setdefault(policy.domain if policy else "unknown", []).append(change)
    parts = [f"## {title}"] if changes else []
    for domain, here in sorted(by_domain.items()):
        counted = summary({kind: sum(c.kind is kind for c in here) for kind in Kind})
        lines = (
            f"| {SIGNS[c.kind]} {c.kind} | {code(c.uri)} | {sentence(c.reason)} |" for c in here
        )
        listed = table(
            ("", "document", "why"), lines, len(here), BUDGETS["changes"] // len(by_domain)
        )
        parts.append(f"### {plain(domain)} ({counted})\n\n{listed}")
    return "\n\n".join(parts)


def _quarantined(report: Report) -> str:
    lines = (
        f"| {code(r.found.uri)} | {plain(r.failure.expectation)} | {plain(r.failure.observed)} |"
        for r in report.rejected
    )
    return section(
        "Newly in quarantine",
        ("document", "expected", "observed"),
        lines,
        len(report.rejected),
        BUDGETS["quarantined"],
    )


def _slow(slowest: Sequence[tuple[float, str]]) -> str:
    lines = (f"| {seconds:.2f} | {code(uri)} |" for seconds, uri in slowest)
    return section("Slowest to read and cut", ("seconds", "document"), lines, len(slowest), 10_000)


def _sources(sources: Sequence[SourceReport], config: Config) -> str:
    urls = {s.name: s.url for s in config.sources if isinstance(s, GitSource)}
    lines = (
        f"| {plain(s.name)} | {s.documents:,} | {s.read:,}"
        f" | {'complete' if s.complete else plain(s.error or 'broken off')}"
        f" | {source_version(urls.get(s.name, ''), s.version)} |"
        for s in sources
    )
    head = ("source", "documents", "read", "listing", "version")
    return f"## Sources\n\n{table(head, lines, len(sources), 10_000)}"


def source_version(url: str, version: str | None) -> str:
    """The version of a source, short; a link to the commit where the source is on the web.

    Only host and path of the address are shown: some people keep a password in it.
    """
    if not version:
        return ""
    short = code(version[:12])
    web = _WEB.fullmatch(url)
    if not web:
        return short
    scheme, host, path = web.groups()
    page = f"{scheme}://{host}{plain(path.rstrip('/').removesuffix('.git'))}"
    return f'<a href="{page}/commit/{plain(version)}">{short}</a>'


def _seconds(seconds: Mapping[str, float]) -> str:
    picture = base64.b64encode(stage_bar(seconds).encode()).decode()
    said = ", ".join(f"{name} {took:.2f}" for name, took in seconds.items())
    return f"## Seconds by stage\n\n![{said}](data:image/svg+xml;base64,{picture})\n\n{said}"


async def show_receipt(report: Report, config: Config, links: Links = NOWHERE) -> None:
    """Keeps the receipt as the newest version of ``refresh-<name>``."""
    from prefect.artifacts import acreate_markdown_artifact

    key, text = f"refresh-{report.knowledge}", receipt(report, config, links)
    await acreate_markdown_artifact(text, key=key, description="The receipt")


async def show_audit(report: Report, config: Config, links: Links = NOWHERE) -> bool:
    """Keeps ``audit-<name>`` of a run that audited something; others leave the former one.

    Returns:
        Whether there is a new one.
    """
    from prefect.artifacts import acreate_markdown_artifact

    found = (a for a in audits(find_store(config.store_uri)) if a.run == report.run)
    audit = next(found, None)
    if audit is not None:
        key, text = f"audit-{report.knowledge}", audit_summary(report, audit, config, links)
        await acreate_markdown_artifact(text, key=key, description="What was expected, and found")
    return audit is not None


async def show_quarantine(config: Config, links: Links = NOWHERE) -> bool:
    """Keeps ``quarantine-<name>``; a new version only where it reads differently.

    Returns:
        Whether there is one.
    """
    from prefect.artifacts import Artifact, acreate_markdown_artifact

    name = config.knowledge.name
    rows = quarantine(find_store(config.store_uri), verdict_basis(config))
    text = quarantine_list(rows, name, links, releasable_expectations(config))
    key = f"quarantine-{name}"
    newest = await Artifact.aget(key)
    if newest is None and not rows:
        return False
    if newest is None or newest.data != text:
        await acreate_markdown_artifact(text, key=key, description="What failed, and why")
    return True


class ProgressBar:
    """One progress artifact a run, moved at most every few seconds; a short run shows none."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, *, pause_seconds: float = PAUSE_SECONDS
    ) -> None:
        """The loop is the flow's; the engine's thread calls and never waits."""
        self._loop = loop
        self._pause = pause_seconds
        self._moved = time.monotonic()
        self._sending: Future[None] | None = None
        self._artifact: UUID | None = None

    def move(self, progress: Progress) -> None:
        """Says how far a phase has come. What cannot be shown is not: the work goes on."""
        if time.monotonic() - self._moved < self._pause:
            return
        if self._sending is not None and not self._sending.done():
            return
        self._moved = time.monotonic()
        begin, end = SHARES.get(progress.phase, (0, 95))
        percent = begin + (end - begin) * progress.done / max(progress.total, 1)
        more = f", {progress.note}" if progress.note else ""
        text = f"{progress.phase}: {progress.done:,} of {progress.total:,}{more}"
        self._sending = asyncio.run_coroutine_threadsafe(self._send(percent, text), self._loop)

    async def finish(self) -> None:
        """Ends at 100, where anything was shown."""
        if self._sending is not None:
            await asyncio.wait([asyncio.wrap_future(self._sending)])
        if self._artifact is not None:
            with shown("The progress of this run"):
                await self._send(100.0, "done")

    async def _send(self, percent: float, text: str) -> None:
        from prefect.artifacts import acreate_progress_artifact, aupdate_progress_artifact

        said: dict[str, Any] = {"progress": percent, "description": text}
        if self._artifact is None:
            self._artifact = await acreate_progress_artifact(**said)
        else:
            await aupdate_progress_artifact(self._artifact, **said)

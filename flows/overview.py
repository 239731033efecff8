"""One page that says how a knowledge base is, what waits, and where to put it right: Markdown."""

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from flows.links import Links, artifact_page
from flows.markdown import code, minute, plain, section, sentence, table, within
from flows.models import models_section
from pipelines.knowledge import ACCEPTED, AuditRow, HoldRow, Publication, QuarantineRow
from pipelines.pages import Clocks, clocks_picture, lasting

if TYPE_CHECKING:
    from pipelines.models import Turn
    from pipelines.status import Freshness, SourceFreshness

BUDGETS = {"sources": 20_000, "whys": 15_000, "holds": 40_000, "quarantine": 40_000, "publications": 20_000,
           "audits": 10_000}  # fmt: skip
"""Bytes of Markdown by part."""
WORST = {"error": 0, "warn": 1, "paused": 2, "ok": 3}
"""Which sources come first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What the page says, read once."""

    knowledge: str
    now: datetime
    freshness: "Freshness"
    publications: Sequence[Publication]
    """The last ones, newest first."""
    kept: frozenset[int]
    """Numbers of those whose files are still there."""
    holds: Sequence[HoldRow]
    """Open, or accepted and not yet applied."""
    quarantine: Sequence[QuarantineRow]
    releasable: frozenset[str]
    """The expectations in spite of which a person may let a document out of it."""
    audits: Sequence[AuditRow]
    """The last ones, newest first."""
    models: "Sequence[Turn]" = ()
    """What happened to the fine-tuned models, newest first."""

    @property
    def current(self) -> Publication | None:
        """What readers see."""
        return self.publications[0] if self.publications else None

    @property
    def mark(self) -> str:
        """The same for two pages that differ by nothing but the time that passed."""
        current = self.current
        said = [
            self.freshness.health,
            [(source.name, source.state) for source in self.freshness.sources],
            current and (current.number, current.pinned),
            [(hold.id, hold.state) for hold in self.holds],
            [(row.uri, row.content_hash) for row in self.quarantine],
            [audit.run for audit in self.audits],
            [(turn.model, turn.version, turn.what, turn.run) for turn in self.models],
        ]
        return hashlib.sha256(json.dumps(said).encode()).hexdigest()[:16]


def overview(facts: Facts, links: Links) -> str:
    """The page: uris, hashes, names and counts, never a document's text; less than 200 KB.

    Args:
        facts: What there is to say.
        links: Where the pages and run forms are.
    """
    parts = [
        f"# {headline(facts)}",
        _readers(facts, links),
        _ways(facts, links),
        _freshness(facts),
        _holds(facts, links),
        _quarantine(facts, links),
        models_section(facts.models, links),
        _publications(facts, links),
        _audits(facts.audits),
        f"As of {minute(facts.now)} UTC.",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def headline(facts: Facts) -> str:
    """How it is, in one line."""
    current = facts.current
    reads = f"readers see #{current.number}" if current else "nothing is published"
    return f"{plain(facts.knowledge)} is {facts.freshness.health}, {reads}{_waiting(facts)}"


def _waiting(facts: Facts) -> str:
    """What a person may have to do, counted."""
    undecided = sum(hold.state != ACCEPTED for hold in facts.holds)
    failed = len(facts.quarantine)
    said = f", {undecided:,} hold{'s wait' if undecided > 1 else ' waits'}" if undecided else ""
    return said + (f", {failed:,} in quarantine" if failed else "")


def _readers(facts: Facts, links: Links) -> str:
    """What readers see, since when, and from whom."""
    current = facts.current
    if current is None:
        return "Nothing is published yet: to begin, run a refresh."
    said = (
        f"Since {minute(current.at)} UTC, from {sentence(current.actor)}:"
        f" {current.documents:,} documents in {current.chunks:,} passages."
    )
    for name, version in current.embedder.items():
        page = None if links.base is None else artifact_page(f"evaluation-{name}", links.base)
        back = _link("take it back", links.decision(facts.knowledge, "demote", name))
        said += f" Found by {_link(plain(name), page) or plain(name)} {version}"
        said += f" ({back})." if back else "."
    if current.withheld:
        said += f" {len(current.withheld):,} documents are withheld from everyone."
    if not current.pinned:
        return said
    unpin = _link("unpin", links.decision(facts.knowledge, "unpin"))
    return f"{said}\n\n**Pinned**: refreshes publish nothing but withdrawals. To go on: {unpin or '`staleproof unpin`'}."


def _ways(facts: Facts, links: Links) -> str:
    """The ways on from here: other pages, and what a person may run."""
    name = facts.knowledge
    asked = {"reason": "asked for in the UI"}
    runs = [
        _link("refresh now", links.run_form(f"refresh/{name}", asked)),
        _link("recheck every document", links.run_form(f"refresh/{name}-recheck", asked)),
        _link("decide", links.run_form(f"decide/{name}", {})),
        _link("look at the models", links.run_form(f"watch/{name}", asked)),
        _link("train a model", links.run_form(f"retrain/{name}", asked | {"scheduled": False})),
    ]
    shown = [run for run in runs if run]
    to_run = f"To run: {' · '.join(shown)}" if shown else ""
    return "\n\n".join(filter(None, [to_run, links.pages(name, but="knowledge")]))


def _link(text: str, address: str | None) -> str:
    return f"[{text}]({address})" if address else ""


def _freshness(facts: Facts) -> str:
    sources = sorted(facts.freshness.sources, key=lambda source: WORST.get(source.state, 0))
    if not sources:
        return ""
    picture = clocks_picture([_clocks(source, facts.now) for source in sources])
    encoded = base64.b64encode(picture.encode()).decode()
    image = f"![Freshness by source](data:image/svg+xml;base64,{encoded})"
    lines = (
        f"| {plain(s.name)} | {s.state} | {_when(s.last_complete_scan_at)}"
        f" | {_when(s.oldest_pending_at)} | {s.pending:,}"
        f" | {_lag(s.lag_seconds)} | {_lag(s.deletion_lag_seconds)} |"
        for s in sources
    )
    head = ("source", "state", "last complete scan (UTC)", "oldest change that waits", "waiting",
            "lag of edits", "lag of deletions")  # fmt: skip
    listed = table(head, lines, len(sources), BUDGETS["sources"])
    return "\n\n".join(["## Freshness", image, listed, *_whys(sources)])


def _lag(seconds: Mapping[str, float | None]) -> str:
    """Of most: 95 in 100 of the last days were not slower."""
    p95 = seconds["p95"]
    return "" if p95 is None else lasting(p95)


def _whys(sources: Sequence["SourceFreshness"]) -> Iterator[str]:
    """Why a source is not as fresh as it should be."""
    late = [s for s in sources if s.state != "ok"]
    lines = [f"- {plain(s.name)}: {sentence(s.why)}" for s in late]
    shown = within(lines, BUDGETS["whys"])
    if shown:
        yield "\n".join(shown)
    if len(shown) < len(late):
        yield f"{len(late) - len(shown):,} more are not listed here."


def _when(at: datetime | None) -> str:
    return minute(at) if at else "none"


def _clocks(source: "SourceFreshness", now: datetime) -> Clocks:
    return Clocks(
        source.name,
        source.state,
        _age(source.last_complete_scan_at, now),
        _age(source.oldest_pending_at, now),
        source.warn_after,
        source.error_after,
    )


def _age(at: datetime | None, now: datetime) -> float | None:
    return None if at is None else (now - at).total_seconds()


def _holds(facts: Facts, links: Links) -> str:
    lines = (
        f"| {minute(h.since)} | {plain(h.source or 'all')} | {plain(h.kind)} | {len(h.items):,}"
        f" | {sentence(h.why)} | {_decision(facts, h, links)} |"
        for h in facts.holds
    )
    head = ("since (UTC)", "source", "kind", "documents", "why", "to decide")
    return section("Waits for a person", head, lines, len(facts.holds), BUDGETS["holds"])


def _decision(facts: Facts, hold: HoldRow, links: Links) -> str:
    if hold.state == ACCEPTED:
        return "accepted; the next refresh applies it"
    return links.to_decide(facts.knowledge, hold.id)


def _quarantine(facts: Facts, links: Links) -> str:
    lines = (
        f"| {code(row.uri)} | {plain(row.failure.expectation)} | {sentence(row.failure.observed)}"
        f" | {minute(row.since)} | {_way_out(facts, row, links)} |"
        for row in facts.quarantine
    )
    head = ("document", "expected", "observed", "since (UTC)", "to let it through")
    return section("Quarantine", head, lines, len(facts.quarantine), BUDGETS["quarantine"])


def _way_out(facts: Facts, row: QuarantineRow, links: Links) -> str:
    if row.failure.expectation in facts.releasable:
        return links.to_release(facts.knowledge, row.uri)
    return "mend it at its source"


def _publications(facts: Facts, links: Links) -> str:
    lines = (
        f"| {_link(f'#{p.number}', links.flow_run(p.run, p.actor)) or f'#{p.number}'}"
        f" | {minute(p.at)} | {sentence(p.actor)} | {sentence(p.reason)}"
        f" | {', '.join(_state(facts, p, links))} |"
        for p in facts.publications
    )
    head = ("number", "when (UTC)", "who", "what", "")
    return section(
        "Last publications", head, lines, len(facts.publications), BUDGETS["publications"]
    )


def _state(facts: Facts, row: Publication, links: Links) -> Iterator[str]:
    if row.restores:
        yield f"restores #{row.restores}"
    current = facts.current
    if row is current:
        yield "readers see this"
    elif row.number not in facts.kept:
        yield "files gone"
    elif current is not None and row.state != current.state:
        back = links.decision(facts.knowledge, "rollback", str(row.number))
        if back:
            yield _link("go back to this", back)


def _audits(audits: Sequence[AuditRow]) -> str:
    lines = (
        f"| {minute(a.at)} | {f'#{a.number}' if a.number else 'not published'}"
        f" | {_verdicts(a)} | {code(a.run[:8])} |"
        for a in audits
    )
    head = ("when (UTC)", "publication", "expectations", "run")
    return section("Last audits", head, lines, len(audits), BUDGETS["audits"])


def _verdicts(audit: AuditRow) -> str:
    verdicts = audit.report["verdicts"]
    parts = []
    for severity, verb in (("critical", "fails"), ("warning", "warns of")):
        failed = (v for v in verdicts if not v["passed"] and v["severity"] == severity)
        if names := sorted({v["expectation"] for v in failed}):
            more = f" and {len(names) - 3} more" if len(names) > 3 else ""
            parts.append(f"{verb} {', '.join(plain(name) for name in names[:3])}{more}")
    return "; ".join(parts) or f"all {len(verdicts):,} hold"

"""What a plan or a refresh says at its end."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pipelines.knowledge import Publication
from pipelines.planning import Change, Hold, Kind, Plan, Rejected, is_expired
from pipelines.quality import Grain, Severity, Verdict
from pipelines.refresh.context import Context, Look

KINDS = tuple(Kind)


@dataclass(frozen=True, slots=True)
class SourceReport:
    """How one source did."""

    name: str
    complete: bool
    error: str | None
    documents: int
    version: str | None = None
    read: int = 0
    """Documents whose bytes were read."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a plan would take."""

    seconds: float | None
    """None where no throughput was measured yet."""
    cost: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The receipt of a plan or a refresh."""

    knowledge: str
    run: str
    publication: int | None
    """What readers see now."""
    published: bool
    reason: str | None
    """Why nothing was published."""
    documents: dict[str, int]
    chunks: dict[str, int]
    tokens_embedded: int
    seconds: dict[str, float]
    sources: tuple[SourceReport, ...]
    attention: tuple[str, ...]
    estimate: Estimate | None = None
    changes: tuple[Change, ...] = ()
    rejected: tuple[Rejected, ...] = ()
    """Newly in quarantine."""
    holds: tuple[Hold, ...] = ()
    """Standing."""
    slowest: tuple[tuple[float, str], ...] = field(default=())
    """Seconds to read and cut, uri."""
    pinned: bool = False

    @property
    def exit_code(self) -> int:
        """0 done, 3 waits for a person, 4 not now: the first of 3 and 4."""
        if self.holds or self.pinned:
            return 3
        return 4 if any(not source.complete for source in self.sources) else 0

    def to_dict(self) -> dict[str, Any]:
        """For JSON, as the interface gives it."""
        said: dict[str, Any] = {
            "knowledge": self.knowledge,
            "run": self.run,
            "publication": self.publication,
            "published": self.published,
            "reason": self.reason,
            "documents": self.documents,
            "chunks": self.chunks,
            "tokens_embedded": self.tokens_embedded,
            "seconds": {name: round(s, 3) for name, s in self.seconds.items()},
            "sources": [
                {"name": s.name, "complete": s.complete, "error": s.error, "documents": s.documents}
                for s in self.sources
            ],
            "attention": list(self.attention),
            "holds": [hold.id for hold in self.holds],
        }
        if self.estimate is not None:
            said["estimate"] = {"seconds": self.estimate.seconds, "cost": self.estimate.cost}
        return said


def count_documents(plan: Plan, *, rejected: int, waiting: int, withheld: int) -> dict[str, int]:
    """Each document once: quarantined, else held, else by what becomes of it.

    Args:
        plan: What was planned; its changes are those that go through.
        rejected: Document versions that stand in quarantine.
        waiting: Documents that a hold keeps as they are.
        withheld: Documents that nobody may see, beside.
    """
    unfit = {r.found.uri for r in plan.rejected}
    held = {uri for h in plan.holds for uri, _ in h.items}
    counts = {
        kind.value: sum(c.uri not in unfit and c.uri not in held for c in plan.of(kind))
        for kind in KINDS
    }
    return counts | {
        "unchanged": plan.unchanged,
        "held": waiting,
        "quarantined": rejected,
        "withheld": withheld,
    }


def attention_of(
    context: Context,
    seen: Look,
    unread: Mapping[str, str],
    standing: tuple[Hold, ...],
    rejected: tuple[Rejected, ...],
    current: Publication | None,
    recorded: frozenset[str] | None = None,
    verdicts: Sequence[Verdict] = (),
) -> tuple[str, ...]:
    """What a person may have to look at, a line each, with the command.

    Args:
        context: The run.
        seen: What it saw.
        unread: Documents that wait, and why.
        standing: The holds.
        rejected: Document versions that are new in quarantine.
        current: What readers see.
        recorded: The holds that can be decided; None where all of them can.
        verdicts: What the audits of this run said.
    """
    said = []
    if current is not None and current.pinned:
        waiting = len(seen.plan.changes)
        said.append(
            f"Pinned to #{current.number}: {waiting} changes wait. To go on: staleproof unpin."
        )
    said += [
        f"Source {name} is {pause}. To go on: staleproof sources resume {name}."
        for name, pause in context.paused.items()
    ]
    said += [
        f"Source {s.source.name}: its listing broke off ({s.listing.error});"
        " nothing was deleted for it."
        for s in seen.scans
        if not s.listing.complete
    ]
    said += [_waits(h, seen, decidable=recorded is None or h.id in recorded) for h in standing]
    said += [
        f"Quarantined {r.found.uri}: fails {r.failure.expectation} ({r.failure.observed})."
        + (" Nobody sees it until it is mended." if r.failure.withhold else "")
        for r in rejected
    ]
    said += [f"{uri} waits for the next refresh: {why}." for uri, why in sorted(unread.items())]
    said += [_warning(v) for v in verdicts if v.severity is Severity.WARNING and not v.passed]
    said += _let_through(verdicts, {h.source for h in standing if h.kind == "audit"})
    return tuple(said + _expired(context, seen) + _embedder(context, current))


def _waits(standing: Hold, seen: Look, *, decidable: bool) -> str:
    """A hold, since when it stands, and what can be done about it."""
    of = f", {standing.source}" if standing.source else ""
    before = seen.open_before.get(standing.id)
    since = f" Still held since {before.since:%Y-%m-%d %H:%M} UTC." if before else ""
    what_to_do = (
        f"To decide: staleproof accept {standing.id}, or staleproof drop {standing.id}."
        if decidable
        else "A refresh would open it."
    )
    return f"Hold {standing.id} ({standing.kind}{of}): {standing.why}.{since} {what_to_do}"


def _warning(verdict: Verdict) -> str:
    rows = f" ({some(verdict.failed)})" if verdict.failed else ""
    return f"Warning {verdict.expectation}: {verdict.observed}{rows}."


def _let_through(verdicts: Sequence[Verdict], held: set[str]) -> list[str]:
    """Sources that fail and are not held: people accepted it, or they failed before."""
    failing = ((v, sorted(v.failed.keys() - held)) for v in verdicts if _is_of_sources(v))
    return [
        f"Not held in spite of {v.expectation}: {some(sources)}, {v.observed}."
        for v, sources in failing
        if sources
    ]


def _is_of_sources(verdict: Verdict) -> bool:
    return verdict.grain is Grain.PUBLICATION and verdict.severity is Severity.CRITICAL


def some(names: Iterable[str], most: int = 3) -> str:
    """The first names, and how many others there are."""
    names = sorted(names)
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _expired(context: Context, seen: Look) -> list[str]:
    """Published documents that say of themselves that they no longer hold."""
    rules = context.rules
    gone = {c.previous.uri for c in seen.plan.changes if c.previous}
    asked = {uri: (p.policy, p.asked) for uri, p in seen.published.items() if uri not in gone}
    asked |= {c.uri: (c.policy, c.asked) for c in seen.plan.changes if c.policy}
    past = [(uri, p.domain) for uri, (p, ask) in asked.items() if is_expired(ask, rules.on)]
    withheld = [uri for uri, domain in past if rules.domain(domain).expired == "withhold"]
    shown = sorted({uri for uri, _ in past} - set(withheld))
    said = [f"Past their valid_until: {some(shown)}."] if shown else []
    return said + ([f"Withheld past their valid_until: {some(withheld)}."] if withheld else [])


def _embedder(context: Context, current: Publication | None) -> list[str]:
    wanted = context.config.embedder.model
    if current is None or wanted == current.model:
        return []
    return [
        f"The configuration wants the embedder {wanted}, this store is served by {current.model}"
        " and goes on with it. To change over: start another store under [knowledge] store."
    ]

"""What a refresh would do and cost, without doing it."""

import time

from pipelines.ingest import Cost, needs_bytes, time_and_money
from pipelines.knowledge import (
    OPEN,
    Publication,
    counts,
    holds,
    newest,
    rows_of,
)
from pipelines.planning import Change
from pipelines.refresh.context import Context, Look
from pipelines.refresh.ending import counts_of, sources_of
from pipelines.refresh.look import costs_of, held_by_cost, look, serving_encoder
from pipelines.refresh.report import Estimate, Report, attention_of


def preview(context: Context) -> Report:
    """Scans, plans, reads and cuts what would be embedded; embeds and publishes nothing."""
    seen = look(context, dry=True)
    started = time.perf_counter()
    costs: dict[str, Cost] = {}
    if any(map(needs_bytes, seen.plan.changes)):
        costs = costs_of(context, seen, serving_encoder(context, seen.last))
    seen = held_by_cost(seen, costs, limit=context.config.limits.max_embed_tokens)
    plan = seen.plan
    going = {c.uri for c in plan.changes}
    spent = [cost for uri, cost in costs.items() if uri in going]
    tokens = sum(cost.tokens for cost in spent)
    current = newest(context.store)
    recorded = frozenset(h.id for h in holds(context.store, OPEN))
    rejected = tuple(r for r in plan.rejected if not r.known)
    return Report(
        knowledge=context.config.knowledge.name,
        run=context.run,
        publication=current.number if current else None,
        published=False,
        reason="planned only",
        documents=counts_of(seen, withheld=len(current.withheld) if current else 0),
        chunks=_chunks(context, spent, plan.changes, current),
        tokens_embedded=tokens,
        seconds=_seconds(context, seen, time.perf_counter() - started),
        sources=sources_of(seen),
        attention=attention_of(context, seen, {}, plan.holds, rejected, current, recorded),
        estimate=_estimate(context, tokens),
        changes=plan.changes,
        rejected=rejected,
        holds=plan.holds,
        pinned=bool(current and current.pinned),
    )


def _chunks(
    context: Context,
    spent: list[Cost],
    changes: tuple[Change, ...],
    current: Publication | None,
) -> dict[str, int]:
    rewritten = [c.previous.uri for c in changes if c.previous and not needs_bytes(c) and c.policy]
    removed = [c.previous.uri for c in changes if c.previous and c.policy is None]
    count = {"total": 0, "rewritten": 0, "removed": 0}
    if current is not None:
        for name, uris in (("rewritten", rewritten), ("removed", removed)):
            rows = rows_of(context.store, current.state, uris, columns=["uri"])
            count[name] = rows.num_rows
        count["total"] = counts(context.store, current.state)[1]
    return {
        "embedded": sum(cost.chunks for cost in spent),
        "reused": sum(cost.reused for cost in spent) + count["rewritten"],
        "deleted": count["removed"],
        "total": count["total"],
    }


def _estimate(context: Context, tokens: int) -> Estimate:
    return Estimate(*time_and_money(context.store, context.config, tokens))


def _seconds(context: Context, seen: Look, costing: float) -> dict[str, float]:
    scan = sum(s.seconds for s in seen.scans)
    stages = {"scan": scan, "plan": seen.plan_seconds + costing}
    rest = dict.fromkeys(("embed", "write", "audit", "publish"), 0.0)
    return stages | rest | {"total": time.monotonic() - context.started}

"""The ``verdicts`` table: what each look at a fine-tuned model said of it."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pipelines.knowledge.side import put_rows, rows_if_any
from pipelines.knowledge.store import Store
from pipelines.knowledge.tables import among


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictRow:
    """What one look said of one version of a model."""

    id: str
    model: str
    version: str
    at: datetime
    verdict: str
    """fresh, watch or stale."""
    reasons: tuple[str, ...] = ()
    look: str = ""
    """Names the look that said so."""
    attempt: int = 1


def record_verdict(store: Store, verdict: VerdictRow) -> None:
    """Writes down a verdict; the same look at the same model replaces what it said before."""
    row = {
        "id": verdict.id,
        "model": verdict.model,
        "version": verdict.version,
        "at": verdict.at,
        "verdict": verdict.verdict,
        "reasons": json.dumps(verdict.reasons),
        "look": verdict.look,
        "attempt": verdict.attempt,
    }
    put_rows(store, "verdicts", [row])


def verdicts(store: Store | None, model: str) -> list[VerdictRow]:
    """What was said of a model, newest first."""
    found = [_verdict(row) for row in rows_if_any(store, "verdicts", among("model", [model]))]
    return sorted(found, key=lambda v: (v.at, v.attempt, v.id), reverse=True)


def newest_verdict(store: Store | None, model: str, version: str) -> VerdictRow | None:
    """The last thing said of a version of a model, or None where it was never looked at."""
    return next((v for v in verdicts(store, model) if v.version == version), None)


def _verdict(row: dict[str, Any]) -> VerdictRow:
    kept = {name: row[name] for name in ("id", "model", "version", "verdict", "look", "attempt")}
    return VerdictRow(
        **kept, at=row["at"].astimezone(UTC), reasons=tuple(json.loads(row["reasons"]))
    )

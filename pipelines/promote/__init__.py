"""Promote and demote: which version of an embedder serves, by one row of the ledger."""

from pipelines.promote.demote import demote_model
from pipelines.promote.promote import estimate_promotion, promote_model, read_gate, why_refused
from pipelines.promote.records import Demoted, Gate, Ports, Promoted, Registry, Request
from pipelines.promote.stages import Stage, mend_stages

__all__ = [
    "Demoted",
    "Gate",
    "Ports",
    "Promoted",
    "Registry",
    "Request",
    "Stage",
    "demote_model",
    "estimate_promotion",
    "mend_stages",
    "promote_model",
    "read_gate",
    "why_refused",
]

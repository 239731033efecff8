"""Decides whether a new version may be promoted, from stored scores and nothing else."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.config import GatePolicy
from pipelines.training.intervals import Interval, interval

if TYPE_CHECKING:
    import pyarrow as pa

BASE, CHAMPION, CHALLENGER = "base", "champion", "challenger"
"""The models of ``scores.parquet``; without ``champion`` rows the base serves."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """The verdict of the gate, with what it follows from."""

    promote: bool
    reasons: tuple[str, ...]
    """Why not; empty where it may be promoted."""
    notes: tuple[str, ...]
    """What was not or not separately judged."""
    metric: str
    champion: str
    """``champion``, or ``base`` where the base serves."""
    gain: Interval
    """Challenger minus champion on held-out questions."""
    domains: dict[str, Interval]
    """The same by domain; ``other domains`` pools those with too few questions."""
    general: Interval
    """Challenger minus base on the general set."""
    latency_ratio: float
    """Challenger over champion."""
    policy: dict[str, float]

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


POOLED = "other domains"


def judge(
    scores: "pa.Table",
    policy: GatePolicy,
    latency: Mapping[str, float],
    *,
    metric: str = "reciprocal_rank",
) -> Judgement:
    """Compare a challenger with what serves.

    Args:
        scores: As in ``scores.parquet``: a row a question and model.
        policy: What is asked of it. Each bound is compared with the lower end of a 95 % interval.
        latency: Milliseconds by model.
        metric: Column of ``scores`` that decides.

    Raises:
        ValueError: A model that is compared lacks questions that another was asked.
    """
    champion = CHAMPION if CHAMPION in scores["model"].unique().to_pylist() else BASE
    held_out = paired(scores, "held_out", CHALLENGER, champion, metric)
    gain = held_out.interval()
    domains, notes = by_domain(held_out, policy.min_questions)
    # Against the base, not the champion: small steps would add up.
    general = paired(scores, "general", CHALLENGER, BASE, metric).interval()
    ratio = latency[CHALLENGER] / latency[champion]
    reasons = [
        *too_little(gain, policy.min_gain, champion),
        *domain_losses(domains, policy.max_domain_loss),
    ]
    if general.lower < -policy.max_forgetting:
        reasons.append(
            f"on questions of other subjects it may lose {-general.lower:.3f} against the base; "
            f"max_forgetting is {policy.max_forgetting:g}"
        )
    if ratio > policy.max_latency:
        reasons.append(
            f"a question takes {ratio:.2f} times as long; max_latency is {policy.max_latency:g}"
        )
    return Judgement(
        promote=not reasons,
        reasons=tuple(reasons),
        notes=tuple(notes),
        metric=metric,
        champion=champion,
        gain=gain,
        domains=domains,
        general=general,
        latency_ratio=round(ratio, 3),
        policy=policy.model_dump(),
    )


@dataclass(frozen=True, slots=True)
class Paired:
    """Differences of two models on the same questions."""

    differences: Sequence[float]
    documents: Sequence[str]
    domains: Sequence[str]

    def interval(self) -> Interval:
        """Of all of them."""
        return interval(np.asarray(self.differences, dtype=np.float64), self.documents)

    def of(self, domains: Sequence[str]) -> "Paired":
        """Those of some domains."""
        here = [n for n, domain in enumerate(self.domains) if domain in domains]
        return Paired(
            [self.differences[n] for n in here],
            [self.documents[n] for n in here],
            [self.domains[n] for n in here],
        )


def paired(scores: "pa.Table", of_set: str, model: str, other: str, metric: str) -> Paired:
    """What ``model`` scores more than ``other`` on each question of a set, by question.

    Questions that the metric does not apply to (null) are left aside.

    Raises:
        ValueError: They were not asked the same questions, or none.
    """
    names = ["model", "set", "question", "kind", "document", "domain", metric]
    of_model: dict[str, dict[tuple[str, str], dict[str, Any]]] = {model: {}, other: {}}
    for row in scores.select(names).to_pylist():
        if row["set"] == of_set and row["model"] in of_model and row[metric] is not None:
            of_model[row["model"]][row["kind"], row["question"]] = row
    ours, theirs = of_model[model], of_model[other]
    if not ours or ours.keys() != theirs.keys():
        raise ValueError(f"{model} and {other} were not asked the same questions of {of_set}")
    rows = [ours[key] for key in sorted(ours)]
    return Paired(
        [ours[key][metric] - theirs[key][metric] for key in sorted(ours)],
        [row["document"] for row in rows],
        [row["domain"] for row in rows],
    )


def by_domain(held_out: Paired, least: int) -> tuple[dict[str, Interval], list[str]]:
    """The difference in each domain of ``least`` questions, the others together; and what to note."""
    counts = {name: held_out.domains.count(name) for name in sorted(set(held_out.domains))}
    small = [name for name, count in counts.items() if count < least]
    judged = {name: held_out.of([name]).interval() for name in counts if name not in small}
    if not small:
        return judged, []
    names = ", ".join(f"{name} ({counts[name]} questions)" for name in small)
    if sum(counts[name] for name in small) < least:
        return judged, [f"too few questions to be judged by domain: {names}"]
    return judged | {POOLED: held_out.of(small).interval()}, [f"judged together: {names}"]


def too_little(gain: Interval, least: float, champion: str) -> list[str]:
    """Why a gain over what serves is not enough; empty where it is."""
    if gain.lower > least:
        return []
    return [
        f"it gains {gain.mean:+.3f} over the {champion}, at least {gain.lower:+.3f} "
        f"(95 %); that is not above min_gain {least:g}"
    ]


def domain_losses(domains: Mapping[str, Interval], most: float) -> list[str]:
    """The domains in which more than ``most`` may be lost, a sentence each."""
    return [
        f"in {name} it may lose {-each.lower:.3f}; max_domain_loss is {most:g}"
        for name, each in domains.items()
        if each.lower < -most
    ]

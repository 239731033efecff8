"""Decides whether a new version of a generator may be promoted, from stored scores alone."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from pipelines.config import GeneratorGate
from pipelines.training.gate import (
    BASE,
    CHALLENGER,
    CHAMPION,
    by_domain,
    domain_losses,
    paired,
    too_little,
)
from pipelines.training.intervals import LEVEL, Interval

if TYPE_CHECKING:
    import pyarrow as pa

WORKED = "worked"
"""The base with worked examples in its prompt: what a version must beat where none serves."""
METRIC = "answer"
PROPORTIONS = {
    "format": ("held_out", "format"),
    "fact": ("held_out", "exact"),
    "citation": ("held_out", "cited"),
    "faithfulness": ("changed", "followed"),
    "abstention": ("unanswerable", "abstained"),
}
"""What is right or wrong of an answer: name -> set and column of ``scores.parquet``."""
_JUDGED = ("format", "faithfulness")
_TEXTS = {"sentences": "sentences", "chat": "general answers of the base"}


@dataclass(frozen=True, slots=True)
class Proportion:
    """A share of answers with the ends of its 95 % interval, rounded to 6 digits.

    Clopper-Pearson, for a bootstrap of 40 right answers of 40 has no width: here it is 0.91 to 1.
    Each answer counts by itself; that several rest on one document makes it somewhat too narrow.
    """

    share: float
    lower: float
    upper: float
    n: int

    def to_dict(self) -> dict[str, float | int]:
        """For JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class GeneratorJudgement:
    """The verdict of the gate on a generator, with what it follows from."""

    promote: bool
    reasons: tuple[str, ...]
    """Why not; empty where it may be promoted."""
    notes: tuple[str, ...]
    """What was not or not separately judged."""
    metric: str
    champion: str
    """``champion``, or ``worked`` where no version serves."""
    gain: Interval
    """Challenger minus champion on held-out questions."""
    domains: dict[str, Interval]
    """The same by domain; ``other domains`` pools those with too few questions."""
    proportions: dict[str, Proportion]
    """Of the challenger, by the names in ``PROPORTIONS``; what no question asks for is not there."""
    others: dict[str, dict[str, Proportion]]
    """The same of the models that it is compared with."""
    forgetting: dict[str, Interval]
    """Nats a token, challenger minus base: ``sentences`` and ``chat``."""
    latency_ratio: float
    """Challenger over champion, or over the base."""
    policy: dict[str, float]

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def judge(
    scores: "pa.Table", policy: GeneratorGate, latency: Mapping[str, float]
) -> GeneratorJudgement:
    """Compare a challenger with what serves: a version, else the base with worked examples.

    A limit that cannot be judged, because nothing was asked for it, is not kept: a version is
    refused then, unless the limit is switched off (``min_format = 0``, ``min_faithfulness = 0``).

    Args:
        scores: As in ``scores.parquet``: a row a question and model.
        policy: What is asked of it. Each bound is compared with the unfavourable end of a 95 %
            interval.
        latency: Milliseconds a token, by model.

    Raises:
        ValueError: A model that is compared lacks questions that another was asked.
    """
    champion = CHAMPION if CHAMPION in scores["model"].unique().to_pylist() else WORKED
    held_out = paired(scores, "held_out", CHALLENGER, champion, METRIC)
    gain = held_out.interval()
    domains, notes = by_domain(held_out, policy.min_questions)
    shares = proportions(scores)
    mine = shares.pop(CHALLENGER, {})
    forgetting = _forgetting(scores)
    ratio = latency[CHALLENGER] / latency[champion if champion in latency else BASE]
    reasons = [
        *too_little(gain, policy.min_gain, _NAMES[champion]),
        *domain_losses(domains, policy.max_domain_loss),
        *_too_seldom(mine, policy),
        *_forgotten(forgetting, policy),
    ]
    if ratio > policy.max_latency:
        reasons.append(
            f"a token takes {ratio:.2f} times as long; max_latency is {policy.max_latency:g}"
        )
    return GeneratorJudgement(
        promote=not reasons,
        reasons=tuple(reasons),
        notes=(*notes, *_not_judged(mine, policy), *_against_worked(scores, champion, policy)),
        metric=METRIC,
        champion=champion,
        gain=gain,
        domains=domains,
        proportions=mine,
        others=shares,
        forgetting=forgetting,
        latency_ratio=round(ratio, 3),
        policy=policy.model_dump(),
    )


_NAMES = {CHAMPION: "champion", WORKED: "base with worked examples"}


def proportions(scores: "pa.Table") -> dict[str, dict[str, Proportion]]:
    """By model and name the share of answers that are right; only what was asked for."""
    values: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    columns = {column for _, column in PROPORTIONS.values()} & set(scores.column_names)
    for row in scores.select(["set", "model", *sorted(columns)]).to_pylist():
        for name, (of_set, column) in PROPORTIONS.items():
            if row["set"] == of_set and row.get(column) is not None:
                values[row["model"]][name].append(row[column])
    return {
        model: {name: proportion(found[name]) for name in PROPORTIONS if name in found}
        for model, found in sorted(values.items())
    }


def proportion(values: list[float]) -> Proportion:
    """The share of ones among ones and zeros.

    Raises:
        ValueError: There is none, or a value is neither.
    """
    from scipy.stats import binomtest

    if not values or not set(values) <= {0.0, 1.0}:
        raise ValueError("a proportion needs answers, each of them right (1) or wrong (0)")
    right = int(sum(values))
    ends = binomtest(right, len(values)).proportion_ci(LEVEL, "exact")
    share = round(right / len(values), 6)
    return Proportion(share, round(float(ends.low), 6), round(float(ends.high), 6), len(values))


def _too_seldom(mine: Mapping[str, Proportion], policy: GeneratorGate) -> list[str]:
    limits = {"format": policy.min_format, "faithfulness": policy.min_faithfulness}
    said = {
        "format": "have the form that was asked for",
        "faithfulness": "follow a passage that was changed",
    }
    reasons = []
    for name, least in limits.items():
        found = mine.get(name)
        if found is None and least > 0:
            reasons.append(
                f"no question tells how many answers {said[name]}; min_{name} is {least:g}"
            )
        elif found is not None and found.lower < least:
            reasons.append(
                f"{found.share:.0%} of {found.n} answers {said[name]}, at least {found.lower:.3f} "
                f"(95 %); min_{name} is {least:g}"
            )
    return reasons


def _not_judged(mine: Mapping[str, Proportion], policy: GeneratorGate) -> list[str]:
    """Limits that are switched off and of which nothing is known either."""
    return [
        f"{name} was not judged: no question asks for it"
        for name in _JUDGED
        if name not in mine and getattr(policy, f"min_{name}") == 0
    ]


def _against_worked(scores: "pa.Table", champion: str, policy: GeneratorGate) -> list[str]:
    """A champion may have fallen behind the base; who beats it alone has not earned much."""
    if champion == WORKED or WORKED not in scores["model"].unique().to_pylist():
        return []
    gain = paired(scores, "held_out", CHALLENGER, WORKED, METRIC).interval()
    return too_little(gain, policy.min_gain, _NAMES[WORKED])


def _forgetting(scores: "pa.Table") -> dict[str, Interval]:
    """Sets of at least two texts: of a single one nobody can say how far it may be off."""
    found = {}
    asked = scores["set"].to_pylist()
    for name in _TEXTS:
        if name in asked:
            # Against the base, not the champion: small steps would add up.
            each = paired(scores, name, CHALLENGER, BASE, "nats")
            if len(each.differences) > 1:
                found[name] = each.interval()
    return found


def _forgotten(forgetting: Mapping[str, Interval], policy: GeneratorGate) -> list[str]:
    limits = {
        "sentences": ("max_forgetting", policy.max_forgetting),
        "chat": ("max_chat_forgetting", policy.max_chat_forgetting),
    }
    reasons = []
    for name, (key, most) in limits.items():
        found = forgetting.get(name)
        if found is None:
            reasons.append(
                f"there are too few {_TEXTS[name]} to tell what it forgot; {key} is {most:g}"
            )
        elif found.upper > most:
            reasons.append(
                f"on {_TEXTS[name]} it may lose {found.upper:.3f} nats a token against the base; "
                f"{key} is {most:g}"
            )
    return reasons

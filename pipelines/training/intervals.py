"""How sure a mean difference is: paired bootstrap over documents."""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

LEVEL = 0.95
RESAMPLES = 4_999
_DIGITS = 6

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean with the ends of its 95 % interval, all rounded to 6 digits."""

    mean: float
    lower: float
    upper: float
    questions: int
    documents: int

    def to_dict(self) -> dict[str, float | int]:
        """For JSON."""
        return asdict(self)


def interval(differences: Floats, documents: Sequence[str], *, seed: int = 0) -> Interval:
    """The mean of paired differences, ``(n,)``, and how far it may be off.

    Whole documents are drawn with replacement, for questions of one document stand or fall
    together; where there is one document, its questions are drawn. The percentiles are widened so
    that few documents do not look surer than they are: T. Hesterberg, What Teachers Should Know
    About the Bootstrap (2015), section 4. Neither the order of questions nor the names of documents
    change anything.

    Args:
        differences: Of each question, each from -1 to 1.
        documents: Of each question.
        seed: Of the drawing: the same input, the same interval.

    Returns:
        Rounded to 6 digits, so that all who show it show the same; of one question from -1 to 1,
        for it says nothing.

    Raises:
        ValueError: There is no question, or a difference is no number.
    """
    from scipy import stats

    if not len(differences) or not np.isfinite(differences).all():
        raise ValueError("an interval needs questions, and a number for each")
    mean = _rounded(math.fsum(differences) / len(differences))
    if len(differences) == 1:
        return Interval(mean, -1.0, 1.0, 1, 1)
    sums, counts = _by_document(differences, documents)
    n = len(sums)
    wide = float(stats.t.ppf((1 + LEVEL) / 2, n - 1)) * (n / (n - 1)) ** 0.5
    found = stats.bootstrap(
        (sums, counts),
        lambda total, number, axis: total.sum(axis) / number.sum(axis),
        paired=True,
        vectorized=True,
        n_resamples=RESAMPLES,
        batch=1_000,
        confidence_level=1 - 2 * float(stats.norm.sf(wide)),
        method="percentile",
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return Interval(
        mean, _rounded(found.low), _rounded(found.high), len(differences), len(set(documents))
    )


def _by_document(differences: Floats, documents: Sequence[str]) -> tuple[Floats, Floats]:
    """Sum and number of each document's differences, the least first whatever its name."""
    groups: dict[str, list[float]] = defaultdict(list)
    for document, difference in zip(documents, differences, strict=True):
        groups[document].append(float(difference))
    drawn = list(groups.values()) if len(groups) > 1 else [[float(one)] for one in differences]
    # fsum: floats that are added in another order have another sum.
    ordered = sorted((math.fsum(some), len(some)) for some in drawn)
    sums, counts = np.array(ordered, dtype=np.float64).T
    return sums, counts


def _rounded(value: float) -> float:
    return round(float(value), _DIGITS) + 0.0  # no -0.0

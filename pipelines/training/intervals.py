"""How sure a mean difference is: paired bootstrap over documents."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

LEVEL = 0.95
RESAMPLES = 4_999
_DIGITS = 6

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean with the ends of its 95 % interval."""

    mean: float
    lower: float
    upper: float
    questions: int
    documents: int

    def to_dict(self) -> dict[str, float | int]:
        """For JSON, rounded to 6 digits."""
        return {
            "mean": round(self.mean, _DIGITS),
            "lower": round(self.lower, _DIGITS),
            "upper": round(self.upper, _DIGITS),
            "questions": self.questions,
            "documents": self.documents,
        }


def interval(differences: Floats, documents: Sequence[str], *, seed: int = 0) -> Interval:
    """The mean of paired differences, ``(n,)``, and how far it may be off.

    Whole documents are drawn with replacement, for questions of one document stand or fall
    together; where there is one document, its questions are drawn. The percentiles are widened so that few documents do not look surer than they are:
    T. Hesterberg, What Teachers Should Know About the Bootstrap (2015), section 4.

    Args:
        differences: Of each question.
        documents: Of each question.
        seed: Of the drawing: the same input, the same interval.

    Raises:
        ValueError: There are fewer than two questions.
    """
    from scipy import stats

    if len(differences) < 2:
        raise ValueError("an interval needs two questions")
    _, groups = np.unique(np.asarray(documents), return_inverse=True)
    if not groups.any():
        groups = np.arange(len(differences))
    sums = np.bincount(groups, weights=differences)
    counts = np.bincount(groups).astype(np.float64)
    mean, n = float(np.mean(differences)), len(sums)
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
    return Interval(mean, float(found.low), float(found.high), len(differences), n)

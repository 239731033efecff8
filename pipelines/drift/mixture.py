"""Evidence over looks: bets that begin at every look, mixed with weights that sum to one.

``M_t = (M_{t-1} + w_t) e_t`` with ``M_0 = 0`` and ``w_t = 1 / (t (t + 1))`` is the sum over all
looks s of ``w_s`` times the product of the factors from s on: a change that comes late costs about
``2 log t``, not all that was lost before it. What has not begun to bet by look t, ``1 / (t + 1)``,
is kept beside it. Both together are a martingale that starts at 1 if each factor has mean 1, so
that it ever reaches ``1 / a`` with a probability of at most a, however often one looks (Ville 1939;
mixtures over start times: Shin, Ramdas and Rinaldo, E-detectors, 2023; Vovk 2021).

Everything is kept as logarithms: a long stretch without news makes M small, never 0.
"""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

_LARGEST = 690.0
"""exp of more is no float."""


def weight(number: int) -> float:
    """What the bets that begin at look ``number``, 1 or more, are given of the first 1."""
    return 1.0 / (number * (number + 1))


def mixed(log_m: Floats, log_e: Floats, given: float) -> Floats:
    """The logarithm of ``(M + given) e``, for any shape.

    Args:
        log_m: Logarithm of M before the look; minus infinity before the first.
        log_e: Logarithm of the look's factor.
        given: Weight of the bets that begin now.
    """
    return np.logaddexp(log_m, np.log(given)) + log_e


def evidence(log_m: Floats, looks: int) -> Floats:
    """The martingale after ``looks`` looks: 1 where nothing speaks for or against."""
    return np.exp(np.minimum(log_m, _LARGEST)) + 1.0 / (looks + 1)

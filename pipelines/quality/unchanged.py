"""Whether an embedder still gives the vectors that it gave: fixed texts, embedded again.

The same weights give other vectors by another library, another prompt, another processor. An index
of two kinds of vectors answers wrongly and tells nobody, so this stops whoever is about to write.
"""

import time
import weakref
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from pipelines.errors import EmbedderChanged
from pipelines.knowledge import Store
from pipelines.knowledge.canary_vectors import canary_vectors, keep_canary_vectors
from pipelines.records import Encoder, Vectors

LEAST = 1 - 1e-4
"""The cosine of a text's two vectors: rounding leaves it far above."""
AGAIN_SECONDS = 3600.0
"""A loaded model changes with its process, not within: it embeds the texts again after this only."""
_KEY = "fixed text: "
"""Golden questions are kept in the same table, and embedded as questions."""

TEXTS = (
    "The meeting was moved to Thursday at three.",
    "Rain is expected along the coast until the evening.",
    "She returned the book a week before it was due.",
    "How long does it take to boil an egg?",
    "The bridge is closed for repairs during the summer.",
    "A receipt is needed for every exchange.",
    "He learned to play the violin at the age of six.",
    "Turn off the power before you open the case.",
    "The population of the town doubled within twenty years.",
    "Where can I leave my bicycle?",
    "Prices include tax but not delivery.",
    "The experiment was repeated three times with the same result.",
    "Mix flour, butter and sugar until the dough is smooth.",
    "The train to the airport leaves every fifteen minutes.",
    "Our office is on the second floor, next to the stairs.",
    "Most birds leave the valley before the first snow falls.",
    "Which documents do I have to bring to the appointment?",
    "The court decided in favour of the tenant.",
    "A square has four sides of the same length.",
    "Please answer by the end of the month.",
    "The patient was told to rest and to drink enough water.",
    "def area(width, height): return width * height",
    "The museum shows paintings of the nineteenth century.",
    "Error 404: the page was not found.",
    "Interest is paid once a year, at the end of December.",
    "Keep the medicine out of the reach of children.",
    "The team lost the final after extra time.",
    "1 mile is about 1.6 kilometres.",
    "Nobody knew who had written the letter.",
    "To change your password, open the settings and choose security.",
    "The harvest was poor because spring had been too dry.",
    "Thank you.",
)


@dataclass(frozen=True, slots=True)
class _Given:
    """What a loaded model gave for the fixed texts."""

    encoder: weakref.ref[Encoder]
    at: float
    vectors: Vectors
    """``(32, d)``"""


_last: _Given | None = None
"""Of the model that was asked last: whoever refreshes often has one."""


def check_unchanged(store: Store, encoder: Encoder, *, now: datetime) -> float:
    """Embeds the fixed texts; the first time their vectors are kept, later they are compared.

    The same loaded model embeds them once an hour.

    Args:
        store: Keeps the vectors of each embedder.
        encoder: That is about to write, or whose vectors are to be compared with the store's.
        now: The time to record.

    Returns:
        The least cosine of a text's vectors, then and now.

    Raises:
        EmbedderChanged: One moved; nothing of it may be written beside what is there.
    """
    global _last  # noqa: PLW0603 - one a process
    former = canary_vectors(store, encoder.fingerprint, [_KEY + text for text in TEXTS])
    given = _given(encoder)
    fresh = given.vectors
    vectors = {_KEY + text: vector for text, vector in zip(TEXTS, fresh, strict=True)}
    usable = {key: vector for key, vector in vectors.items() if np.isfinite(vector).all()}
    missing = {key: vector for key, vector in usable.items() if key not in former}
    least = min((_cosine(former[key], vectors[key]) for key in former), default=1.0)
    if not least >= LEAST:  # also where it is no number
        raise EmbedderChanged(
            f"The embedder {encoder.model} gives other vectors than those in the store: the cosine"
            f" of a fixed text, then and now, is {least:.6f}. Index incompatible: nothing was"
            " written.",
            hint="Bring back the versions of the libraries that the store was filled with (see"
            " constraints.txt), or name another folder under [knowledge] store and refresh.",
        )
    keep_canary_vectors(store, encoder.fingerprint, missing, now=now)
    _last = given  # what came out otherwise is tried again
    return least


def _given(encoder: Encoder) -> _Given:
    """What this loaded model gave lately, or gives."""
    now, last = time.monotonic(), _last
    if last is not None and last.encoder() is encoder and now - last.at <= AGAIN_SECONDS:
        return last
    return _Given(weakref.ref(encoder), now, encoder.encode(TEXTS))


def _cosine(before: Vectors, now: Vectors) -> float:
    if before.shape != now.shape:
        return 0.0
    first, second = before.astype(np.float64), now.astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        return float(first @ second / (np.linalg.norm(first) * np.linalg.norm(second)))

"""Finds texts that are all but the same when one of the two is gone, by MinHash.

A. Broder, On the resemblance and containment of documents (1997): of the three-word sequences of
two texts, the share that both have is estimated from the smallest hashes of each.
"""

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datasketch import MinHash

NEAR = 0.5
"""Texts that share so much are the same: in a passage of 100 words up to 10 may differ."""
SIZE = 64
"""Numbers in a sketch; the estimate is off by 0.06 (one standard deviation)."""
WORDS = 3
_SEED = 1
_WORD = re.compile(r"\w+")


def sketch(text: str) -> tuple[int, ...]:
    """``SIZE`` whole numbers below 2**32 that say what a text says, as far as it can be compared."""
    from datasketch import MinHash

    words = _WORD.findall(text.casefold())
    several = [" ".join(words[at : at + WORDS]) for at in range(max(1, len(words) - WORDS + 1))]
    found = MinHash(num_perm=SIZE, seed=_SEED, scheme="affine32")
    found.update_batch(sorted({part.encode("utf-8", "surrogatepass") for part in several}))
    return tuple(int(value) for value in found.hashvalues)


class Sketches:
    """Sketches of many texts, asked whether one of them is near another."""

    def __init__(self, sketches: Iterable[Sequence[int]]) -> None:
        """Keep them; the same one twice costs nothing."""
        from datasketch import MinHashLSH

        self._known = sorted({tuple(one) for one in sketches if one})
        self._index = MinHashLSH(threshold=NEAR, num_perm=SIZE)
        for number, one in enumerate(self._known):
            self._index.insert(number, _restored(one))

    def near(self, one: Sequence[int]) -> bool:
        """Whether one of them shares at least ``NEAR`` with this one."""
        asked = _restored(one)
        candidates = self._index.query(asked)
        return any(asked.jaccard(_restored(self._known[number])) >= NEAR for number in candidates)


def _restored(one: Sequence[int]) -> "MinHash":
    import numpy as np
    from datasketch import MinHash

    values = np.array(one, dtype=np.uint32)
    return MinHash(num_perm=SIZE, seed=_SEED, scheme="affine32", hashvalues=values)

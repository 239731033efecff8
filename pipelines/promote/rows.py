"""The row of the ledger that changes which generators serve, and nothing else."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from pipelines.knowledge import GENERATORS, Publication, Signed


def beside_row(
    last: Publication,
    signed: Signed,
    *,
    models: Mapping[str, str],
    reason: str,
    noted: Mapping[str, Any],
) -> Publication:
    """The newest row once more, with other generators.

    Args:
        last: The newest row; its documents, index, pin and what is withheld stay.
        signed: Who does it, when, in which run.
        models: All that serve from now on, the embedder as well: name -> version.
        reason: Why, in a few words.
        noted: More for whoever asks later.
    """
    return dataclasses.replace(
        last,
        kind=GENERATORS,
        at=signed.at,
        run=signed.run,
        actor=signed.actor,
        reason=reason,
        models=dict(models),
        tokens_embedded=0,
        counts={},
        deletions={},
        lag={},
        deletion_lag={},
        audit={**last.audit, "promotion": dict(noted)},
    )

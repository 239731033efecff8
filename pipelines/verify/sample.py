"""Embeds some published passages again: the vectors must come out as they are stored."""

from collections.abc import Sequence

import numpy as np

from pipelines.config import Config
from pipelines.errors import StaleproofError
from pipelines.knowledge import Publication
from pipelines.records import Encoder, LoadEncoder
from pipelines.verify.report import Findings
from pipelines.verify.rows import Rows, Sampled

SIMILAR = 0.9999
"""Cosine of a stored vector and one made again: batches of other sizes round differently."""


def verify_sample(
    config: Config,
    publication: Publication,
    rows: Rows,
    findings: Findings,
    *,
    load_encoder: LoadEncoder,
) -> None:
    """Loads the model that the ledger names, if it has the ledger's weights, and embeds."""
    encoder = _serving(config, publication, findings, load_encoder)
    if encoder is None:
        return
    if encoder.dimension != rows.dimension:
        detail = f"vectors have {rows.dimension} values, the embedder gives {encoder.dimension}"
        findings.add("vector", "", detail)
        return
    _compare(encoder, rows.sample, findings)


def _serving(
    config: Config, publication: Publication, findings: Findings, load_encoder: LoadEncoder
) -> Encoder | None:
    try:
        encoder = load_encoder(
            publication.model, root=config.root, batch_size=config.embedder.batch_size
        )
        fingerprint = encoder.fingerprint
    except StaleproofError as error:
        findings.add("embedder", "", f"{publication.model} cannot be loaded: {error.message}")
        return None
    if fingerprint != publication.fingerprint:
        detail = f"{publication.model} has other weights ({fingerprint[:12]}) than those that"
        detail += f" made the vectors ({publication.fingerprint[:12]})"
        findings.add("embedder", "", detail)
        return None
    return encoder


def _compare(encoder: Encoder, sample: Sequence[Sampled], findings: Findings) -> None:
    again = encoder.encode([one.embedded for one in sample]).astype(np.float64)
    for one, vector in zip(sample, again, strict=True):
        stored = one.vector.astype(np.float64)
        lengths = float(np.linalg.norm(stored) * np.linalg.norm(vector))
        cosine = float(stored @ vector) / lengths if lengths else 0.0
        if not cosine >= SIMILAR:
            detail = f"position {one.position}: embedded again, the cosine is {cosine:.4f}"
            findings.add("embedding", one.uri, detail)

"""Loads an embedder the same way in every stage."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pipelines.embedding import fingerprint, load_encoder, load_model, locate_model
from pipelines.records import Vectors
from pipelines.training.snapshot import Snapshot, check_base

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer


def base_folder(snapshot: Snapshot) -> Path:
    """The folder of the base's weights, checked against the snapshot.

    Raises:
        TrainingError: They are not the ones that the snapshot names.
    """
    base = snapshot.facts.base
    folder = snapshot.base_folder or locate_model(base.model, root=snapshot.folder)
    check_base(snapshot, fingerprint(folder))
    return folder


def open_model(folder: Path, *, max_tokens: int | None = None) -> "SentenceTransformer":
    """The model of a folder in memory; ``max_tokens`` cuts texts shorter than it would itself."""
    takes = load_encoder(str(folder), root=folder).max_tokens
    return load_model(folder, max_tokens=min(takes, max_tokens or takes))


def passage_vectors(model: "SentenceTransformer", texts: Sequence[str], batch: int) -> Vectors:
    """Passages -> ``(n, d)`` float32 of unit norm; what is too long is cut off."""
    found = model.encode_document(
        list(texts), batch_size=batch, show_progress_bar=False, normalize_embeddings=True
    )
    return np.asarray(found, dtype=np.float32).reshape(len(texts), -1)


def question_vectors(model: "SentenceTransformer", texts: Sequence[str], batch: int) -> Vectors:
    """Questions -> ``(n, d)`` float32 of unit norm; what is too long is cut off."""
    found = model.encode_query(
        list(texts), batch_size=batch, show_progress_bar=False, normalize_embeddings=True
    )
    return np.asarray(found, dtype=np.float32).reshape(len(texts), -1)
